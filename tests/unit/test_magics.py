from __future__ import annotations

import pytest

from rlm_kernel.engine.gate import CallsQuoteDict, WaitingDict
from rlm_kernel.engine.settings import Settings
from rlm_kernel.errors import InputError
from rlm_kernel.kernel import magics
from rlm_kernel.models.registry import Registry


@pytest.mark.parametrize("code", ["%%rlm\nQ", "\n\n  \n%%rlm --model x\nQ", "%%rlm", "%rlm?", "?%%rlm", "%%rlm?\n"])
def test_these_are_for_the_kernel(code):
    assert magics.is_question(code)


@pytest.mark.parametrize("code", ["x = 1\n%%rlm", "%%rlmx", "%rlm --model x", "# %%rlm", "'%%rlm'", ""])
def test_these_are_not(code):
    assert not magics.is_question(code)


def test_options_hold_for_the_question_and_the_body_is_kept_as_it_is():
    asked = magics.read_question(
        '\n%%rlm --model "a b" --max-cost=2 --approve each\n\nHow many\n  lines?\n', Settings()
    )
    assert asked.question == "How many\n  lines?"
    assert asked.settings.model == "a b"
    assert asked.settings.limits.cost_usd == 2
    assert asked.settings.approve == "each"


def test_the_question_may_begin_on_the_first_line():
    asked = magics.read_question("%%rlm --max-turns 3 Who's there -- and why?\nTell.", Settings())
    assert asked.question == "Who's there -- and why?\nTell."
    assert asked.settings.limits.turns == 3


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("%%rlm", "There is no question"),
        ("%%rlm --model x\n \n", "There is no question"),
        ("%%rlm --colour red\nQ", "--colour"),
        ("%%rlm --max-cost lots\nQ", "--max-cost cannot be 'lots'"),
        ("%%rlm --max-turns\nQ", "--max-turns needs a value"),
        ("%%rlm --approve fast\nQ", "auto, risky or each"),
    ],
)
def test_what_cannot_be_asked_is_one_clear_line(code, says):
    with pytest.raises(InputError) as caught:
        magics.read_question(code, Settings())
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("code", "how", "turns"),
    [
        ("%rlm continue", "continue", 20),
        ("\n %rlm  resume \n", "resume", 20),
        ("%rlm continue --max-turns 30", "continue", 30),
    ],
)
def test_going_on_stands_alone_and_takes_options(code, how, turns):
    assert magics.is_go_on(code)
    asked = magics.read_question(code, Settings())
    assert (asked.how, asked.question, asked.settings.limits.turns) == (how, "", turns)


@pytest.mark.parametrize("code", ["x = 1\n%rlm continue", "%rlm continued", "%rlm", "%%rlm\ncontinue", "%rlm stop"])
def test_this_is_not_going_on(code):
    assert not magics.is_go_on(code)


def test_flags_take_no_value_so_the_question_may_follow():
    asked = magics.read_question("%%rlm --fresh How many?", Settings())
    assert (asked.settings.fresh, asked.question) == (True, "How many?")


def test_line_shows_changes_or_commands():
    assert magics.read_line("", Settings()) is None
    assert magics.read_line(" stop ", Settings()) == magics.Command("stop")
    changed = magics.read_line("--model gpt-5 --max-cost none", Settings())
    assert isinstance(changed, Settings)
    assert (changed.model, changed.limits.cost_usd) == ("gpt-5", None)


@pytest.mark.parametrize(
    ("line", "says"), [("halt", "'halt'"), ("stop now", "takes nothing"), ("--model 'x", "quotation")]
)
def test_lines_that_mean_nothing(line, says):
    with pytest.raises(InputError, match=says):
        magics.read_line(line, Settings())


def test_what_stands_behind_a_command_is_kept_as_it_is():
    assert magics.read_line("reject it's too broad", Settings()) == magics.Command("reject", "it's too broad")
    assert magics.read_order("%rlm steer only chapter 3\n") == magics.Command("steer", "only chapter 3")
    assert magics.read_order("%rlm approve") == magics.Command("approve")
    for code in ("%rlm --model x", "%rlm approve\n1", "x = 1\n%rlm stop", "%rlm continue", "%rlm stopper"):
        assert magics.read_order(code) is None


def waiting(waiting_id: str, calls: int = 0) -> WaitingDict:
    quote = CallsQuoteDict(calls=calls, cached=0, tokens=None, cost_usd=None, model="m", kind="llm") if calls else None
    kind = "calls" if calls else "cell"
    return WaitingDict(id=waiting_id, node_id="r/t1", cell_id="c", kind=kind, code="1", reasons=[], quote=quote)


def test_decisions_as_a_line():
    both = [waiting("w1"), waiting("w2", 20)]
    for text, decision in (
        ("approve", ("w1", {"verdict": "approve"})),
        ("approve always", ("w1", {"verdict": "always"})),
        ("approve w2 first 1,000", ("w2", {"verdict": "first", "first": 1000})),
        ("reject", ("w1", {"verdict": "reject", "reason": ""})),
        ("reject w2 too many", ("w2", {"verdict": "reject", "reason": "too many"})),
    ):
        order = magics.read_order(f"%rlm {text}")
        assert order is not None
        assert magics.read_decision(order, both) == decision
    with pytest.raises(InputError, match="does not know 'perhaps'"):
        magics.read_decision(magics.Command("approve", "perhaps"), both)
    with pytest.raises(InputError, match="Nothing waits"):
        magics.read_decision(magics.Command("approve"), [])


def test_limits_behind_continue_are_known_also_where_they_are_the_usual_ones():
    asked = magics.read_question("%rlm continue --max-turns 20 --model b", Settings())
    assert (asked.how, asked.limits, asked.settings.model) == ("continue", {"turns": 20}, "b")


def test_settings_say_why_a_model_is_chosen():
    shown = magics.show(Settings(), Registry({}))
    assert "model       tutor (built in" in shown
    assert "$1.00" in shown
    shown = magics.show(Settings(sub_model="small"), Registry({"RLM_MODEL": "big"}))
    assert "big (from RLM_MODEL)" in shown
    assert "small (set with --sub-model)" in shown


def test_help_names_each_option_and_command():
    text = magics.help_text()
    for word in (
        "--model",
        "--max-cost",
        "--approve",
        "--quote",
        "--policy",
        "--reset",
        "%rlm panel",
        "%rlm stop",
        "load(",
    ):
        assert word in text


def complete(code, models=()):
    pos = code.index("|")
    found = magics.complete(code.replace("|", ""), pos, models)
    return found and (found["matches"], found["cursor_start"], found["cursor_end"])


def test_completion_of_options_values_and_commands():
    assert complete("%rlm --max-c|") == (["--max-cost", "--max-calls"], 5, 12)
    assert complete("%%rlm --approve |\nQ") == (["auto", "risky", "each"], 16, 16)
    assert complete("x = 1\n%rlm st|") == (["step", "stop", "steer"], 11, 13)
    assert "gpt-5" in complete("%rlm --model g|", ["gpt-5"])[0]
    assert complete("%%rlm s|")[0] == []


def test_other_lines_are_left_to_the_namespace():
    assert complete("x.|") is None
    assert complete("%%rlm\nquest|ion") is None
    assert complete("x = 1\n%%rlm --mo|") is None
    assert magics.inspect("print", 3) is None
    assert "--max-cost" in magics.inspect("%%rlm --max-cost 2\nQ", 3)["data"]["text/plain"]
