"""What is decided about people, roles, sessions and keys."""

from aihub.services.identity.service.accounts import (
    access_of,
    create_user,
    find_user,
    find_user_by_email,
    list_roles,
    list_users,
    set_password,
    update_profile,
    update_user,
)
from aihub.services.identity.service.addresses import send_verification, verify_email
from aihub.services.identity.service.authenticator import COOKIE, IdentityAuthenticator
from aihub.services.identity.service.devices import (
    end_device,
    end_other_devices,
    force_sign_out,
    list_devices,
    tell_of_new_device,
)
from aihub.services.identity.service.invitations import (
    accept_invitation,
    invite,
    list_invitations,
    look_at_invitation,
    resend_invitation,
    revoke_invitation,
)
from aihub.services.identity.service.keys import create_key, credits_of, list_keys, revoke_key
from aihub.services.identity.service.new_passwords import NewPassword, new_password
from aihub.services.identity.service.proof import fresh, require_fresh
from aihub.services.identity.service.registry import sync_registry
from aihub.services.identity.service.resets import (
    ask_for_reset,
    look_at_reset,
    reset_password,
    send_reset_link,
)
from aihub.services.identity.service.second_factor import (
    begin_totp,
    confirm_totp,
    new_recovery_codes,
    remove_totp,
    reset_second_factor,
    restriction_of,
    second_factor_of,
)
from aihub.services.identity.service.sessions import (
    Caller,
    Doorkeeper,
    begin_session,
    end_session_of,
    read_session,
    sign_out,
)
from aihub.services.identity.service.setup import (
    complete_setup,
    ensure_setup_link,
    look_at_setup_link,
    setup_needed,
)
from aihub.services.identity.service.strength import strength

__all__ = [
    "COOKIE",
    "Caller",
    "Doorkeeper",
    "IdentityAuthenticator",
    "NewPassword",
    "accept_invitation",
    "access_of",
    "ask_for_reset",
    "begin_session",
    "begin_totp",
    "complete_setup",
    "confirm_totp",
    "create_key",
    "create_user",
    "credits_of",
    "end_device",
    "end_other_devices",
    "end_session_of",
    "ensure_setup_link",
    "find_user",
    "find_user_by_email",
    "force_sign_out",
    "fresh",
    "invite",
    "list_devices",
    "list_invitations",
    "list_keys",
    "list_roles",
    "list_users",
    "look_at_invitation",
    "look_at_reset",
    "look_at_setup_link",
    "new_password",
    "new_recovery_codes",
    "read_session",
    "remove_totp",
    "require_fresh",
    "resend_invitation",
    "reset_password",
    "reset_second_factor",
    "restriction_of",
    "revoke_invitation",
    "revoke_key",
    "second_factor_of",
    "send_reset_link",
    "send_verification",
    "set_password",
    "setup_needed",
    "sign_out",
    "strength",
    "sync_registry",
    "tell_of_new_device",
    "update_profile",
    "update_user",
    "verify_email",
]
