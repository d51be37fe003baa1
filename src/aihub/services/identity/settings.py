"""Settings of identity."""

from aihub.kernel.config import CommaList
from aihub.kernel.settings import SettingsGroup, setting


class IdentitySettings(SettingsGroup):
    second_factor_roles: CommaList = setting(
        (),
        env="AIHUB_SECOND_FACTOR_ROLES",
        section="Security",
        description=(
            "Roles whose people need a passkey or an authenticator app besides their password, "
            "comma-separated. Whoever has none adds one at the next sign-in, before anything else."
        ),
        example="super_admin,admin",
    )
    oidc_issuer: str | None = setting(
        None,
        env="OIDC_ISSUER",
        section="Security",
        description=(
            "Issuer of an OpenID Connect provider that people sign in with, exactly as it publishes it. "
            "Providers can also be set up in the web app."
        ),
        example="https://login.example.org/realms/team",
    )
    oidc_client_id: str | None = setting(
        None, env="OIDC_CLIENT_ID", section="Security", description="How the hub is called at that provider."
    )
    oidc_client_secret: str | None = setting(
        None,
        env="OIDC_CLIENT_SECRET",
        section="Security",
        secret=True,
        description="The hub's secret at that provider; unset for a public client.",
    )
