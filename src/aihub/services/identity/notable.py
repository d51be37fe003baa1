"""Which audited deeds whoever watches over the hub should hear of as security events."""

from collections.abc import Mapping

_PRIVILEGES = (
    "user.update:roles", "user.roles_followed", "role.give", "role.take", "role.create", "role.change",
    "role.delete", "access.give", "access.take",
)  # fmt: skip
_PROVIDERS = ("identity_provider.create", "identity_provider.update", "identity_provider.delete")
_FACTORS = (
    "passkey.add", "passkey.remove", "totp.enable", "totp.disable", "recovery_codes.replace",
    "recovery_code.use", "sign_in.link", "sign_in.unlink",
)  # fmt: skip

NOTABLE: Mapping[str, tuple[str, str]] = {
    "user.create": ("account.created", "info"),
    "user.update:active": ("account.switched", "info"),
    "user.password": ("password.changed", "info"),
    "user.password_reset": ("password.changed", "info"),
    "session.end_all": ("sessions.ended", "info"),
    "session.end_everybodys": ("sessions.ended", "warning"),
    "key.create": ("key.created", "info"),
    "key.rotate": ("key.created", "info"),
    "key.revoke": ("key.revoked", "info"),
    "second_factor.reset": ("second_factor.reset", "warning"),
    "passkey.counter_regression": ("passkey.copied", "critical"),
    "token.reuse": ("token.reused", "critical"),
    "signing_key.rotate": ("signing_key.rotated", "info"),
    **dict.fromkeys(_PRIVILEGES, ("privilege.changed", "warning")),
    **dict.fromkeys(_PROVIDERS, ("sign_in_provider.changed", "warning")),
    **dict.fromkeys(_FACTORS, ("second_factor.changed", "info")),
}
