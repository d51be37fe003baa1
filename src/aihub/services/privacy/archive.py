"""The file of an export: written row by row, so that memory stays flat however much there is."""

import asyncio
import os
import time
import zipfile
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from html import escape
from pathlib import Path
from typing import IO
from uuid import UUID

import orjson

from aihub.kernel.db import Work
from aihub.kernel.privacy import Original, PersonalData, Sheet, Subject

FOLDER = "exports"
_CHUNK = 256 * 1024
_TELL_EVERY = 0.5
FORMAT = "aihub.export"
VERSION = 1

Progress = Callable[[int], Awaitable[None]]


def folder(home: Path) -> Path:
    """Where the files of exports lie; nobody but the hub's account looks into it."""
    place = home / FOLDER
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    return place


def path_of(home: Path, export_id: UUID, secret: str) -> Path:
    """The file of an export. Its name cannot be guessed."""
    return folder(home) / f"{export_id}.{secret}.zip"


def remove_files(home: Path, export_id: UUID) -> None:
    """Delete whatever lies there of an export, half-written files too."""
    for file in folder(home).glob(f"{export_id}.*"):
        file.unlink(missing_ok=True)


def export_ids(home: Path) -> set[UUID]:
    """The exports of which files lie there."""
    found = set()
    for file in folder(home).iterdir():
        try:
            found.add(UUID(file.name.partition(".")[0]))
        except ValueError:
            continue
    return found


async def write(
    work: Work,
    subject: Subject,
    data: Sequence[PersonalData],
    target: Path,
    *,
    now: datetime,
    progress: Progress | None = None,
) -> tuple[int, int]:
    """Write everything about the person to `target`, complete or not at all; how many rows and bytes.

    `work` should see the person's own rows only. The file can be read by the hub's account alone.
    """
    half = target.with_name(target.name + ".part")
    half.unlink(missing_ok=True)
    handle = await asyncio.to_thread(_create, half)
    try:
        with handle, zipfile.ZipFile(handle, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
            writer = _Writer(archive, now, progress)
            for kind in data:
                await writer.add(work, subject, kind)
            await writer.close()
            rows = writer.rows
        size = await asyncio.to_thread(_settle, half, target)
    except BaseException:
        half.unlink(missing_ok=True)
        raise
    return rows, size


class _Writer:
    def __init__(self, archive: zipfile.ZipFile, now: datetime, progress: Progress | None) -> None:
        self._archive, self._now, self._progress = archive, now, progress
        self._files: list[tuple[str, str, int, Mapping[str, str]]] = []
        self._names: set[str] = set()
        self.rows = 0
        self._told = 0.0

    async def add(self, work: Work, subject: Subject, kind: PersonalData) -> None:
        async for piece in kind.export(work, subject):
            if isinstance(piece, Sheet):
                rows = await self._sheet(piece, kind)
                self._files.append((piece.name, kind.title, rows, kind.withheld or {}))
            else:
                await self._original(piece)

    async def _sheet(self, sheet: Sheet, kind: PersonalData) -> int:
        head = orjson.dumps({"format": FORMAT, "version": VERSION, "data": kind.name, "title": kind.title})
        rows = 0
        with self._open(sheet.name) as file:
            buffer = bytearray(head[:-1] + b',"rows":[')
            async for row in sheet.rows:
                buffer += (b",\n" if rows else b"\n") + orjson.dumps(row, default=str)
                rows += 1
                if len(buffer) >= _CHUNK:
                    await asyncio.to_thread(file.write, bytes(buffer))
                    buffer.clear()
                    await self._tell(rows)
            buffer += b"\n]}\n"
            await asyncio.to_thread(file.write, bytes(buffer))
        self.rows += rows
        await self._tell(0)
        return rows

    async def _original(self, piece: Original) -> None:
        with self._open(piece.name) as file:
            for start in range(0, len(piece.content), _CHUNK):
                await asyncio.to_thread(file.write, piece.content[start : start + _CHUNK])

    async def close(self) -> None:
        """The page that says what each file is, and the same for programs."""
        listed = [
            {"file": name, "title": title, "rows": rows, "withheld": dict(withheld)}
            for name, title, rows, withheld in self._files
        ]
        about = {"format": FORMAT, "version": VERSION, "made_at": self._now, "files": listed}
        for name, content in (
            ("README.html", readme(self._now, self._files).encode()),
            ("index.json", orjson.dumps(about, option=orjson.OPT_INDENT_2 | orjson.OPT_UTC_Z)),
        ):
            with self._open(name) as file:
                await asyncio.to_thread(file.write, content)

    def _open(self, name: str) -> IO[bytes]:
        if name in self._names:
            raise ValueError(f"two files of an export are named {name}")
        self._names.add(name)
        info = zipfile.ZipInfo(name, self._now.timetuple()[:6])
        info.compress_type = zipfile.ZIP_DEFLATED
        info.external_attr = 0o600 << 16
        return self._archive.open(info, "w", force_zip64=True)

    async def _tell(self, more: int) -> None:
        if self._progress is not None and time.monotonic() - self._told > _TELL_EVERY:
            self._told = time.monotonic()
            await self._progress(self.rows + more)


def readme(now: datetime, files: Sequence[tuple[str, str, int, Mapping[str, str]]]) -> str:
    """What each file of the archive is, as a page that any browser shows."""
    lines = "".join(
        f"<tr><td><a href='{escape(name)}'>{escape(name)}</a></td><td>{escape(title)}</td>"
        f"<td class=n>{rows}</td><td>{escape(_left_out(withheld))}</td></tr>"
        for name, title, rows, withheld in files
    )
    return (
        "<!doctype html><html lang=en><meta charset=utf-8><title>Your data</title><style>"
        "body{font:15px/1.5 system-ui,sans-serif;max-width:960px;margin:32px auto;padding:0 16px;"
        "color-scheme:light dark}table{border-collapse:collapse;width:100%}"
        "td,th{text-align:left;vertical-align:top;padding:6px 10px;border-bottom:1px solid #8884}"
        ".n{text-align:right}</style>"
        "<h1>Your data</h1>"
        f"<p>Everything this hub holds about you, as of {now:%Y-%m-%d %H:%M} UTC.</p>"
        "<p>Files under <code>data/</code> are JSON in UTF-8: an object with <code>format</code>, "
        "<code>data</code>, <code>title</code> and <code>rows</code>. Times are ISO 8601 in UTC, amounts of "
        "credits are decimal strings, bytes are base64. Files you attached to messages lie under "
        "<code>attachments/</code> as you gave them. <code>index.json</code> is this list for programs.</p>"
        "<table><tr><th>File</th><th>What it is</th><th class=n>Rows</th><th>Left out, and why</th></tr>"
        f"{lines}</table></html>\n"
    )


def _left_out(withheld: Mapping[str, str]) -> str:
    return "; ".join(f"{column}: {why}" for column, why in withheld.items())


def _create(path: Path) -> IO[bytes]:
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")


def _settle(half: Path, target: Path) -> int:
    with half.open("rb") as file:
        os.fsync(file.fileno())
        size = os.fstat(file.fileno()).st_size
    half.rename(target)
    return size
