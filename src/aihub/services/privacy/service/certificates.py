"""Certificates of deletion: what was erased and what was kept, signed so that anybody can check it.

The key is Ed25519, made from the hub's own data key: it stays the same through every change of the master
key, so that a certificate of years ago can still be checked. A certificate names nobody.
"""

import base64
import binascii
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from aihub.kernel.crypto import Crypto
from aihub.kernel.db import Work
from aihub.kernel.privacy import PersonalData
from aihub.kernel.tokens import token_hash
from aihub.services.privacy.contracts import NoCertificate, Verdict
from aihub.services.privacy.models import DeletionRow
from aihub.services.privacy.queries import deletions

FORMAT = "aihub.deletion-certificate"
VERSION = 1
_PURPOSE = "privacy certificates"


async def issue(
    work: Work,
    crypto: Crypto,
    deletion: DeletionRow,
    data: Sequence[PersonalData],
    erased: Mapping[str, int],
    *,
    hub: str,
    now: datetime,
) -> dict[str, Any]:
    """The signed certificate of a deletion."""
    document: dict[str, Any] = {
        "format": FORMAT,
        "version": VERSION,
        "hub": urlsplit(hub).netloc,
        "pseudonym": str(deletion.id),
        "asked_by": deletion.way,
        "asked_at": _iso(deletion.requested_at),
        "due_at": _iso(deletion.due_at),
        "begun_at": _iso(deletion.begun_at or now),
        "erased_at": _iso(now),
        "erased": [
            {"data": d.name, "title": d.title, "tables": list(d.tables), "rows": erased.get(d.name, 0)}
            for d in data
            if not d.kept
        ],
        "kept": [
            {
                "data": d.name,
                "title": d.title,
                "tables": list(d.tables),
                "rows": erased.get(d.name, 0),
                "why": d.kept,
                "made_anonymous": d.anonymous,
            }
            for d in data
            if d.kept
        ],
        "data_key": "destroyed",
    }
    key = await _key(work, crypto)
    return document | {
        "public_key": _text(key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)),
        "signature": _text(key.sign(_canonical(document))),
    }


async def public_key(work: Work, crypto: Crypto) -> str:
    """The key that certificates of this hub are checked with, as base64url of 32 bytes."""
    return _text((await _key(work, crypto)).public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))


async def verify_certificate(work: Work, crypto: Crypto, document: Mapping[str, Any]) -> Verdict:
    """Whether this hub made the certificate and nobody has changed it since."""
    body = {name: value for name, value in document.items() if name not in ("public_key", "signature")}
    if body.get("format") != FORMAT:
        return Verdict(False, "This is not a certificate of deletion.")
    key = await _key(work, crypto)
    if document.get("public_key") != await public_key(work, crypto):
        return Verdict(False, "It was signed with the key of another hub.")
    try:
        signature = document.get("signature")
        given = base64.urlsafe_b64decode(f"{signature}{'=' * (-len(str(signature)) % 4)}")
        key.public_key().verify(given, _canonical(body))
    except (InvalidSignature, binascii.Error, ValueError, TypeError):
        return Verdict(False, "It was changed after it was signed.")
    return Verdict(True, None, document)


async def find_certificate(work: Work, token: str) -> Mapping[str, Any]:
    """The certificate that this token from a letter opens. Raises NoCertificate."""
    found = await deletions.certificate_by_token(work, token_hash(token))
    if found is None:
        raise NoCertificate()
    return found


def rows_of(document: Mapping[str, Any]) -> int:
    """How many rows it says were erased."""
    return sum(entry["rows"] for entry in document["erased"])


async def _key(work: Work, crypto: Crypto) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(await crypto.hub_key(work, _PURPOSE))


def _canonical(document: Mapping[str, Any]) -> bytes:
    return orjson.dumps(document, option=orjson.OPT_SORT_KEYS)


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _iso(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")
