"""Benchmarks of long contexts with provable answers: made from a seed, scored by rule."""
