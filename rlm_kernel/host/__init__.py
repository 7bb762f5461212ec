"""The trusted side of a namespace process; nothing of Jupyter."""
