"""Run checks and gather what they found. Works also when the application does not."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from aihub.kernel.checks import Check, Finding, Level, Patient


@dataclass(frozen=True, slots=True)
class Examined:
    """A check and its findings."""

    check: Check
    findings: tuple[Finding, ...]

    @property
    def level(self) -> Level:
        levels = [f.level for f in self.findings]
        return next((lv for lv in (Level.BAD, Level.WATCH) if lv in levels), Level.OK)


async def examine(
    patient: Patient, checks: Sequence[Check], only: str | None = None
) -> AsyncIterator[Examined]:
    """Run the checks (of one group, when `only` names it) one after another, giving each as it ends.

    A check that breaks is itself a finding; it does not keep the others from running.
    """
    for check in checks:
        if only and only not in (check.group, check.id):
            continue
        try:
            findings = tuple(await check.run(patient))
        except Exception as exc:  # noqa: BLE001 - a broken check is a finding, at the edge of the doctor
            findings = (
                Finding(Level.BAD, f"The check itself failed: {type(exc).__name__}: {exc}", "Report this."),
            )
        yield Examined(check, findings)
