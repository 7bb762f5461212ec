"""Recursive language models in a Jupyter notebook."""
