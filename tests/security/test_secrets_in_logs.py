"""What opens something, or what people wrote, does not stand in errors and logs."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from aihub.kernel.audit.masking import masked
from aihub.kernel.db import Database, system
from aihub.kernel.telemetry.logs import redact
from aihub.kernel.tokens import new_token

SECRET = "the-aardvark-sleeps-at-noon"


async def test_an_error_of_the_database_does_not_tell_its_values(database: Database) -> None:
    with pytest.raises(DBAPIError) as caught:
        async with database.work(system("test")) as work:
            await work.session.execute(text("select 1 / 0, cast(:secret as text)"), {"secret": SECRET})
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("prefix", ["ahk_abcdefgh_", "ahs_", "shr_"])
def test_tokens_are_masked_wherever_they_stand(prefix: str) -> None:
    token = new_token(prefix)
    assert token not in str(redact(f"/api/v1/shared/{token}/", "path"))
    assert token not in str(masked({"note": f"see /s/{token}"}))
