"""``rlm-kernel demo``: the whole thing once, without a key."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rlm_kernel.cli.codes import BROKEN_PIPE, INTERRUPTED, code_of_run

if TYPE_CHECKING:
    import argparse

    from rlm_kernel.cli.terminal import Screen
    from rlm_kernel.engine.settings import Settings

NOTEBOOK = Path("rlm-demo.ipynb")
SETUP = "from rlm_kernel.demo import demo_document\n\nload(demo_document())"


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser."""
    from rlm_kernel.cli.options import add_run_options

    parser = commands.add_parser(
        "demo",
        help="see it work: a shipped document, a question, no key needed",
        description="Ask the shipped document (State of the Union addresses) a question and write the run as a "
        "notebook. Without --model the built-in tutor answers; it needs no key and costs nothing.",
    )
    add_run_options(parser)
    parser.add_argument("--question", metavar="TEXT", help="ask this instead of the question of the demo")
    parser.add_argument("--output", "-o", metavar="OUT.ipynb", help=f"the notebook to write (default {NOTEBOOK})")
    parser.add_argument("--overwrite", action="store_true", help="let --output replace a file")
    parser.set_defaults(command=run)


def run(args: argparse.Namespace) -> int:
    """Show the demo and give the exit code."""
    from rlm_kernel.cli.ask import say_why
    from rlm_kernel.cli.asking import Question, ask
    from rlm_kernel.cli.files import chosen_name, free_name, shown
    from rlm_kernel.cli.options import settings_from
    from rlm_kernel.cli.progress import Progress
    from rlm_kernel.cli.terminal import make_screen
    from rlm_kernel.demo import DEMO_QUESTION

    path = chosen_name(args.output, overwrite=args.overwrite) if args.output else None
    settings = _with_tutor(settings_from(args))
    question = Question(args.question or DEMO_QUESTION, SETUP, settings)
    screen = make_screen()
    _introduce(screen, question.text, settings)
    asked = ask(question, Progress(screen), screen)
    if asked.tree is None or asked.run is None:
        return BROKEN_PIPE if screen.gone else INTERRUPTED
    from rlm_kernel.cli.result import print_tree
    from rlm_kernel.notebook.answer import foot

    screen.print()
    print_tree(screen, asked.tree, asked.run)
    _print_answer(screen, asked.run.reply)
    screen.print(foot(asked.tree, asked.run), style="dim", soft_wrap=True)
    say_why(make_screen(errors=True), asked.run)
    path = path or free_name(NOTEBOOK)
    verb = "Replaced" if path.exists() else "Wrote"
    asked.write_notebook(path)
    name = shown(path)
    screen.print(f"\n{verb} {name}: the question, the answer and the model's cells.", soft_wrap=True)
    screen.print(f"Open it with:  rlm-kernel lab {name}", style="bold", soft_wrap=True)
    return BROKEN_PIPE if screen.gone else code_of_run(asked.run)


def _with_tutor(settings: Settings) -> Settings:
    """Let the tutor answer where no model is named: a demo must not depend on a key, nor spend money unasked."""
    from dataclasses import replace

    model = settings.model or "tutor"
    return replace(settings, model=model, sub_model=settings.sub_model or model)


def _introduce(screen: Screen, question: str, settings: Settings) -> None:
    from rich.text import Text

    from rlm_kernel.demo import demo_document

    document = demo_document()
    size = document.stat().st_size / 1_000_000
    lines = [
        ("Document  ", f"{document.name} · {size:.1f} MB · State of the Union addresses (CC0)"),
        ("Question  ", question),
        ("Model     ", settings.model or ""),
    ]
    for name, value in lines:
        screen.print(Text.assemble((name, "bold"), value), soft_wrap=not screen.is_terminal)
    if settings.model == "tutor":
        note = "The tutor is not a language model: a small built-in policy that shows the way of working, offline."
        screen.print(Text(note, style="dim"), soft_wrap=True)


def _print_answer(screen: Screen, answer: str) -> None:
    from rich.markdown import Markdown
    from rich.text import Text

    from rlm_kernel.cli.terminal import plain

    screen.print()
    screen.print(Text("Answer", style="bold"))
    text = plain(answer).strip() or "(none)"
    screen.print(Markdown(text) if screen.is_terminal else Text(text), soft_wrap=not screen.is_terminal)
    screen.print()
