"""Notebook files: written from a run, run without a page."""
