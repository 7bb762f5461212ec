"""``rlm-kernel doctor``: is everything there, and what to do where it is not."""

from __future__ import annotations

import json
import os
import sys
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from rlm_kernel.cli.codes import DEFECT, OK
from rlm_kernel.cli.versions import DISTRIBUTION, installed, own_version
from rlm_kernel.usage import count

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Mapping

NEEDED = ("ipykernel", "ipython", "openai", "anywidget", "nbformat", "nbclient", "rich")
WANTED = ("jupyterlab", "notebook")
EXTENSION = "rlm-kernel"
KERNEL = "rlm"
DEFAULT_BASE_URL = "https://api.openai.com/v1"
PROBE_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report."""

    state: Literal["ok", "missing", "note"]
    """``missing`` counts against the exit code; a ``note`` is something that can be done without."""
    what: str
    found: str
    remedy: str = ""


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "doctor",
        help="check the installation, the model and the key",
        description="Check what is installed and set. Nothing is sent anywhere without --probe; a key is never shown. "
        "Exit code 0 where all that is needed is there, else 1.",
    )
    parser.add_argument("--probe", action="store_true", help="ask the endpoint for its models (costs nothing)")
    parser.set_defaults(command=run)


def run(args: argparse.Namespace) -> int:
    """Print a line for each finding and give the exit code."""
    findings = list(examine(os.environ, probe=args.probe))
    width = max(len(each.what) for each in findings)
    for each in findings:
        remedy = f"  → {each.remedy}" if each.remedy else ""
        print(f"{each.state:<8} {each.what:<{width}}  {each.found}{remedy}")
    return DEFECT if any(each.state == "missing" for each in findings) else OK


def examine(environ: Mapping[str, str], *, probe: bool = False) -> Iterator[Finding]:
    """Find out everything that matters."""
    yield from _versions()
    yield _kernelspec()
    yield _extension()
    yield from _models(environ)
    if probe:
        yield _probe(environ)
    yield _checkpoints()
    yield _store()


def _versions() -> Iterator[Finding]:
    python = sys.version.split()[0]
    yield Finding("ok", "python", f"{python} ({sys.executable})")
    yield Finding("ok", DISTRIBUTION, own_version())
    for name in (*NEEDED, *WANTED):
        found = installed(name)
        state: Literal["missing", "note"] = "missing" if name in NEEDED else "note"
        remedy = f"python -m pip install {name}"
        yield Finding("ok", name, found) if found else Finding(state, name, "not installed", remedy)


def _kernelspec() -> Finding:
    remedy = "python -m pip install --force-reinstall rlm-kernel, with the Python that runs Jupyter"
    try:
        from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel
    except ImportError:
        return Finding("missing", "kernel", "jupyter_client is not installed", "python -m pip install jupyter_client")
    try:
        spec = KernelSpecManager().get_kernel_spec(KERNEL)
    except NoSuchKernel:
        return Finding("missing", "kernel", f"no kernelspec {KERNEL!r}", remedy)
    if not spec.metadata.get("rlm"):
        return Finding("missing", "kernel", f"the kernelspec {KERNEL!r} in {spec.resource_dir} is another one", remedy)
    return Finding("ok", "kernel", f"{spec.display_name} in {spec.resource_dir}")


def _extension() -> Finding:
    """Without the extension all works, shown below the question instead of in cells: a note."""
    from jupyter_core.paths import jupyter_path

    remedy = "python -m pip install --force-reinstall rlm-kernel"
    folders = [Path(each, EXTENSION) for each in jupyter_path("labextensions")]
    found = next((each for each in folders if (each / "package.json").is_file()), None)
    if found is None:
        return Finding("note", "extension", "not found: the model's cells are shown as output", remedy)
    version = json.loads((found / "package.json").read_text("utf-8")).get("version", "?")
    if EXTENSION in _disabled():
        return Finding("note", "extension", f"{version}, disabled", f"jupyter labextension enable {EXTENSION}")
    ours = installed(DISTRIBUTION)
    if ours is not None and ours != version:
        return Finding("missing", "extension", f"{version} in {found}, but the kernel is {ours}", remedy)
    return Finding("ok", "extension", f"{version} in {found}")


def _disabled() -> set[str]:
    """Give the names of the extensions that are switched off in any of Jupyter's configuration folders."""
    from jupyter_core.paths import jupyter_config_path

    names: set[str] = set()
    for folder in jupyter_config_path():
        file = Path(folder, "labconfig", "page_config.json")
        try:
            disabled = json.loads(file.read_text("utf-8")).get("disabledExtensions", {})
        except (OSError, ValueError, AttributeError):
            continue
        names |= {name for name, off in disabled.items() if off} if isinstance(disabled, dict) else set(disabled)
    return names


def _models(environ: Mapping[str, str]) -> Iterator[Finding]:
    from rlm_kernel.models.registry import Registry

    models = Registry(environ)
    root, sub = models.default_root(), models.default_sub()
    why = "RLM_MODEL" if environ.get("RLM_MODEL", "").strip() else "the built-in tutor, no language model"
    hint = "" if root != "tutor" else "set RLM_MODEL and OPENAI_API_KEY for a real model"
    yield Finding("ok", "model", f"{root} ({why})", hint)
    why = "RLM_SUB_MODEL" if environ.get("RLM_SUB_MODEL", "").strip() else "as the model"
    yield Finding("ok", "sub-model", f"{sub} ({why})")
    url = environ.get("OPENAI_BASE_URL", "").strip()
    yield Finding("ok", "endpoint", url or f"{DEFAULT_BASE_URL} (OPENAI_BASE_URL is not set)")
    if environ.get("OPENAI_API_KEY", "").strip():
        yield Finding("ok", "key", "OPENAI_API_KEY is set")
    elif {root, sub} <= {"tutor"} or all(name.startswith("scripted:") for name in (root, sub)):
        yield Finding("note", "key", "OPENAI_API_KEY is not set; the tutor needs none")
    elif url:
        yield Finding("note", "key", "OPENAI_API_KEY is not set; a local endpoint may need none")
    else:
        yield Finding("missing", "key", "OPENAI_API_KEY is not set", "export OPENAI_API_KEY=…")


def _probe(environ: Mapping[str, str]) -> Finding:
    """Ask the endpoint for its models, with the key where there is one."""
    from urllib.error import HTTPError, URLError
    from urllib.request import Request, urlopen

    url = (environ.get("OPENAI_BASE_URL", "").strip() or DEFAULT_BASE_URL).rstrip("/") + "/models"
    if not url.startswith(("http://", "https://")):
        return Finding("missing", "probe", f"{url} is not a web address", "set OPENAI_BASE_URL to http(s)://…/v1")
    key = environ.get("OPENAI_API_KEY", "").strip()
    request = Request(url, headers={"Authorization": f"Bearer {key}"} if key else {})
    try:
        with urlopen(request, timeout=PROBE_SECONDS) as reply:
            listed = json.load(reply).get("data", [])
    except HTTPError as error:
        remedy = "check OPENAI_API_KEY" if error.code in (401, 403) else "check OPENAI_BASE_URL"
        return Finding("missing", "probe", f"{url} answers {error.code} {error.reason}", remedy)
    except (URLError, OSError) as error:
        reason = getattr(error, "reason", error)
        return Finding(
            "missing", "probe", f"{url} cannot be reached: {reason}", "start the server, or check OPENAI_BASE_URL"
        )
    except (ValueError, AttributeError):
        return Finding("missing", "probe", f"{url} does not answer as an OpenAI endpoint", "check OPENAI_BASE_URL")
    names = [str(each.get("id")) for each in listed if isinstance(each, dict)]
    shown = ", ".join(names[:5]) + (" …" if len(names) > 5 else "")
    return Finding("ok", "probe", f"{url} answers; models: {shown or 'none listed'}")


def _checkpoints() -> Finding:
    if sys.platform.startswith("linux") and hasattr(os, "fork"):
        return Finding("ok", "checkpoints", "possible: a cell that kills Python loses only itself")
    remedy = "use Linux (or WSL) where that matters"
    return Finding(
        "note", "checkpoints", f"not on {sys.platform}: a cell that kills Python loses the variables", remedy
    )


def _store() -> Finding:
    """A store that cannot be used stops nothing: questions are answered, and paid again when asked again."""
    from rlm_kernel.errors import StoreError
    from rlm_kernel.trace.place import file_system, is_local, store_path
    from rlm_kernel.trace.schema import connect

    path = store_path(os.environ)
    if path is None:
        return Finding("note", "store", "off (RLM_STORE): no reply outlives the kernel", "unset RLM_STORE")
    if not path.exists():
        there = next(folder for folder in path.parents if folder.exists())
        if not os.access(there, os.W_OK | os.X_OK):
            return Finding("note", "store", f"{path} cannot be made: no permission", "set RLM_STORE to a file of yours")
        return Finding("ok", "store", f"{path} (made with the first question)")
    try:
        connection = connect(path, create=False)
    except StoreError as problem:
        return Finding("note", "store", problem.message, problem.remedy)
    with closing(connection):
        runs, replies = connection.execute("SELECT (SELECT count(*) FROM runs), (SELECT count(*) FROM memo)").fetchone()
    known = f"{replies:,} {'reply' if replies == 1 else 'replies'}"
    found = f"{path}: {count(runs, 'run')}, {known}, {path.stat().st_size / 1e6:.1f} MB"
    if not is_local(path.parent):
        kind = file_system(path.parent) or "unknown"
        return Finding("note", "store", f"{found}, not on a local disk ({kind})", "set RLM_STORE to a file on one")
    return Finding("ok", "store", found)
