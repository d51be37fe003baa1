"""Where the server's things are in the hub's home, and who may enter them.

home/                     entered by the server's account, not listed
  secrets/                passwords, 0700, never given to the server's account
  logs/postgresql/        the server's own
  postgres/               configuration and locks, readable by the server's account
    data/                 the database, 0700, the server's own
    run/                  its socket; in a temporary folder when the home's path is too long
    18.6.3/               copied programs, only where the installed ones cannot be reached
"""

import contextlib
import os
import secrets
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from aihub.kernel.postgres.account import Account
from aihub.kernel.postgres.errors import HomeUnreachable, NotPermitted, PostgresError
from aihub.kernel.postgres.files import write_file

# sun_path holds 108 bytes, the last of them zero.
_SOCKET_PATH_BYTES = 107
_SOCKET_NAME = "/.s.PGSQL.5432"
_SHORT_PLACES = ("/tmp", "/var/tmp", "/dev/shm")  # noqa: S108 - private folders are made inside


@dataclass(frozen=True, slots=True)
class Layout:
    """Paths only; nothing is created by asking."""

    home: Path

    @property
    def base(self) -> Path:
        return self.home / "postgres"

    @property
    def data(self) -> Path:
        return self.base / "data"

    @property
    def secrets(self) -> Path:
        return self.home / "secrets"

    @property
    def logs(self) -> Path:
        return self.home / "logs" / "postgresql"

    @property
    def configuration(self) -> Path:
        return self.base / "postgresql.conf"

    @property
    def hba(self) -> Path:
        return self.base / "pg_hba.conf"

    @property
    def custom(self) -> Path:
        return self.base / "custom.conf"

    @property
    def start_log(self) -> Path:
        return self.base / "start.log"

    @property
    def start_lock(self) -> Path:
        return self.base / "start.lock"

    @property
    def usage_lock(self) -> Path:
        return self.base / "usage.lock"

    def create_base(self, account: Account) -> None:
        """Create the home and the folder of the lock. Raises HomeUnreachable, NotPermitted."""
        self._require_way(account, self.home.parent)
        with _reported():
            for folder in reversed([each for each in self.home.parents if not each.exists()]):
                folder.mkdir(mode=0o755, exist_ok=True)
                if account.switch:
                    folder.chmod(0o755)
            for folder in (self.home, self.base):
                folder.mkdir(mode=0o700, exist_ok=True)

    def prepare(self, account: Account) -> None:
        """Under the lock: give every folder its owner and mode. Raises HomeUnreachable, NotPermitted."""
        with _reported():
            keeper = self.home.stat()
            logs = self.logs.parent
            logs.mkdir(mode=0o700, exist_ok=True)
            if os.geteuid() == 0 and keeper.st_uid != 0:
                os.chown(logs, keeper.st_uid, keeper.st_gid, follow_symlinks=False)
            for folder in (self.home, logs):
                _let_through(folder, account)
            _folder(self.base, 0o710 if account.switch else 0o700, keeper.st_uid, account.gid)
            _folder(self.secrets, 0o700, keeper.st_uid, keeper.st_gid)
            _folder(self.logs, 0o700, account.uid, account.gid)
        for folder in (self.base, self.logs):
            self._require_way(account, folder)

    def _require_way(self, account: Account, folder: Path) -> None:
        barrier = account.barrier(folder)
        if barrier is not None:
            raise HomeUnreachable(
                f"The server runs as the user with id {account.uid}, who may not enter {barrier}."
            )

    def password(self, role: str) -> str | None:
        """The stored password of a database role, None when there is none. Raises NotPermitted."""
        path = self.secrets / f"postgres_{role}"
        try:
            return path.read_text(encoding="ascii").strip() or None
        except (FileNotFoundError, UnicodeDecodeError):
            return None
        except PermissionError as exc:
            raise NotPermitted(f"{path} may not be read by this account.") from exc

    def make_password(self, role: str) -> str:
        """The stored password of a database role, made and stored when there is none."""
        value = self.password(role)
        if value is None:
            value = secrets.token_urlsafe(32)
            keeper = self.secrets.stat()
            path = self.secrets / f"postgres_{role}"
            write_file(path, value + "\n", mode=0o600, uid=keeper.st_uid, gid=keeper.st_gid)
        return value

    def forget_socket_folder(self, folder: Path) -> None:
        """Remove the temporary folder of a stopped server's socket; the next start makes it again."""
        if folder.is_relative_to(self.home):
            return
        with contextlib.suppress(OSError):
            folder.rmdir()

    def socket_folder(self, account: Account) -> Path:
        """A private folder for the socket whose path is short enough; the same one at every start."""
        own = self.base / "run"
        if len(os.fsencode(own)) + len(_SOCKET_NAME) <= _SOCKET_PATH_BYTES and not set(str(own)) & set(',"'):
            _folder(own, 0o700, account.uid, account.gid)
            return own
        note = self.base / "socket-folder"
        recorded = Path(note.read_text(encoding="utf-8").strip()) if note.exists() else None
        if recorded is not None and _private_folder(recorded, account):
            return recorded
        for place in map(Path, _SHORT_PLACES):
            folder = place / f"aihub-{secrets.token_hex(6)}"
            if os.access(place, os.W_OK) and _private_folder(folder, account):
                keeper = self.base.stat()
                write_file(note, f"{folder}\n", mode=0o600, uid=keeper.st_uid, gid=keeper.st_gid)
                return folder
        raise PostgresError(
            f"The path of {own} is too long for a socket and no temporary folder can be written.",
            remedy="Set AIHUB_HOME to a shorter path.",
        )


_HOME_REMEDY = "Set AIHUB_HOME to a folder that can be created and written."


@contextlib.contextmanager
def _reported() -> Iterator[None]:
    try:
        yield
    except PermissionError as exc:
        raise NotPermitted(f"{exc.filename} may not be written by this account.") from exc
    except OSError as exc:
        raise PostgresError(f"{exc.filename}: {exc.strerror}.", remedy=_HOME_REMEDY) from exc


def _let_through(folder: Path, account: Account) -> None:
    """Let the server's account pass through a folder of root's in the home, without listing it."""
    facts = folder.stat()
    if account.barrier(folder) == folder.resolve() and facts.st_uid == 0 == facts.st_gid:
        folder.chmod(stat.S_IMODE(facts.st_mode) & ~0o070)
        os.chown(folder, 0, account.gid)
        folder.chmod((stat.S_IMODE(facts.st_mode) & ~0o070) | 0o010)


def _folder(path: Path, mode: int, uid: int, gid: int) -> None:
    """A folder of the server's own with this owner and mode, whatever was cut off before."""
    with contextlib.suppress(FileExistsError):
        path.mkdir(mode=0o700)
    facts = path.lstat()
    if stat.S_ISDIR(facts.st_mode) and stat.S_IMODE(facts.st_mode) != mode:
        path.chmod(mode)
    if os.geteuid() == 0 and (facts.st_uid, facts.st_gid) != (uid, gid):
        os.chown(path, uid, gid, follow_symlinks=False)


def _private_folder(path: Path, account: Account) -> bool:
    """Whether `path` is, or could be made, a folder that only the account may enter."""
    try:
        if not os.path.lexists(path):
            path.mkdir(mode=0o700)
            account.own(path)
        facts = path.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(facts.st_mode) and facts.st_uid == account.uid and not facts.st_mode & 0o077
