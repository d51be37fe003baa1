"""What may leave notifications."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from aihub.kernel.errors import AihubError, Conflict


@dataclass(frozen=True, slots=True)
class Posted:
    """A letter as administrators see it. `readable`: its text is still here."""

    id: UUID
    kind: str
    to_address: str
    subject: str
    status: str
    attempts: int
    error: str | None
    readable: bool
    created_at: datetime
    expires_at: datetime | None
    sent_at: datetime | None


@dataclass(frozen=True, slots=True)
class Contents:
    """What a letter says. `link` is the address of its button, `file` the name and the text of what is
    attached, where it has them."""

    text: str
    html: str
    link: str | None
    file: tuple[str, str] | None = None


class LetterGone(Conflict):
    code = "mail.letter_gone"
    title = "The text of this letter is no longer kept"
    remedy = "Text is erased once a letter is sent or its link has expired. Have a new one made."


class MailRefused(AihubError):
    code = "mail.refused"
    status = 502
    title = "The mail server did not take a letter"
    remedy = "Check SMTP_HOST, SMTP_PORT, SMTP_TLS, SMTP_USER and SMTP_FROM; the detail is what it said."
