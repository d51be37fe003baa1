"""The GGUF files people bring: listed, taken in from the network, removed. Contents are never held in memory.

What is uploaded goes to a hidden name first and gets its own only when it is complete, so that nobody
ever sees half a model.
"""

import asyncio
import os
import shutil
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from aihub.kernel.errors import BadRequest, Conflict, InvalidRequest, NotFound, Unavailable
from aihub.kernel.ids import new_id
from aihub.services.gateway.adapters.embedded import choice

NAME = r"^[A-Za-z0-9][A-Za-z0-9 ._()+-]{0,121}\.gguf$"
"""What an uploaded file may be called: no part of a path, nothing hidden, 128 characters at most."""

_PIECE = 4 << 20
_ROOM_LEFT = 256 << 20  # stays free, for the database on the same disk
_ABANDONED = 3600.0  # seconds without growth after which a process was killed in the middle
_PART = ".upload-"


class NotGguf(InvalidRequest):
    code = "embedded.not_gguf"
    title = "This is not a GGUF file"
    remedy = "Choose a chat model in the GGUF format; such a file begins with the four letters GGUF."


class NoRoomForFile(Unavailable):
    code = "embedded.no_room"
    title = "There is not enough disk space for the model file"
    remedy = "Free the space named in the detail, or move AIHUB_HOME to a larger disk."


class FolderUnwritable(Unavailable):
    code = "embedded.folder_unwritable"
    title = "The folder of the model files cannot be changed"
    remedy = "Let the hub's account write in AIHUB_HOME/models, or put the file there by hand."


class FileExists(Conflict):
    code = "embedded.file_exists"
    title = "There is a file with this name"
    remedy = "Give the file another name, or remove the one that is there."


class FileInUse(Conflict):
    code = "embedded.file_in_use"
    title = "This file is the model that runs"
    remedy = "Choose another file or the demonstration model first."


class FileNotFound(NotFound):
    code = "embedded.file_not_found"
    title = "There is no such model file"
    remedy = "Choose one of the files that are listed, or upload it."


class UploadCut(BadRequest):
    code = "embedded.upload_cut"
    title = "The file did not arrive completely"
    remedy = "Send it again; nothing of it was kept."


@dataclass(frozen=True, slots=True)
class ModelFile:
    """`size` is in bytes; `valid` says that it begins as GGUF files do."""

    name: str
    size: int
    valid: bool


def found(home: Path) -> list[ModelFile]:
    """The files in the folder, by name. Blocks."""
    return [_seen(path) for path in choice.files(home)]


def named(home: Path, name: str) -> Path:
    """The file of this name. Only names that are listed are looked up. Raises FileNotFound. Blocks."""
    path = next((path for path in choice.files(home) if path.name == name), None)
    if path is None:
        raise FileNotFound(f"The folder {choice.folder(home)} has no such file.")
    return path


def free_space(home: Path) -> int:
    """Bytes an upload may take at most. Blocks."""
    folder = choice.folder(home)
    while not folder.exists():
        folder = folder.parent
    return max(0, shutil.disk_usage(folder).free - _ROOM_LEFT)


class Upload:
    """One file on its way in. Use as a context: what was not kept is gone at its end."""

    def __init__(self, home: Path, name: str) -> None:
        self._home = home
        self._folder = choice.folder(home)
        self._target = self._folder / name
        self._part = self._folder / f"{_PART}{new_id()}"
        self._stream: BinaryIO | None = None
        self.size = 0

    async def __aenter__(self) -> "Upload":
        await asyncio.to_thread(self._open)
        return self

    async def __aexit__(self, *_exc: object) -> None:
        # Not awaited in a thread: it must also happen to a task that is being cancelled.
        if self._stream is not None:
            self._stream.close()
        self._part.unlink(missing_ok=True)

    def _open(self) -> None:
        with writing(self._folder):
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            sweep(self._home)
            if self._target.exists():
                raise FileExists(f"{self._target.name} is there already.")
            descriptor = os.open(self._part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        self._stream = os.fdopen(descriptor, "wb", buffering=0)

    async def receive(self, chunks: AsyncIterator[bytes], declared: int | None) -> None:
        """Write the chunks to the disk. `declared` is the size that was announced, in bytes.

        Raises NotGguf, NoRoomForFile and UploadCut.
        """
        if declared is not None:
            await self._room(declared)
        gathered = bytearray()
        async for chunk in chunks:
            gathered += chunk
            if self.size == 0 and len(gathered) >= len(choice.MAGIC):
                _begins_as_gguf(gathered)
            if len(gathered) >= _PIECE:
                await self._write(gathered)
                gathered = bytearray()
        if self.size == 0:
            _begins_as_gguf(gathered)
        await self._write(gathered)
        if declared is not None and self.size != declared:
            raise UploadCut(f"{self.size} of {declared} bytes arrived.")
        await asyncio.to_thread(os.fsync, self._opened.fileno())

    def keep(self) -> ModelFile:
        """Give the file its name. Raises FileExists. Blocks."""
        try:
            os.link(self._part, self._target)  # unlike a renaming, never in the place of another file
        except FileExistsError as exc:
            raise FileExists(f"{self._target.name} is there already.") from exc
        except OSError:  # a file system without links
            if self._target.exists():
                raise FileExists(f"{self._target.name} is there already.") from None
            self._part.rename(self._target)
        return ModelFile(self._target.name, self.size, True)

    def withdraw(self) -> None:
        """Take back what `keep` did. Blocks."""
        self._target.unlink(missing_ok=True)

    @property
    def _opened(self) -> BinaryIO:
        if self._stream is None:
            raise RuntimeError("the upload was not opened")
        return self._stream

    async def _room(self, needed: int) -> None:
        free = await asyncio.to_thread(free_space, self._home)
        if needed > free:
            raise NoRoomForFile(f"The file needs {needed >> 20} MB more; {free >> 20} MB can be used.")

    async def _write(self, piece: bytearray) -> None:
        await self._room(len(piece))
        writing = asyncio.ensure_future(asyncio.to_thread(_write_all, self._opened, piece))
        try:
            await asyncio.shield(writing)
        except asyncio.CancelledError:
            await asyncio.gather(writing, return_exceptions=True)  # before the file is closed
            raise
        except OSError as exc:
            raise NoRoomForFile(f"The file cannot be written: {exc.strerror}.") from exc
        self.size += len(piece)


def remove(path: Path) -> None:
    """Remove a file. Raises FolderUnwritable. Blocks."""
    with writing(path.parent):
        path.unlink(missing_ok=True)


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Turn what the operating system says about changing the folder into FolderUnwritable."""
    try:
        yield
    except OSError as exc:
        raise FolderUnwritable(f"{folder}: {exc.strerror}.") from exc


def sweep(home: Path) -> None:
    """Remove what a process that was killed left of its uploads. Blocks."""
    for part in choice.folder(home).glob(f"{_PART}*"):
        try:
            if time.time() - part.stat().st_mtime > _ABANDONED:
                part.unlink()
        except FileNotFoundError:
            continue


def _write_all(stream: BinaryIO, piece: bytearray) -> None:
    rest = memoryview(piece)
    while rest:
        rest = rest[stream.write(rest) :]


def _begins_as_gguf(start: bytearray) -> None:
    if not start.startswith(choice.MAGIC):
        raise NotGguf()


def _seen(path: Path) -> ModelFile:
    try:
        return ModelFile(path.name, path.stat().st_size, choice.is_gguf(path))
    except OSError:  # it vanished, or may not be read
        return ModelFile(path.name, 0, False)
