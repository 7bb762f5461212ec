"""Run as a program with the path of a file: writes its content as HTML, in JSON, on standard output."""

from __future__ import annotations

import json
import sys


def main(path: str) -> None:
    """Read the file; an error is an answer too."""
    import kreuzberg  # type: ignore[import-not-found, import-untyped, unused-ignore]

    config = kreuzberg.ExtractionConfig(output_format="html", use_cache=False)
    try:
        answer = {"html": kreuzberg.extract_file_sync(path, config=config).content}
    except kreuzberg.KreuzbergError as error:
        answer = {"error": str(error).replace(path, "the file")}
    sys.stdout.write(json.dumps(answer))


if __name__ == "__main__":
    main(sys.argv[1])
