"""Options are read in one way everywhere, and what is wrong is said with what is right."""

from __future__ import annotations

import dataclasses
import shlex

import pytest

from rlm_kernel.engine.settings import OPTIONS, Settings, complete, describe, parse, raised, usage_lines
from rlm_kernel.errors import LIMIT_OPTIONS, InputError
from rlm_kernel.usage import Limits


def read(line: str, base: Settings | None = None) -> Settings:
    return parse(shlex.split(line), base or Settings())


def test_all_options() -> None:
    line = (
        "--model gpt-x --sub-model=small --max-cost $2.50 --max-tokens 100_000 --max-calls 1,200 --max-turns 5 "
        "--seconds 90 --concurrency 8 --approve each --quote 1,500 --policy refuse"
    )
    assert read(line) == Settings(
        "gpt-x",
        "small",
        Limits(cost_usd=2.5, tokens=100_000, calls=1200, turns=5, seconds=90.0, concurrency=8),
        "each",
        quote=1500,
        policy="refuse",
    )


def test_what_is_not_given_stays() -> None:
    base = read("--model a --max-turns 3")
    assert read("--max-cost none", base) == dataclasses.replace(
        base, limits=dataclasses.replace(base.limits, cost_usd=None)
    )
    assert read("", base) == base
    assert read("--model default", base).model is None


def test_reset_comes_first() -> None:
    assert read("--model b --reset", read("--model a --max-turns 3")) == Settings(model="b")


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("--modell x", "There is no option --modell.*--model, --sub-model"),
        ("gpt-x", "'gpt-x' is not an option"),
        ("--approve sometimes", "--approve cannot be 'sometimes'. Give auto, risky or each."),
        ("--max-turns 0", "--max-turns cannot be '0'. Give a whole number from 1."),
        ("--max-turns none", "a whole number from 1\\.$"),
        ("--max-calls 1.5", "a whole number from 1 or none"),
        ("--max-cost -1", "--max-cost cannot be '-1'. Give a number above 0 or none."),
        ("--max-cost nan", "--max-cost cannot be 'nan'"),
        ("--seconds inf", "--seconds cannot be 'inf'"),
        ("--model", "--model needs a value. Give a model's name or default."),
        ("--model --max-turns 3", "--model needs a value"),
        ("--model ''", "--model cannot be ''"),
        ("--model a --model b", "--model is given twice"),
        ("--max-depth 9", "whole number from 0 to 8"),
        ("--reset=1", "--reset takes no value"),
    ],
)
def test_what_is_wrong_is_named(line: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        read(line)


def test_the_table_covers_all_settings_and_remedies() -> None:
    names = {option.name for option in OPTIONS} - {""}
    fields = {field.name for field in dataclasses.fields(Settings)} | {f.name for f in dataclasses.fields(Limits)}
    assert names == fields - {"limits"}
    assert set(LIMIT_OPTIONS.values()) <= {option.flag for option in OPTIONS}


def test_describe_shows_each_option() -> None:
    lines = describe(read("--model a --max-calls none"), root="tutor", sub="tutor")
    assert [line.split()[0] for line in lines] == [option.flag for option in OPTIONS if option.kind != "flag"]
    assert lines[0].split()[1] == "a"
    assert lines[1].split()[1:3] == ["tutor", "(default)"]
    assert lines[4].split()[1] == "none"
    assert len(usage_lines()) == len(OPTIONS)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ([""], [option.flag for option in OPTIONS]),
        (["--max-t"], ["--max-tokens", "--max-turns"]),
        (
            ["--model", "a", "--m"],
            ["--max-cost", "--max-tokens", "--max-calls", "--max-turns", "--max-depth"],
        ),
        (["--approve", ""], ["auto", "risky", "each"]),
        (["--model", "t"], ["tutor"]),
        (["--model", ""], ["big", "default", "tutor"]),
        (["--max-cost", "n"], ["none"]),
        (["--max-turns", ""], []),
        ([], [option.flag for option in OPTIONS]),
    ],
)
def test_completion(line: list[str], expected: list[str]) -> None:
    assert complete(line, ["big"]) == expected


def test_limits_are_raised_by_name_but_not_below_what_is_used() -> None:
    base = read("--max-turns 3 --model x")
    assert raised(base, {"turns": 5, "cost_usd": 2, "calls": None}) == read(
        "--max-turns 5 --max-cost 2 --max-calls none", base
    )
    assert raised(base, {"turns": 4}, {"turns": 3, "cost_usd": 0.5}).limits.turns == 4
    for limits, says in (
        ({"turns": 3}, "--max-turns 3 is used up already: 3 so far"),
        ({"cost_usd": 0.4}, "--max-cost 0.4 is used up already"),
        ({"turns": True}, "--max-turns cannot be 'True'"),
        ({"turns": None}, "--max-turns cannot be 'none'"),
        ({"model": "y"}, "no limit 'model'"),
    ):
        with pytest.raises(InputError, match=says):
            raised(base, limits, {"turns": 3, "cost_usd": 0.5})
