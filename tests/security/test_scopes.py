"""Where everybody's rows are never needed, the database is not asked to show them."""

from pathlib import Path

import pytest

import aihub


@pytest.mark.parametrize(
    "routes", ["app/console_routes.py", "services/credits/routes.py", "services/gateway/routes.py"]
)
def test_these_routes_never_open_the_hubs_own_scope(routes: str) -> None:
    assert "system(" not in (Path(aihub.__file__).parent / routes).read_text("utf-8")
