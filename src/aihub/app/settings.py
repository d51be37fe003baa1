"""The whole configuration. Kept apart from the modules so that a CLI verb can read it in milliseconds."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from aihub.kernel.audit_settings import AuditSettings
from aihub.kernel.config import KernelSettings, default_home
from aihub.kernel.settings import Settings, SettingsGroup, load
from aihub.services.credits.settings import CreditsSettings
from aihub.services.gateway.settings import GatewaySettings
from aihub.services.identity.settings import IdentitySettings
from aihub.services.notifications.settings import MailSettings

GROUPS: Sequence[type[SettingsGroup]] = (
    KernelSettings,
    AuditSettings,
    IdentitySettings,
    CreditsSettings,
    GatewaySettings,
    MailSettings,
)
"""Every group of every module, in the order of the reference; a test compares it with the modules."""


def load_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """The effective settings: environment, then `.env.local` here, then `env` in the home.

    Raises SettingsError naming everything that is wrong.
    """
    env = os.environ if environ is None else environ
    home = Path(env["AIHUB_HOME"]) if env.get("AIHUB_HOME") else default_home()
    return load(GROUPS, environ=env, env_files=(Path(".env.local"), home / "env"))
