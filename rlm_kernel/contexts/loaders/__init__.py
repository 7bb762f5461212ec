"""Loaders: one module for each family of formats. Each gives a `Document` for a `Source`."""
