"""``python -m rlm_kernel`` and ``rlm-kernel`` are the command line."""

from __future__ import annotations

import sys

INTERRUPTED = 130


def main() -> int:
    """Run the command line; an interrupt is told in one line, also while its modules are still read."""
    # jsonschema imports it to check IRIs, which nobody here does; its grammar takes more than a second to compile.
    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
    try:
        from rlm_kernel.cli.main import main as run

        return run()
    except KeyboardInterrupt:
        sys.stderr.write("rlm-kernel: interrupted.\n")
        return INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
