"""The audit log as a file for other programs: JSON lines, or CSV that is safe to open in a spreadsheet."""

import csv
import io
from collections.abc import AsyncIterator, Sequence
from dataclasses import asdict
from typing import Literal

import orjson

from aihub.kernel.audit import queries
from aihub.kernel.audit.filters import Filter
from aihub.kernel.audit.service import Line, line
from aihub.kernel.db import Database, system

Format = Literal["csv", "jsonl"]
MEDIA_TYPES: dict[Format, str] = {"csv": "text/csv; charset=utf-8", "jsonl": "application/jsonl"}
_CHUNK = 1_000
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


async def exported(
    database: Database, chosen: Filter, file_format: Format, *, upto: int
) -> AsyncIterator[bytes]:
    """The entries up to number `upto`, newest first, a piece at a time. No connection is held in between."""
    if file_format == "csv":
        yield _rows([list(Line.__dataclass_fields__)])
    before: int | None = upto + 1
    while before is not None:
        async with database.work(system("export the audit trail")) as work:
            rows = await queries.page(work, before=before, limit=_CHUNK, chosen=chosen)
        if rows:
            lines = [line(row.entry) for row in rows]
            yield _as_csv(lines) if file_format == "csv" else _as_jsonl(lines)
        before = rows[-1].entry.seq if len(rows) == _CHUNK else None


def _as_jsonl(lines: Sequence[Line]) -> bytes:
    return b"".join(orjson.dumps(one) + b"\n" for one in lines)


def _as_csv(lines: Sequence[Line]) -> bytes:
    return _rows([[_cell(value) for value in asdict(one).values()] for one in lines])


def _rows(rows: Sequence[Sequence[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL).writerows(rows)
    return text.getvalue().encode()


def _cell(value: object) -> str:
    """A text that no spreadsheet takes for a formula."""
    if value is None:
        return ""
    shown = orjson.dumps(value).decode() if isinstance(value, dict) else str(value)
    return f"'{shown}" if shown.startswith(_FORMULA) else shown
