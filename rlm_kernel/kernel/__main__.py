"""``python -m rlm_kernel.kernel -f CONNECTION_FILE``: start the kernel."""

from __future__ import annotations


def main() -> None:
    """Start the kernel and serve until it is shut down."""
    from rlm_kernel.kernel.app import RlmKernelApp

    RlmKernelApp.launch_instance()


if __name__ == "__main__":
    main()
