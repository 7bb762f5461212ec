"""``python -m rlm_kernel`` is the command line."""

from __future__ import annotations

import sys

from rlm_kernel.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
