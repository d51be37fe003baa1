"""What is decided about people, roles, sessions and keys."""

from aihub.services.identity.service.access import (
    give_role,
    list_role_grants,
    note_what_ended,
    share,
    shared_with,
    take_role,
    unshare,
)
from aihub.services.identity.service.access_explained import explain
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
    end_everybodys_sessions,
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
from aihub.services.identity.service.keys import (
    budgets_of,
    change_key,
    create_key,
    credits_of,
    list_keys,
    revoke_key,
    rotate_key,
)
from aihub.services.identity.service.new_passwords import NewPassword, new_password
from aihub.services.identity.service.proof import fresh, require_fresh
from aihub.services.identity.service.registry import sync_registry
from aihub.services.identity.service.resets import (
    ask_for_reset,
    look_at_reset,
    reset_password,
    send_reset_link,
)
from aihub.services.identity.service.roles import (
    change_role,
    check_second_factor_roles,
    create_role,
    delete_role,
    people_with_role,
    read_role,
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
from aihub.services.identity.service.signing import forget_retired, list_signing_keys, rotate_keys
from aihub.services.identity.service.strength import strength
from aihub.services.identity.service.tokens import TokenDesk, end_family

__all__ = [
    "COOKIE",
    "Caller",
    "Doorkeeper",
    "IdentityAuthenticator",
    "NewPassword",
    "TokenDesk",
    "accept_invitation",
    "access_of",
    "ask_for_reset",
    "begin_session",
    "begin_totp",
    "budgets_of",
    "change_key",
    "change_role",
    "check_second_factor_roles",
    "complete_setup",
    "confirm_totp",
    "create_key",
    "create_role",
    "create_user",
    "credits_of",
    "delete_role",
    "end_device",
    "end_everybodys_sessions",
    "end_family",
    "end_other_devices",
    "end_session_of",
    "ensure_setup_link",
    "explain",
    "find_user",
    "find_user_by_email",
    "force_sign_out",
    "forget_retired",
    "fresh",
    "give_role",
    "invite",
    "list_devices",
    "list_invitations",
    "list_keys",
    "list_role_grants",
    "list_roles",
    "list_signing_keys",
    "list_users",
    "look_at_invitation",
    "look_at_reset",
    "look_at_setup_link",
    "new_password",
    "new_recovery_codes",
    "note_what_ended",
    "people_with_role",
    "read_role",
    "read_session",
    "remove_totp",
    "require_fresh",
    "resend_invitation",
    "reset_password",
    "reset_second_factor",
    "restriction_of",
    "revoke_invitation",
    "revoke_key",
    "rotate_key",
    "rotate_keys",
    "second_factor_of",
    "send_reset_link",
    "send_verification",
    "set_password",
    "setup_needed",
    "share",
    "shared_with",
    "sign_out",
    "strength",
    "sync_registry",
    "take_role",
    "tell_of_new_device",
    "unshare",
    "update_profile",
    "update_user",
    "verify_email",
]
