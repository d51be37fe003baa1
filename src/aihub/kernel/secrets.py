"""The two secrets everything else rests on: configured, or generated once into the hub's home.

The master key wraps data keys; the session secret signs. Both are files of mode 0600 in
`<home>/secrets` (mode 0700) unless ENCRYPTION_KEY and SESSION_SECRET say otherwise.
"""

import base64
import binascii
import contextlib
import os
import re
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from aihub.kernel.config import KernelSettings
from aihub.kernel.errors import AihubError
from aihub.kernel.settings import too_open

SHORTEST_PASSPHRASE = 20
SHORTEST_SESSION_SECRET = 32


class SecretFileOpen(AihubError):
    code = "secrets.file_open"
    title = "A file with secrets can be read by other accounts"
    remedy = "Run the chmod command named in the detail, then start again."


class SecretFileUnusable(AihubError):
    code = "secrets.file_unusable"
    title = "A file with secrets cannot be used"
    remedy = "Start as the account that owns it, or restore it from a backup: without it sealed data is lost."


class WeakSecret(AihubError):
    code = "secrets.weak"
    title = "A configured secret is too weak"
    remedy = "Generate one with: openssl rand -base64 32 (ENCRYPTION_KEY) or 64 (SESSION_SECRET)."


@dataclass(frozen=True, slots=True)
class MasterKey:
    """One configured master key: 32 random bytes, or a passphrase that still has to be stretched."""

    material: bytes = field(repr=False)
    passphrase: bool
    source: str


@dataclass(frozen=True, slots=True)
class Secrets:
    """What this process was given: the master key, older ones for rotation, and the signing secret."""

    master: MasterKey
    previous: tuple[MasterKey, ...]
    session: bytes = field(repr=False)


class SecretFileMissing(SecretFileUnusable):
    code = "secrets.file_missing"
    title = "A file with secrets is not there yet"
    remedy = "The first start makes it; if this hub has data already, restore the file from a backup."


def load_secrets(settings: KernelSettings, *, make: bool = True) -> Secrets:
    """Read or, at the first start, generate the secrets; without `make`, only read them.

    Raises WeakSecret, SecretFileOpen, SecretFileUnusable or SecretFileMissing.
    """
    folder = settings.home / "secrets"
    if settings.encryption_key:
        master = parse_master_key(settings.encryption_key, "ENCRYPTION_KEY")
    else:
        master = MasterKey(_kept(folder, "master.key", 32, make), passphrase=False, source="home")
    previous = tuple(
        parse_master_key(text, "AIHUB_PREVIOUS_ENCRYPTION_KEYS") for text in settings.previous_encryption_keys
    )
    if settings.session_secret:
        session = settings.session_secret.encode()
        if len(session) < SHORTEST_SESSION_SECRET or len(set(session)) < 8:
            raise WeakSecret(f"SESSION_SECRET needs at least {SHORTEST_SESSION_SECRET} random characters.")
    else:
        session = _kept(folder, "session.key", 64, make)
    return Secrets(master, previous, session)


def kept_secret(settings: KernelSettings, name: str, nbytes: int) -> bytes:
    """A secret of this hub's home, generated once. Raises SecretFileOpen or SecretFileUnusable."""
    return _kept(settings.home / "secrets", f"{name}.key", nbytes, make=True)


def parse_master_key(text: str, source: str) -> MasterKey:
    """64 hex digits or base64 of 32 bytes; anything else is a passphrase. Raises WeakSecret."""
    text = text.strip()
    raw = _decode(text)
    if raw is not None:
        if len(set(raw)) < 8:
            raise WeakSecret(f"{source} is not random: it repeats the same few bytes.")
        return MasterKey(raw, passphrase=False, source=source)
    if len(text) < SHORTEST_PASSPHRASE or len(set(text)) < 8:
        raise WeakSecret(
            f"{source} is neither 32 random bytes (base64 or 64 hex digits) nor a passphrase of at least "
            f"{SHORTEST_PASSPHRASE} characters, 8 of them different."
        )
    return MasterKey(text.encode(), passphrase=True, source=source)


def _decode(text: str) -> bytes | None:
    if re.fullmatch(r"[0-9a-fA-F]{64}", text):
        return bytes.fromhex(text)
    if re.fullmatch(r"[A-Za-z0-9+/_-]{43}=?", text):
        standard = text.rstrip("=").replace("-", "+").replace("_", "/") + "="
        with contextlib.suppress(binascii.Error):
            return base64.b64decode(standard, validate=True)
    return None


def _kept(folder: Path, name: str, nbytes: int, make: bool) -> bytes:
    path = folder / name
    try:
        if not path.exists():
            if not make:
                raise SecretFileMissing(f"{path} does not exist.")
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            _create(path, base64.b64encode(secrets.token_bytes(nbytes)) + b"\n")
        for place, mode in ((folder, "700"), (path, "600")):
            if too_open(place):
                raise SecretFileOpen(f"{place} is open to other accounts: chmod {mode} '{place}'")
        value = base64.b64decode(path.read_bytes().strip(), validate=True)
    except binascii.Error as exc:
        raise SecretFileUnusable(f"{path} is damaged.") from exc
    except OSError as exc:
        raise SecretFileUnusable(f"{path}: {exc.strerror}.") from exc
    if len(value) != nbytes:
        raise SecretFileUnusable(f"{path} holds {len(value)} bytes instead of {nbytes}.")
    return value


def _create(path: Path, content: bytes) -> None:
    """Write the file whole or not at all; the first of two processes wins."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)
        except FileExistsError:
            return
        except OSError:  # a file system without hard links
            draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
