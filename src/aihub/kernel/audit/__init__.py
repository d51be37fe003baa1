"""Who did what: append-only and chained, so that a change to the past shows."""

from aihub.kernel.audit.filters import Filter
from aihub.kernel.audit.masking import veiled
from aihub.kernel.audit.service import LISTENERS, Deed, Line, Page, actions, erase, find, page, record
from aihub.kernel.audit.verification import Evidence, Verdict, verify

__all__ = [
    "LISTENERS", "Deed", "Evidence", "Filter", "Line", "Page", "Verdict", "actions", "erase",
    "find", "page", "record", "veiled", "verify",
]  # fmt: skip
