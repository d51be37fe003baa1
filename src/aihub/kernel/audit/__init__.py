"""Who did what: append-only and chained, so that a change to the past shows."""

from aihub.kernel.audit.service import Line, Page, Verdict, page, record, verify

__all__ = ["Line", "Page", "Verdict", "page", "record", "verify"]
