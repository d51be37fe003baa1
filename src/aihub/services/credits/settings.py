"""Settings of credits."""

from typing import Annotated

from pydantic import BeforeValidator

from aihub.kernel.settings import SettingsGroup, setting
from aihub.services.credits.domain import parse_credits


class CreditsSettings(SettingsGroup):
    signup_credits: Annotated[int, BeforeValidator(parse_credits)] = setting(
        "100",
        env="AIHUB_SIGNUP_CREDITS",
        section="Credits",
        description="Credits a new account starts with; 1 credit is worth one US cent.",
        validate_default=True,
    )
    hold_wait: float = setting(
        30,
        env="AIHUB_HOLD_WAIT",
        section="Credits",
        description="Seconds a call waits for credits that other calls in progress have reserved.",
        ge=0,
        le=600,
    )
