"""Sign-in through OpenID Connect providers."""

from aihub.services.identity.service.federation.entering import Entered, Entrance
from aihub.services.identity.service.federation.links import (
    has_password,
    link,
    link_waiting,
    list_links,
    look_at_waiting,
    prove,
    same_session,
    sign_in_choices,
    unlink,
)
from aihub.services.identity.service.federation.providers import (
    ProviderChange,
    check_provider,
    client_of,
    create_provider,
    delete_provider,
    find_provider,
    list_providers,
    seed_provider,
    update_provider,
)
from aihub.services.identity.service.federation.travel import ATTEMPT_LIFE, Travel, home_of, local_path

__all__ = [
    "ATTEMPT_LIFE",
    "Entered",
    "Entrance",
    "ProviderChange",
    "Travel",
    "check_provider",
    "client_of",
    "create_provider",
    "delete_provider",
    "find_provider",
    "has_password",
    "home_of",
    "link",
    "link_waiting",
    "list_links",
    "list_providers",
    "local_path",
    "look_at_waiting",
    "prove",
    "same_session",
    "seed_provider",
    "sign_in_choices",
    "unlink",
    "update_provider",
]
