"""Runs: the loop, the queries of cells, the budget, the control."""
