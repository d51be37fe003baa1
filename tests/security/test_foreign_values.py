"""Values nobody's list made, in every list that takes a cursor."""

import pytest
from tests.services.conftest import MakeClient, MakeUser


@pytest.mark.parametrize("path", ["audit", "jobs", "users", "keys", "credits/entries"])
@pytest.mark.parametrize("cursor", ["9" * 5000, "9" * 19, "٣" * 30, "-1", "%00", "x"])
async def test_a_cursor_of_a_stranger_is_refused(
    client: MakeClient, make_user: MakeUser, path: str, cursor: str
) -> None:
    await make_user("root", "super_admin")
    browser = client()
    await browser.sign_in("root@example.org")
    answer = await browser("GET", f"/api/v1/{path}?cursor={cursor}")
    assert answer.status == 422, answer.body
