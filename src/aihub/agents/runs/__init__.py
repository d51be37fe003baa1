"""Runs: the work on one answer, its stored events, and who follows them."""
