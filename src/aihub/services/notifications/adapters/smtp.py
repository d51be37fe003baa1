"""A mail server, spoken to with the standard library in a thread."""

import asyncio
import smtplib
import ssl
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import parseaddr

from aihub.services.notifications.contracts import MailRefused
from aihub.services.notifications.settings import MailSettings

_PATIENCE = 20.0


class MailRefusedForGood(MailRefused):
    """The server will not take this letter however often it is asked."""

    code = "mail.refused_for_good"
    title = "The mail server will never take this letter"
    remedy = "Check the recipient's address; the detail is what the server said."


@dataclass(frozen=True, slots=True)
class Envelope:
    """A letter ready to go; `date` is an RFC 5322 date, `file` the name and the text of an attachment."""

    message_id: str
    sender: str
    to: str
    subject: str
    text: str
    html: str
    date: str
    file: tuple[str, str] | None = None


async def deliver(settings: MailSettings, envelope: Envelope) -> None:
    """Hand the letter to the mail server; returns when the server has taken it.

    Raises MailRefusedForGood when it refuses the letter itself, MailRefused for whatever may pass.
    """
    await asyncio.to_thread(_deliver, settings, envelope)


def _deliver(settings: MailSettings, envelope: Envelope) -> None:
    message = compose(envelope)
    try:
        with _connect(settings) as server:
            if settings.user:
                server.login(settings.user, settings.password or "")
            server.send_message(message)
    except smtplib.SMTPRecipientsRefused as exc:
        replies = list(exc.recipients.values())
        said = "; ".join(f"{code} {_words(text)}" for code, text in replies)
        final = all(500 <= code < 600 for code, _ in replies)
        raise (MailRefusedForGood if final else MailRefused)(said) from exc
    except smtplib.SMTPDataError as exc:
        final = 500 <= exc.smtp_code < 600
        raise (MailRefusedForGood if final else MailRefused)(
            f"{exc.smtp_code} {_words(exc.smtp_error)}"
        ) from exc
    except smtplib.SMTPResponseException as exc:
        raise MailRefused(f"{exc.smtp_code} {_words(exc.smtp_error)}") from exc
    except (smtplib.SMTPException, OSError) as exc:
        raise MailRefused(f"{settings.host}:{settings.port}: {exc}") from exc


def _connect(settings: MailSettings) -> smtplib.SMTP:
    host = settings.host or ""
    if settings.tls == "tls":
        context = ssl.create_default_context()
        return smtplib.SMTP_SSL(host, settings.port, timeout=_PATIENCE, context=context)
    server = smtplib.SMTP(host, settings.port, timeout=_PATIENCE)
    if settings.tls == "starttls":
        try:
            server.starttls(context=ssl.create_default_context())
        except BaseException:
            server.close()
            raise
    return server


def compose(envelope: Envelope) -> EmailMessage:
    """The message as it goes over the wire."""
    message = EmailMessage(policy=SMTP)
    message["Message-ID"] = envelope.message_id
    message["Date"] = envelope.date
    message["From"] = envelope.sender
    message["To"] = envelope.to
    message["Subject"] = envelope.subject
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(envelope.text)
    message.add_alternative(envelope.html, subtype="html")
    if envelope.file is not None:
        name, content = envelope.file
        message.add_attachment(content.encode(), maintype="application", subtype="json", filename=name)
    return message


def domain_of(sender: str) -> str:
    """The host of an address, for message ids."""
    return parseaddr(sender)[1].rpartition("@")[2] or "localhost"


def _words(said: bytes | str) -> str:
    return said.decode("utf-8", "replace") if isinstance(said, bytes) else said
