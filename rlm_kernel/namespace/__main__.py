"""``python -m rlm_kernel.namespace CONNECTION LIFELINE CRASH``: started by the host, not by people."""

from rlm_kernel.namespace.main import main

main()
