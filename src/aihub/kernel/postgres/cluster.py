"""The data folder: judged before use, created when there is none, its superuser's password restored."""

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from aihub.kernel.postgres.account import Account
from aihub.kernel.postgres.binaries import Binaries
from aihub.kernel.postgres.errors import ForeignData, InitFailed, MajorMismatch, NotPermitted, StartFailed
from aihub.kernel.postgres.files import sync_folder, write_file
from aihub.kernel.postgres.roles import SUPERUSER

_DRAFT = "data.new-"
_LOCALES = ("C.UTF-8", "C.utf8", "C")


def environment() -> dict[str, str]:
    """A server inherits nothing from its starter but where libraries are found."""
    kept = {name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ}
    return {"PATH": "/usr/bin:/bin", "LC_ALL": "C"} | kept


def is_new(data: Path) -> bool:
    """True for a missing or empty folder."""
    return not data.exists() or not any(data.iterdir())


def judge(data: Path, binaries: Binaries) -> None:
    """Raises ForeignData, MajorMismatch or NotPermitted; never changes anything."""
    if not data.is_dir():
        raise ForeignData(f"{data} is not a folder.")
    try:
        major = int((data / "PG_VERSION").read_text(encoding="ascii").strip())
    except PermissionError as exc:
        raise NotPermitted(
            f"{exc.filename} may not be read by this account.",
            remedy="Run the hub as an ordinary user: this root account may not read others' files.",
        ) from exc
    except (OSError, ValueError):
        raise ForeignData(f"{data} is not empty and has no readable PG_VERSION.") from None
    if major != binaries.major:
        raise MajorMismatch(
            f"{data} was written by PostgreSQL {major}; the installed one is {binaries.version}.",
            remedy=_upgrade_steps(data, major, binaries.major),
        )
    if not (data / "global" / "pg_control").is_file():
        raise ForeignData(f"{data} has no global/pg_control, so parts of the database are missing.")


def _upgrade_steps(data: Path, old: int, new: int) -> str:
    return (
        f"Nothing was changed. 1. Install the hub's earlier release (PostgreSQL {old}) and start it. "
        f"2. Write a dump with PostgreSQL {old}'s pg_dump in custom format and stop the hub. "
        f"3. Move {data} aside and keep it. 4. Install this release (PostgreSQL {new}), start it once, stop "
        f"it, and load the dump with pg_restore."
    )


def create(data: Path, account: Account, binaries: Binaries, password: str) -> None:
    """Make a new cluster beside `data` and move it into place when complete. Raises InitFailed."""
    for left_over in data.parent.glob(f"{_DRAFT}*"):
        shutil.rmtree(left_over, ignore_errors=True)
    draft = Path(tempfile.mkdtemp(prefix=_DRAFT, dir=data.parent))
    account.own(draft)
    password_file = data.parent / "initial-password"
    try:
        write_file(password_file, password + "\n", mode=0o400, uid=account.uid, gid=account.gid)
        for locale in _LOCALES:
            problem = _initdb(draft, account, binaries, password_file, locale)
            if problem is None:
                break
            # A C library without this locale; the next one differs only in upper and lower case.
            if "locale" not in problem or locale == _LOCALES[-1]:
                raise InitFailed(problem)
        draft.rename(data)
        sync_folder(data.parent)
    except OSError as exc:
        raise InitFailed(f"{exc.filename or 'The system'}: {exc.strerror}.") from exc
    finally:
        password_file.unlink(missing_ok=True)
        shutil.rmtree(draft, ignore_errors=True)


def _initdb(
    draft: Path, account: Account, binaries: Binaries, password_file: Path, locale: str
) -> str | None:
    """Run initdb; what it complained about, or None."""
    # Sorting is by code point everywhere and for ever, so no library upgrade can break an index. The
    # character type is UTF-8 all the same: full-text search lowers accented letters with it.
    result = _run(
        [
            str(binaries.program("initdb")),
            f"--pgdata={draft}",
            f"--username={SUPERUSER}",
            f"--pwfile={password_file}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale=C",
            f"--lc-ctype={locale}",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            "--data-checksums",
            "--no-instructions",
        ],
        account,
    )
    return None if result.returncode == 0 else (result.stderr or result.stdout).strip()[-2000:]


def command(binaries: Binaries, data: Path, configuration: Path, *mode: str) -> list[str]:
    """The command line of a server; processes are recognised by its -D."""
    program = str(binaries.program("postgres"))
    return [program, *mode, "-D", str(data), "-c", f"config_file={configuration}"]


def reset_superuser(
    data: Path, account: Account, binaries: Binaries, configuration: Path, secret: str
) -> None:
    """Give the superuser of a stopped cluster the password whose SCRAM verifier is `secret`.

    Raises StartFailed.
    """
    single = command(binaries, data, configuration, "--single")
    result = _run(
        [*single, "-c", "logging_collector=off", "postgres"],
        account,
        f"alter user {SUPERUSER} password '{secret}';\n",
    )
    if result.returncode != 0 or "ERROR" in result.stderr:
        raise StartFailed(f"The superuser's password could not be restored: {result.stderr.strip()[-1000:]}")


def _run(
    arguments: Sequence[str], account: Account, text: str | None = None
) -> subprocess.CompletedProcess[str]:
    # In a session of its own: Ctrl-C in the terminal reaches the hub, which then decides.
    with contextlib.ExitStack() as stack:
        process = stack.enter_context(
            subprocess.Popen(
                arguments,
                cwd="/",
                env=environment(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                errors="replace",
                start_new_session=True,
                user=account.user,
                group=account.group,
                extra_groups=account.extra_groups,
                umask=0o077,
            )
        )
        stack.callback(_end, process)
        out, err = process.communicate(text)
    return subprocess.CompletedProcess(arguments, process.returncode, out, err)


def _end(process: subprocess.Popen[str]) -> None:
    if process.poll() is None:
        process.terminate()
