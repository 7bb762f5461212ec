"""The script of the panel: joined, checked by node, and its store and lines at work without a page."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections import Counter
from typing import Any

import pytest

from rlm_kernel.panel import assets
from rlm_kernel.panel.packing import pack
from rlm_kernel.trace.records import Node
from rlm_kernel.usage import Usage
from tests.unit.paneling import DONE, make_session

NODE = shutil.which("node")
needs_node = pytest.mark.skipif(NODE is None, reason="node is not there")
TOP_LEVEL = re.compile(r"^(?:export )?(?:async )?(?:function\*?|class|const|let) (\w+)", re.MULTILINE)


def node(script: str, folder: Any) -> Any:
    """Run a module beside the panel's own ones; gives what it prints as JSON."""
    shutil.copytree(assets.STATIC, folder, dirs_exist_ok=True)
    (folder / "package.json").write_text('{"type": "module"}')
    (folder / "try.js").write_text(script)
    assert NODE is not None
    command = [NODE, str(folder / "try.js")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_modules_join_into_one():
    script = assets.script()
    assert "import " not in "\n".join(re.findall(r"^import.*$", script, re.MULTILINE))
    assert re.findall(r"^export.*$", script, re.MULTILINE) == ["export default { render };"]
    files = {path.stem for path in assets.STATIC.glob("*.js")}
    assert set(assets.order("panel", assets.STATIC)) == files


def test_a_name_stands_in_one_module_only():
    names = Counter(TOP_LEVEL.findall(assets.script()))
    assert [name for name, times in names.items() if times > 1] == []


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("import x from './b.js';\n", "cannot be joined"),
        ("export * from './b.js';\n", "cannot be joined"),
        ("import { a } from './a.js';\n", "a imports a: a circle"),
    ],
)
def test_what_cannot_be_joined_is_named(tmp_path, text, problem):
    (tmp_path / "a.js").write_text(text)
    (tmp_path / "b.js").write_text("export const b = 1;\n")
    with pytest.raises(ValueError, match=problem):
        assets.join("a", tmp_path)


def test_no_module_sets_markup():
    for path in assets.STATIC.glob("*.js"):
        script = path.read_text("utf-8")
        for way in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function"):
            assert way not in script, path


def test_every_class_in_the_style_is_used():
    script, style = assets.script(), assets.style()
    classes = set(re.findall(r"\.(rlm-[\w-]+)", style)) - {"rlm-Dock", "rlm-Dock-view"}
    # Views, columns and pieces of code are put together of a part and a name.
    made = ("rlm-view-", "rlm-tk-", "rlm-name", "rlm-in",
            "rlm-cached", "rlm-out", "rlm-cost", "rlm-time", "rlm-mark", "rlm-kind",
            "rlm-model", "rlm-status", "rlm-twisty")  # fmt: skip
    assert sorted(name for name in classes if name not in script and not name.startswith(made)) == []


@needs_node
def test_node_takes_the_joined_module(tmp_path):
    path = tmp_path / "panel.mjs"
    path.write_text(assets.script())
    assert NODE is not None
    done = subprocess.run([NODE, "--check", str(path)], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


def small_tree() -> list[Any]:
    """A question with two turns; the second asked three calls and a child run with a turn of its own."""
    tree = make_session(DONE).tree

    def add(node_id: str, parent: str | None, kind: Any, cost: float = 0.0, **fields: Any) -> None:
        made = Node(node_id, "r", parent, kind, fields.pop("label", node_id), fields.pop("status", "done"))  # type: ignore[arg-type]
        made.usage = Usage(int(cost * 1e6), 0, 10, int(cost > 0), cost, 1.0)
        for name, value in fields.items():
            setattr(made, name, value)
        tree.add(made)

    add("r", None, "run", started=100.0, ended=110.0, status="done")
    add("t1", "r", "turn", 0.01, started=100.0, ended=101.0)
    add("t2", "r", "turn", 0.01, started=101.0, ended=110.0)
    add("c1", "t2", "call", 0.001, batch="b", started=102.0, ended=103.0, label="alpha")
    add("c2", "t2", "call", 0.003, batch="b", started=102.0, ended=105.0, label="beta", status="failed", error="no")
    add("c3", "t2", "call", 0.002, batch="b", started=103.5, ended=104.0, label="gamma", cached=True)
    add("k", "t2", "run", started=105.0, ended=109.0, label="child")
    add("k1", "k", "turn", 0.05, started=105.0, ended=109.0, error="NameError: x")
    return tree.skeleton()


def told(rows: list[Any]) -> str:
    control = {"state": "idle", "waits_for": "", "waiting": [], "steers": [], "limits": []}
    message = {"kind": "snapshot", "view": "v", "part": 0, "parts": 1, "rows": pack(rows), "control": control}
    return json.dumps({**message, "models": ["m"], "now": 200.0})


LINES = "outline.lines().map(item => ' '.repeat(item.level - 1) + item.key + (item.open === false ? ' +' : ''))"


@needs_node
def test_calls_of_a_batch_are_told_apart_by_what_differs(tmp_path):
    script = """
        import { commonStart } from './facts.js';
        const asked = year => `What does this address say? ${year} begins`;
        const same = ['the same', 'the same'];
        const texts = [[1901, 1912].map(asked), ['part 1', 'part 2'], same, ['one'], [], ['ab', 'ac']];
        console.log(JSON.stringify(texts.map(commonStart)));
    """
    assert node(script, tmp_path) == [28, 5, 0, 0, 0, 0]


@needs_node
def test_the_store_makes_lines_of_rows(tmp_path):
    script = f"""
        import {{ turnNumber }} from './format.js';
        import {{ Store }} from './store.js';
        const store = new Store();
        const {{ outline }} = store;
        store.take({told(small_tree())});
        const out = {{}};
        const show = name => (out[name] = {LINES});
        show('all');
        store.outline.toggle('batch:t2:b', true);
        show('open');
        outline.look({{ sort: 'cost' }});
        show('cost');
        outline.look({{ sort: 'order', filter: 'failed' }});
        show('failed');
        outline.look({{ filter: 'cached' }});
        show('cached');
        outline.look({{ filter: 'expensive' }});
        show('expensive');
        outline.look({{ filter: 'none' }});
        outline.toggle('batch:t2:b', false);
        outline.look({{ search: 'BETA' }});
        show('search');
        outline.look({{ search: 'text', found: new Set(['k1']) }});
        show('found');
        outline.look({{ search: '', found: null }});
        out.failures = outline.failures('r');
        out.after = outline.firstAfter(out.failures, 'c2');
        out.counts = [store.failureCount('r')];
        store.failed.add('r');
        out.counts.push(store.failureCount('r'), outline.failures('r').length);
        store.failed.delete('r');
        const batch = store.batchFacts(store.batches.get('batch:t2:b'));
        out.batch = [batch.done, batch.failed, batch.size, batch.usage.cost_usd.toFixed(4), batch.started, batch.ended];
        out.share = store.share('k', store.rows.get('k').total).toFixed(3);
        out.turn = ['t2', 'run-1/t12'].map(id => turnNumber({{ id }}));
        const on = {{ ...store.rows.get('r'), id: 's', continues: 'r' }};
        out.chain = [store.chain(on), store.chain(store.rows.get('r')), store.chain({{ ...on, continues: 'gone' }})];
        out.chain = out.chain.map(runs => runs.map(run => run.id).join());
        store.takeDelta({{ nodes: [], removed: ['k'] }});
        show('removed');
        outline.toggle('batch:t2:b', true);
        show('opened');
        out.left = [...store.failed];
        console.log(JSON.stringify(out));
    """
    out = node(script, tmp_path)
    assert out["all"] == ["r", " t1", " t2", "  batch:t2:b +", "  k", "   k1"]
    assert out["open"] == ["r", " t1", " t2", "  batch:t2:b", "   c1", "   c2", "   c3", "  k", "   k1"]
    assert out["cost"] == ["r", " t2", "  k", "   k1", "  batch:t2:b", "   c2", "   c3", "   c1", " t1"]
    assert out["failed"] == ["r", " t2", "  batch:t2:b", "   c2", "  k", "   k1"]
    assert out["cached"] == ["r", " t2", "  batch:t2:b", "   c3"]
    assert out["expensive"] == ["r", " t2", "  k", "   k1"]
    assert out["search"] == ["r", " t2", "  batch:t2:b", "   c2"]
    assert out["found"] == ["r", " t2", "  k", "   k1"]
    assert (out["failures"], out["after"]) == (["c2", "k1"], "k1")
    assert out["counts"] == [2, 2, 2], "a question fails with its turn: one failure"
    assert out["batch"] == [3, 1, 3, "0.0060", 102, 105]
    assert (out["share"], out["turn"], out["chain"]) == ("0.658", [2, 12], ["r,s", "r", "s"])
    assert out["removed"] == ["r", " t1", " t2", "  batch:t2:b +"]
    assert out["opened"] == ["r", " t1", " t2", "  batch:t2:b", "   c1", "   c2", "   c3"]
    assert out["left"] == ["c2"]


@needs_node
def test_changes_between_the_parts_of_a_picture_come_after_it(tmp_path):
    rows = small_tree()
    first, second = json.loads(told(rows[:3])), json.loads(told(rows[3:]))
    first["parts"] = second["parts"] = 2
    second["part"] = 1
    late = {**rows[0], "id": "c4", "parent_id": "t2", "kind": "call", "label": "late"}
    script = f"""
        import {{ Store }} from './store.js';
        const store = new Store();
        const {{ outline }} = store;
        const delta = {{ kind: 'delta', nodes: [{json.dumps(late)}], removed: [], control: store.control, now: 1 }};
        store.takePicture({{ rows: {json.dumps(pack(rows[:1]))}, now: 1 }});
        const out = {{ saved: [store.phase, store.live, store.rows.size] }};
        store.take({json.dumps(first)});
        store.take(delta);
        out.between = [store.phase, store.rows.has('c4')];
        store.take({json.dumps(second)});
        out.after = [store.phase, outline.lines().map(item => item.key).join(' ')];
        store.lose();
        out.gone = [store.phase, store.live, store.rows.size];
        store.choose('c4');
        store.takeTexts({{ id: 'c4', prompt: 'abc', reply: '', code: '', output: '', error: null, sizes: {{}} }});
        const piece = (pos, text, total) =>
          store.takePiece({{ kind: 'text', node_id: 'c4', part: 'prompt', pos, text, total }});
        out.pieces = [piece(3, 'def', 9), store.texts.prompt, store.texts.sizes.prompt, piece(8, 'i', 9)];
        out.again = [piece(2, 'C', 3), store.texts.prompt, store.texts.sizes.prompt ?? null];
        console.log(JSON.stringify(out));
    """
    out = node(script, tmp_path)
    assert out["saved"] == ["saved", False, 1]
    assert out["between"] == ["saved", False]
    assert out["after"] == ["live", "r t1 t2 batch:t2:b k k1 c4"]
    assert out["gone"] == ["gone", False, 9]
    assert out["pieces"] == [True, "abcdef", 9, False]
    assert out["again"] == [True, "abC", None]


@needs_node
def test_keys_after_the_pattern_of_trees(tmp_path):
    script = """
        import { keyAction, TypeAhead } from './keys.js';
        const items = [
          { key: 'r', parent: null, open: true },
          { key: 'a', parent: 'r', open: false },
          { key: 'b', parent: 'r', open: null }
        ];
        const press = (key, at, more = {}) =>
          keyAction({ key, alt: false, command: false, shift: false, ...more }, items, at, 2);
        const ahead = new TypeAhead();
        const labels = ['Root', 'apple', 'apricot'];
        console.log(JSON.stringify({
          down: press('ArrowDown', 0), end: press('End', 0), page: press('PageDown', -1), first: press('ArrowUp', -1),
          into: press('ArrowRight', 0), open: press('ArrowRight', 1), leaf: press('ArrowRight', 2),
          up: press('ArrowLeft', 2), close: press('ArrowLeft', 0), all: press('*', 1), enter: press('Enter', 1),
          search: press('/', -1), copy: press('c', 1, { command: true }), alt: press('ArrowDown', 0, { alt: true }),
          failure: press('F8', -1), letter: press('a', 0),
          ahead: [ahead.find('a', labels, 0, 0), ahead.find('p', labels, 1, 100), ahead.find('r', labels, 1, 200),
                  ahead.find('a', labels, 2, 5000), ahead.find('z', labels, 0, 9000)]
        }));
    """
    out = node(script, tmp_path)
    at = {name: action and (action["do"], action["at"]) for name, action in out.items() if name != "ahead"}
    assert at == {
        "down": ("choose", 1), "end": ("choose", 2), "page": ("choose", 1), "first": ("choose", 0),
        "into": ("choose", 1), "open": ("open", 1), "leaf": None, "up": ("choose", 0), "close": ("close", 0),
        "all": ("openAll", 1), "enter": ("enter", 1), "search": ("search", -1), "copy": ("copy", 1), "alt": None,
        "failure": ("failure", -1), "letter": None,
    }  # fmt: skip
    assert out["ahead"] == [1, 1, 2, 1, -1]


@needs_node
def test_lanes_and_scaling_add_up(tmp_path):
    script = f"""
        import {{ Store }} from './store.js';
        import {{ planLanes, tickStep }} from './lanes.js';
        import {{ byDepth, byTurn }} from './scaling.js';
        const store = new Store();
        store.take({told(small_tree())});
        const root = store.rows.get('r');
        const plan = planLanes(store, root);
        const cost = step => [step.own, step.below].map(usage => Number(usage.cost_usd.toFixed(4)));
        console.log(JSON.stringify({{
          lanes: Object.fromEntries(plan.bars.map(bar => [bar.row.id, [bar.lane, bar.start, bar.end]])),
          plan: [plan.turns, plan.lanes, plan.seconds],
          turns: byTurn(store, root).map(cost), depths: byDepth(store, root).map(cost),
          ticks: [tickStep(10, 10), tickStep(600, 6), tickStep(0.5, 5)]
        }}));
    """
    out = node(script, tmp_path)
    assert out["lanes"] == {
        "t1": [0, 0, 1], "t2": [0, 1, 10], "k1": [1, 5, 9],
        "c1": [2, 2, 3], "c2": [3, 2, 5], "c3": [2, 3.5, 4],
    }  # fmt: skip
    assert out["plan"] == [2, 4, 10]
    assert out["turns"] == [[0.01, 0], [0.01, 0.056]]
    assert out["depths"] == [[0.02, 0], [0.05, 0.006]]
    assert out["ticks"] == [1, 120, 0.1]


@needs_node
def test_figures_and_strange_characters_are_fit_to_be_read(tmp_path):
    script = r"""
        import { clean, compact, duration, line, money } from './format.js';
        console.log(JSON.stringify([
          clean('\u001b[31mred\u001b[0m \u001b]0;title\u0007ok'), clean('a\u202eb\u0000'), clean('x\u200fy\ttab\n'),
          line('  many \n\n  lines  '), line('x'.repeat(5000)).length,
          compact(9_999), compact(12_345), compact(1_234_567), money(null), money(0), money(0.00123), duration(125)
        ]));
    """
    out = node(script, tmp_path)
    assert out[0] == "red ok"
    assert out[1] == "a⟨U+202E⟩b␀"
    assert out[2] == "x⟨U+200F⟩y\ttab\n"
    assert out[3:5] == ["many lines", 200]
    assert out[5:] == ["9,999", "12.3k", "1.2M", "cost unknown", "free", "$0.0012", "2 min 05 s"]
