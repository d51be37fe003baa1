"""Signals about the hub itself: logs, metrics, and the facts of the request at hand."""
