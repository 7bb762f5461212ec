"""``python -m rlm_kernel.kernel -f CONNECTION_FILE``: start the kernel."""

from __future__ import annotations

import sys


def main() -> None:
    """Start the kernel and serve until it is shut down."""
    # jsonschema imports it to check IRIs, which nobody here does: more than a second, in the middle of a cell.
    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
    from rlm_kernel.kernel.app import RlmKernelApp

    RlmKernelApp.launch_instance()


if __name__ == "__main__":
    main()
