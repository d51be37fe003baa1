"""What may leave privacy: shapes and errors."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from aihub.kernel.errors import AihubError, Conflict, InvalidRequest, NotFound

ExportStatus = Literal["waiting", "running", "ready", "failed"]
Stage = Literal["waiting", "erasing", "done", "cancelled"]
Way = Literal["self", "administrator", "operator"]


@dataclass(frozen=True, slots=True)
class Holding:
    """One kind of what the hub holds about a person, in words."""

    name: str
    title: str
    count: int
    kept: str
    """Why it stays when the account is erased; empty when it goes."""
    anonymous: str


@dataclass(frozen=True, slots=True)
class DataExport:
    """An export of somebody's data. `done` and `total` are rows."""

    id: UUID
    owner_id: UUID
    status: ExportStatus
    done: int
    total: int
    size: int | None
    error: str | None
    created_at: datetime
    finished_at: datetime | None
    expires_at: datetime | None
    by_administrator: bool


@dataclass(frozen=True, slots=True)
class Deletion:
    """A deletion that was asked for. Its id is the pseudonym under which what must be kept is kept."""

    id: UUID
    owner_id: UUID | None
    way: Way
    reason: str
    stage: Stage
    requested_at: datetime
    due_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a certificate is this hub's, unchanged, and what it says about itself."""

    genuine: bool
    problem: str | None
    document: Mapping[str, Any] | None = None


class ExportFailed(AihubError):
    code = "privacy.export_failed"
    title = "The export could not be made"
    remedy = "Ask for it again; if it fails again, tell your administrator the time of it."


class ExportGone(NotFound):
    code = "privacy.export_gone"
    title = "There is no such export, or no longer"
    remedy = "The file of an export is deleted after 24 hours. Sign in and ask for a new one."


class ConfirmationWrong(InvalidRequest):
    code = "privacy.confirmation_wrong"
    title = "What you typed is not the e-mail address of the account"
    remedy = "Type the address of the account to be deleted, as it is shown."


class DeletionPending(Conflict):
    code = "privacy.deletion_pending"
    title = "The deletion of this account was asked for already"
    remedy = "Wait until it is erased, or keep the account first."


class NoDeletion(Conflict):
    code = "privacy.no_deletion"
    title = "There is no deletion to cancel"
    remedy = "Nothing was asked for, it was cancelled already, or erasing has begun and cannot be stopped."


class OwnAccount(Conflict):
    code = "privacy.own_account"
    title = "Administrators do not delete themselves this way"
    remedy = "Use the page Privacy of your own account."


class NoCertificate(NotFound):
    code = "privacy.no_certificate"
    title = "There is no certificate for this link"
    remedy = "Open the whole link of the letter, or use the file that was attached to it."
