"""Writing files that root and an unprivileged account share, without following anyone's links."""

import os
import secrets
from pathlib import Path
from typing import BinaryIO


def write_file(path: Path, text: str, *, mode: int, uid: int, gid: int) -> None:
    """Replace `path` atomically and durably by a file with exactly this mode and owner."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            # The mode first: a root process in a container may be forbidden to change what it gave away.
            os.fchmod(file.fileno(), mode)
            if os.geteuid() == 0:
                os.fchown(file.fileno(), uid, gid)
            os.fsync(file.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def new_log(path: Path) -> BinaryIO:
    """An empty file for a child's output, in place of an old one, kept by the folder's owner."""
    path.unlink(missing_ok=True)
    file = path.open("xb")
    os.fchmod(file.fileno(), 0o600)
    if os.geteuid() == 0:
        folder = path.parent.stat()
        os.fchown(file.fileno(), folder.st_uid, folder.st_gid)
    return file


def sync_folder(path: Path) -> None:
    """Make a rename or a new entry in `path` survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def tail(path: Path, lines: int = 15) -> str:
    """The last lines of a text file, empty when it cannot be read."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - 8192))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return ""
    return "\n".join(text.strip().splitlines()[-lines:])
