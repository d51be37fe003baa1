"""Which operating-system account runs the server, and what it can reach.

PostgreSQL refuses to run as root. Started by root, the hub lends it an account that already exists;
it never creates one and never opens a folder above its home.
"""

import os
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path

from aihub.kernel.postgres.errors import ForeignData, NoAccount, NotPermitted

_CANDIDATES = ("aihub", "postgres", "nobody")


@dataclass(frozen=True, slots=True)
class Account:
    """The user and group of the server. `switch` is true when a root process must change to it."""

    uid: int
    gid: int
    switch: bool

    @property
    def user(self) -> int | None:
        """For subprocess: the user to become, None to stay."""
        return self.uid if self.switch else None

    @property
    def group(self) -> int | None:
        return self.gid if self.switch else None

    @property
    def extra_groups(self) -> list[int] | None:
        return [] if self.switch else None

    def own(self, path: Path) -> None:
        """Give `path` to the account; nothing to do when it is ours anyway."""
        if self.switch:
            os.chown(path, self.uid, self.gid, follow_symlinks=False)

    def barrier(self, path: Path) -> Path | None:
        """The highest folder on the way to `path`, itself included, that the account may not enter."""
        path = path.resolve()
        for folder in (*reversed(path.parents), path):
            try:
                facts = folder.stat()
            except FileNotFoundError:
                return None
            if facts.st_uid == self.uid:
                allowed = facts.st_mode & stat.S_IXUSR
            elif facts.st_gid == self.gid:
                allowed = facts.st_mode & stat.S_IXGRP
            else:
                allowed = facts.st_mode & stat.S_IXOTH
            if not allowed:
                return folder
        return None


def choose(home: Path, data: Path) -> Account:
    """The account for this data folder: ours, or for root the owner of the data or of the home, else
    the first that exists of aihub, postgres, nobody.

    Raises NotPermitted, ForeignData or NoAccount.
    """
    me = os.geteuid()
    try:
        used = data.exists() and any(data.iterdir())
        owner = data.stat() if used else None
    except PermissionError as exc:
        raise NotPermitted(f"{data} may not be read by this account.") from exc
    except NotADirectoryError as exc:
        raise ForeignData(f"{data} is not a folder.") from exc
    if me != 0:
        if owner is not None and owner.st_uid != me:
            raise NotPermitted(f"{data} belongs to the user with id {owner.st_uid}, not to you (id {me}).")
        return Account(me, os.getegid(), switch=False)
    if owner is not None and owner.st_uid == 0:
        raise ForeignData(f"{data} belongs to root, and PostgreSQL refuses to run as root.")
    keeper = owner or (home.stat() if home.exists() else None)
    if keeper is not None and keeper.st_uid != 0:
        return Account(keeper.st_uid, keeper.st_gid, switch=True)
    for name in _CANDIDATES:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        if entry.pw_uid != 0:
            return Account(entry.pw_uid, entry.pw_gid, switch=True)
    raise NoAccount()
