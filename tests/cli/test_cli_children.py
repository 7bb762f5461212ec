"""rlm_query from the terminal."""

from __future__ import annotations

import json

CODE = "rs = rlm_query_batched(['first part', 'second part'])\nr = rlm_query('alone')\nprint(len(rs), r)"
ONE = f"Ask.\n\n```python\n{CODE}\n```"
LAST = "```python\nFINAL('done')\n```"
CHILD = "The child's own words.\n\n```python\nseen = 'x'; print('seen by the child')\nFINAL(llm_query('who?'))\n```"


def test_the_terminal_shows_the_question_and_the_tree_its_children(run_cli, tale, script):
    models = ("--model", script(ONE, LAST), "--sub-model", script(CHILD, repeat=True))
    done = run_cli("ask", "Who wins?", tale, *models)
    assert (done.returncode, done.stdout) == (0, "done\n")
    assert "2 the whale" in done.stderr
    assert "child's own words" not in done.stderr
    assert "│ seen by the child" not in done.stderr
    assert "rlm_query_batched ━━━━━━━━━━━━ 2/2 · 4 calls" in done.stderr
    assert "rlm_query: alone · 2 calls" in done.stderr
    table = [" ".join(line.split()) for line in done.stderr.splitlines()]
    assert any(line.startswith("2 child runs: first part") for line in table), done.stderr
    assert any(line.startswith("alone answered") for line in table)


def test_json_has_the_whole_tree(run_cli, tale, script):
    models = ("--model", script(ONE, LAST), "--sub-model", script(CHILD, repeat=True))
    done = run_cli("ask", "Who wins?", tale, *models, "--json")
    result = json.loads(done.stdout)
    (turn, _) = result["tree"]["children"]
    assert [(node["kind"], node["label"]) for node in turn["children"]] == [
        ("run", "first part"),
        ("run", "second part"),
        ("run", "alone"),
    ]
    assert [node["kind"] for node in turn["children"][0]["children"][0]["children"]] == ["call"]
    assert result["usage"]["calls"] == 2 + 3 * 2


def test_max_depth_0_makes_calls_of_them(run_cli, tale, script):
    models = ("--model", script(ONE, LAST, sub="flat"))
    done = run_cli("ask", "Who wins?", tale, *models, "--max-depth", "0", "--json")
    (turn, _) = json.loads(done.stdout)["tree"]["children"]
    assert {node["kind"] for node in turn["children"]} == {"call"}
    assert turn["children"][0]["label"].startswith("asked as llm_query, no level of rlm_query was left: first part")
