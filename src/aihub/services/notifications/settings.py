"""Settings of mail."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from aihub.kernel.settings import SettingsGroup, setting

Protection = Annotated[
    Literal["starttls", "tls", "none"],
    BeforeValidator(lambda value: value.strip().lower() if isinstance(value, str) else value),
]


class MailSettings(SettingsGroup):
    host: str | None = setting(
        None,
        env="SMTP_HOST",
        aliases=("ALERTMANAGER_SMTP_HOST",),
        section="Mail",
        description="Server that takes our mail. Unset: letters stay in the outbox, where administrators "
        "find the links.",
        example="smtp.example.org",
    )
    port: Annotated[int, Field(ge=1, le=65535)] = setting(
        587,
        env="SMTP_PORT",
        aliases=("ALERTMANAGER_SMTP_PORT",),
        section="Mail",
        description="Its port: 587 for STARTTLS, 465 for TLS from the start.",
    )
    user: str | None = setting(
        None,
        env="SMTP_USER",
        aliases=("ALERTMANAGER_SMTP_USER",),
        section="Mail",
        description="Account to sign in with. Unset: without signing in.",
    )
    password: str | None = setting(
        None,
        env="SMTP_PASSWORD",
        aliases=("ALERTMANAGER_SMTP_PASSWORD",),
        section="Mail",
        secret=True,
        description="Password of that account.",
    )
    sender: str | None = setting(
        None,
        env="SMTP_FROM",
        aliases=("ALERTMANAGER_SMTP_FROM",),
        section="Mail",
        description="Whom letters are from, with or without a name. Unset: aihub@ the host of "
        "AIHUB_PUBLIC_URL.",
        example="Smart AI Hub <hub@example.org>",
    )
    tls: Protection = setting(
        "starttls",
        env="SMTP_TLS",
        section="Mail",
        description="How the connection is protected: starttls, tls or none. A server that cannot is not "
        "written to.",
    )
