"""The security checklist names checks, settings and files that exist."""

import re
from pathlib import Path

from aihub.app.checks import ALL_CHECKS
from aihub.app.modules import MODULES
from aihub.kernel.settings import declared

PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "security-checklist.md"


def test_what_the_checklist_names_exists() -> None:
    text = PAGE.read_text("utf-8")
    checks = set(re.findall(r"\b[A-Z]\d{3}\b", text))
    assert len(checks) > 8
    assert checks <= {check.id for check in ALL_CHECKS}
    known = {name for row in declared([g for m in MODULES for g in m.settings]) for name in row.names}
    settings = set(re.findall(r"`((?:AIHUB_|DB_|ALLOWED_|ENVIRONMENT)[A-Z_]*)(?:[=/`])", text))
    assert settings <= known
    assert "AIHUB_SECOND_FACTOR_ROLES" in settings
    for link in re.findall(r"\]\(([^)]+)\)", text):
        assert (PAGE.parent / link).is_file(), link
