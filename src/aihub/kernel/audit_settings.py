"""The audit log's own settings."""

from typing import Annotated

from pydantic import AfterValidator

from aihub.kernel.settings import SettingsGroup, setting

SHORTEST_RETENTION = 30


def _long_enough(days: int) -> int:
    if 0 < days < SHORTEST_RETENTION:
        raise ValueError(f"at least {SHORTEST_RETENTION} days, or 0 to keep entries for ever")
    return days


class AuditSettings(SettingsGroup):
    retention_days: Annotated[int, AfterValidator(_long_enough)] = setting(
        0,
        env="AIHUB_AUDIT_RETENTION_DAYS",
        section="Security",
        description="Days after which entries of the audit trail are removed, at least 30; 0 keeps them.",
        ge=0,
        le=36_500,
    )
    signing_key: str | None = setting(
        None,
        env="AIHUB_AUDIT_SIGNING_KEY",
        section="Security",
        secret=True,
        description="Signs the audit trail's checkpoints: 32 random bytes as base64, the same on every "
        "machine of a hub. Unset: generated once and kept in the hub's home.",
    )
