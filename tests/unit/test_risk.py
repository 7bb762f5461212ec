"""What is seen in a cell before it runs."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from rlm_kernel.engine.risk import MOST, describe, risks
from tests.unit import tutoring
from tests.unit.test_tutor import TEXT

HERE = Path(__file__).parents[1]

RISKY = [
    ("open('out.txt', 'w')", 1, "writes a file"),
    ("with open(name, mode='a+') as f: pass", 1, "writes a file"),
    ("open(name, mode)", 1, "may write a file"),
    ("list(map(open, names, modes))", 1, "may write a file"),
    ("save = open\nsave('x', 'wb')", 2, "writes a file"),
    ("import gzip\ngzip.open('x', 'wb')", 2, "writes a file"),
    ("import zipfile as z\nz.ZipFile('x', 'w')", 2, "writes a file"),
    ("import sqlite3\nsqlite3.connect('x.db')", 2, "may write a file"),
    ("from pathlib import Path\n(Path('a') / 'b').write_text('x')", 2, "writes a file"),
    ("from pathlib import Path\np = Path('a') / 'b'\np.replace('c')", 3, "changes files"),
    ("import pathlib\nfor p in pathlib.Path('.').rglob('*'):\n    p.rename('x')", 3, "changes files"),
    ("p.open('w')", 1, "writes a file"),
    ("p.unlink()", 1, "deletes files"),
    ("df.to_csv('x.csv')", 1, "writes a file"),
    ("plt.savefig('x.png')", 1, "writes a file"),
    ("import os as o\no.remove('x')", 2, "deletes files"),
    ("os.remove('x')", 1, "deletes files"),
    ("from shutil import rmtree as r\nr('x')", 2, "deletes files"),
    ("import shutil\nshutil.copytree('a', 'b')", 2, "changes files"),
    ("import os\nos.makedirs('x')", 2, "changes files"),
    ("import os\nos.system('ls')", 2, "starts a program"),
    ("import os\nrun = os.popen\nrun('ls')", 3, "starts a program"),
    ("import subprocess\nsubprocess.run(['ls'])", 2, "starts a program"),
    ("import asyncio\nawait asyncio.create_subprocess_shell('ls')", 2, "starts a program"),
    ("import os\nos.kill(1, 9)", 2, "acts on processes"),
    ("import os\nos.environ['HOME']", 2, "reads the environment"),
    ("from os import getenv\ngetenv('HOME')", 2, "reads the environment"),
    ("import os\nos.putenv('A', 'b')", 2, "changes the environment"),
    ("import requests\nrequests.get('http://x')", 2, "reaches the network"),
    ("import urllib.request\nurllib.request.urlopen('http://x')", 2, "reaches the network"),
    ("from http.client import HTTPSConnection\nHTTPSConnection('x')", 2, "reaches the network"),
    ("import socket\nsocket.socket()", 2, "reaches the network"),
    ("import pandas as pd\npd.read_csv('https://x/y.csv')", 2, "reaches the network"),
    ("import ctypes\nctypes.CDLL(None)", 2, "calls code outside Python"),
    ("eval('1 + 1')", 1, "runs code from a text"),
    ("exec(reply)", 1, "runs code from a text"),
    ("__import__('os').system('ls')", 1, "starts a program"),
    ("from importlib import import_module as m\nm('os').remove('x')", 2, "deletes files"),
    ("import pickle\npickle.load(f)", 2, "loads objects that can run code"),
    ("import os\ngetattr(os, 'sys' + 'tem')('ls')", 2, "passes on a module that can do more than compute"),
    ("vars(__builtins__)['eval']('1')", 1, "passes on a module that can do more than compute"),
    ("globals()['__builtins__']", 1, "reaches into Python's insides"),
    ("import sys\nsys.modules['os'].remove('x')", 2, "reaches into Python's insides"),
    ("().__class__.__base__.__subclasses__()", 1, "reaches into Python's insides"),
    ("from os import *", 1, "passes on a module that can do more than compute"),
    ("get_ipython().system('ls')", 1, "steers IPython"),
    ("x = 1\n!rm -rf /tmp/x", 2, "runs a shell line"),
    ("files = !ls", 1, "runs a shell line"),
    ("%%bash\nls", 1, "runs a shell line"),
    ("rm -rf x", 1, "runs a shell line"),
    ("%run other.py", 1, "uses a magic"),
    ("%%writefile x.py\n1", 1, "uses a magic"),
    ("%time open('x', 'w')", 1, "writes a file"),
    ("%%time\nx = 1\nopen('x', 'w')", 3, "writes a file"),
    ("def broken(:\n!ls", 2, "runs a shell line"),
]

HARMLESS = [
    "import re, json, collections, math, statistics, itertools\nre.compile('x').findall(context)",
    "from collections import Counter\nprint(Counter(context.split()).most_common(5))",
    "replies = llm_query_batched([f'Read {part}' for part in parts])\nprint(replies[0].replace('a', 'b'))",
    "answer['content'] = 'x'\nanswer['ready'] = True",
    "FINAL_VAR('table')",
    "import os\nprint(os.path.basename(context.source), os.getcwd(), os.sep)",
    "print(open('notes.txt').read(), open('notes.txt', 'rb').read())",
    "from pathlib import Path\nprint(Path('x').read_text(), sorted(Path('.').glob('*')))",
    "import pandas as pd\nprint(pd.read_csv('x.csv').to_string(), df.eval('a + b'))",
    "import io, json\nbuffer = io.StringIO()\nprint(json.dumps({'open': 'w'}))",
    "requests = []\nrequests.append('x')\nprint(requests)",
    "code = context[:10]\nprint(code.split())",
    "import urllib.parse\nprint(urllib.parse.quote('a b'))",
    "from http import HTTPStatus\nprint(HTTPStatus.OK)",
    "text = '''\n!ls\n%%bash\nos.remove(x)\n'''",
    "rm = 5\nprint(rm - 1)",
    "x = 5\\\n % 3",
    "%time sum(range(10))",
    "context?",
    "print(context[:100]\nthis does not parse",
    "",
]


@pytest.mark.parametrize(("code", "line", "why"), RISKY, ids=[code[:40] for code, *_ in RISKY])
def test_what_does_more_than_compute_is_named_with_its_line(code: str, line: int, why: str) -> None:
    found = risks(code)
    assert (line, why) in [(each["line"], each["why"]) for each in found]
    assert [each["line"] for each in found] == sorted(each["line"] for each in found)


@pytest.mark.parametrize("code", HARMLESS, ids=[code[:40] for code in HARMLESS])
def test_what_computes_is_not(code: str) -> None:
    assert risks(code) == []


def test_it_reads_as_a_sentence() -> None:
    code = "import os\n\nos.remove(\n    'a' + " + repr("b" * 100) + ")"
    assert [describe(each) for each in risks(code)] == [f"Line 3 deletes files: os.remove('a' + '{'b' * 42}…"]


def test_names_are_remembered_from_cell_to_cell() -> None:
    names: dict[str, str | None] = {}
    assert risks("from shutil import rmtree as r\nimport json as os", names) == []
    assert [each["why"] for each in risks("r('x')", names)] == ["deletes files"]
    assert risks("os.remove('x')", names) == [], "it is another module by that name"


def test_it_ends_whatever_it_is_given() -> None:
    assert len(risks("\n".join("eval('1')" for _ in range(500)))) == MOST
    deep = "x = " + "(" * 90 + "1" + ")" * 90 + "\n" + "not " * 3000 + "x"
    assert all(each["why"] == "is nested too deeply to be looked at" for each in risks(deep))
    assert risks("x = '\0'") == []
    assert risks("\n".join(["!ls " + "x" * 100_000] * 3))[0]["code"].endswith("…")


@pytest.mark.parametrize(
    "question",
    ['How many times does "green" occur?', "Who built the Heron?", "List all section headings.", "Summarise."],
)
async def test_cells_of_the_tutor_are_never_risky(question: str) -> None:
    run = await tutoring.ask(question, TEXT)
    cells = [found for reply in run.replies for found in re.findall(r"^```python\n(.*?)\n```$", reply, re.S | re.M)]
    assert cells
    assert [risks(code) for code in cells] == [[] for _ in cells]


def test_cells_of_scripted_models_are_flagged_only_where_they_act() -> None:
    """The cells of all tests: what is flagged there names a thing that acts."""
    acts = re.compile(
        r"os\.|open\(|subprocess|signal|sys\._|[!%]|socket|ctypes|exec|import_module|requests|__|_frame|threading"
    )
    for path in sorted(HERE.rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "cell" and node.args:
                code = getattr(node.args[0], "value", None)
                if isinstance(code, str) and risks(code) and path.name != "test_risk.py":
                    assert acts.search(code), (path.name, code, risks(code))
