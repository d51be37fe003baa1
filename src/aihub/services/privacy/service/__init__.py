"""What is decided about people's rights to their data."""

from aihub.services.privacy.service.certificates import find_certificate, public_key, verify_certificate
from aihub.services.privacy.service.deletions import (
    cancel_deletion,
    carry_out,
    certificate_of,
    deletion_of,
    list_deletions,
    order_deletion,
    order_from_desk,
    request_deletion,
)
from aihub.services.privacy.service.exports import (
    Registry,
    ask_for_export,
    export_by_link,
    export_to,
    holdings,
    list_exports,
    own_export,
    remove_export,
)

__all__ = [
    "Registry",
    "ask_for_export",
    "cancel_deletion",
    "carry_out",
    "certificate_of",
    "deletion_of",
    "export_by_link",
    "export_to",
    "find_certificate",
    "holdings",
    "list_deletions",
    "list_exports",
    "order_deletion",
    "order_from_desk",
    "own_export",
    "public_key",
    "remove_export",
    "request_deletion",
    "verify_certificate",
]
