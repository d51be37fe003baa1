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
