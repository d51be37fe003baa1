"""A real mail server that keeps what it is given."""

import email.message
import email.policy
import re
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from tests.support.hub import free_port


@dataclass
class Mailbox:
    """What arrived, oldest first. `refuse` is what the server says instead of taking a letter."""

    port: int = 0
    letters: list[email.message.EmailMessage] = field(default_factory=list)
    refuse: str | None = None
    logins: list[tuple[str, str]] = field(default_factory=list)
    arrived: threading.Condition = field(default_factory=threading.Condition)

    async def handle_DATA(self, server: Any, session: Session, envelope: Envelope) -> str:  # noqa: N802
        if self.refuse is not None:
            return self.refuse
        letter = message_from_bytes(envelope.content or b"", policy=email.policy.default)
        assert isinstance(letter, email.message.EmailMessage)
        with self.arrived:
            self.letters.append(letter)
            self.arrived.notify_all()
        return "250 taken"

    def sign_in(
        self, server: Any, session: Session, envelope: Envelope, mechanism: str, data: Any
    ) -> AuthResult:
        assert isinstance(data, LoginPassword)
        self.logins.append((data.login.decode(), data.password.decode()))
        return AuthResult(success=data.password == b"open sesame")

    def letter_to(self, address: str, number: int = 1, wait: float = 60) -> email.message.EmailMessage:
        """The `number`th letter to this address, as soon as it is there."""
        with self.arrived:
            self.arrived.wait_for(lambda: len(self.letters_to(address)) >= number, wait)
        found = self.letters_to(address)
        assert len(found) >= number, f"{len(found)} letters to {address}, not {number}"
        return found[number - 1]

    def letters_to(self, address: str) -> list[email.message.EmailMessage]:
        return [letter for letter in self.letters if letter["To"] == address]


@contextmanager
def mail_server(*, tls: ssl.SSLContext | None = None, login: bool = False) -> Iterator[Mailbox]:
    """A server on a port of this machine. `tls`: it offers STARTTLS; `login`: it wants a password."""
    mailbox = Mailbox(port=free_port())
    controller = Controller(
        mailbox,
        hostname="127.0.0.1",
        port=mailbox.port,
        tls_context=tls,
        authenticator=mailbox.sign_in if login else None,
        auth_required=login,
        auth_require_tls=tls is not None,
    )
    controller.start()
    try:
        yield mailbox
    finally:
        controller.stop()


def certified(folder: Path) -> tuple[ssl.SSLContext, Path]:
    """TLS for 127.0.0.1, and the certificate to trust for it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    public, private = folder / "certificate", folder / "private"
    public.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(public, private)
    return context, public


def text_of(letter: email.message.EmailMessage) -> str:
    """Its plain text."""
    body = letter.get_body(("plain",))
    assert body is not None
    return str(body.get_content())


def link_in(letter: email.message.EmailMessage) -> str:
    """The address its button opens."""
    found = re.search(r"https?://\S+#token=\S+", text_of(letter))
    assert found, text_of(letter)
    return found[0]


def token_in(letter: email.message.EmailMessage) -> str:
    return link_in(letter).partition("#token=")[2]
