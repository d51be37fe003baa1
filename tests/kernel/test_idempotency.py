"""The same request twice is done once."""

import asyncio
from uuid import uuid4

import pytest
from pydantic import BaseModel
from sqlalchemy import text

from aihub.kernel.auth import Actor
from aihub.kernel.db import Database, Work, system
from aihub.kernel.errors import IdempotencyMismatch, InvalidRequest
from aihub.kernel.idempotency import once
from aihub.kernel.jobs import Job, JobContext, defer
from aihub.kernel.jobs.maintenance import KERNEL_JOBS
from aihub.kernel.runtime import Runtime

ADA = Actor(user_id=uuid4(), email="ada@example.org")
GRACE = Actor(user_id=uuid4(), email="grace@example.org")
DEED = Job("test.deed", lambda context: asyncio.sleep(0))


class Body(BaseModel):
    name: str
    amount: int = 1


class Deed:
    """Leaves a row each time it really runs."""

    def __init__(self, fails: bool = False) -> None:
        self.runs = 0
        self.fails = fails

    async def __call__(self, work: Work) -> tuple[int, object]:
        self.runs += 1
        await defer(work, DEED)
        await asyncio.sleep(0.02)
        if self.fails:
            raise ZeroDivisionError
        return 201, {"id": uuid4(), "run": self.runs}


async def deeds(database: Database) -> int:
    async with database.work(system("test")) as work:
        return (await work.session.execute(text("select count(*) from procrastinate_jobs"))).scalar_one()


async def test_a_repeated_request_gets_the_stored_answer(database: Database) -> None:
    deed = Deed()
    body = Body(name="a")
    first = await once(database, ADA, "POST /things", "key-1", body, deed)
    again = await once(database, ADA, "POST /things", "key-1", Body(name="a", amount=1), deed)
    assert first == again
    assert first[0] == 201
    assert isinstance(first[1]["id"], str), "the first answer is JSON as the stored one is"
    assert (deed.runs, await deeds(database)) == (1, 1)


async def test_another_body_is_refused(database: Database) -> None:
    await once(database, ADA, "POST /things", "key-1", b'{"a":1}', Deed())
    with pytest.raises(IdempotencyMismatch) as caught:
        await once(database, ADA, "POST /things", "key-1", b'{"a":2}', Deed())
    assert caught.value.status == 409
    assert await deeds(database) == 1


async def test_keys_belong_to_an_actor_and_a_route(database: Database) -> None:
    deed = Deed()
    await once(database, ADA, "POST /things", "key-1", b"", deed)
    await once(database, GRACE, "POST /things", "key-1", b"other", deed)
    await once(database, ADA, "POST /others", "key-1", b"other", deed)
    assert deed.runs == 3


async def test_without_a_key_everything_is_done(database: Database) -> None:
    deed = Deed()
    for _ in range(2):
        await once(database, ADA, "POST /things", None, b"", deed)
    assert deed.runs == 2


async def test_many_at_once_do_it_once(database: Database) -> None:
    deed = Deed()
    answers = await asyncio.gather(
        *(once(database, ADA, "POST /things", "key-1", b"", deed) for _ in range(8))
    )
    assert len({str(a) for a in answers}) == 1
    assert (deed.runs, await deeds(database)) == (1, 1)


async def test_a_deed_that_failed_leaves_the_key_free(database: Database) -> None:
    with pytest.raises(ZeroDivisionError):
        await once(database, ADA, "POST /things", "key-1", b"", Deed(fails=True))
    assert await deeds(database) == 0
    await once(database, ADA, "POST /things", "key-1", b"another body even", Deed())
    assert await deeds(database) == 1


@pytest.mark.parametrize("key", ["", "x" * 256, "a b", "ключ", "a\x00"])
async def test_odd_keys_are_refused(database: Database, key: str) -> None:
    with pytest.raises(InvalidRequest):
        await once(database, ADA, "POST /things", key, b"", Deed())


async def test_answers_are_kept_for_a_day(runtime: Runtime) -> None:
    database, deed = runtime.database, Deed()
    await once(database, ADA, "POST /things", "old", b"", deed)
    await once(database, ADA, "POST /things", "new", b"", deed)
    async with database.work(system("test")) as work:
        await work.session.execute(
            text("update idempotency_records set created_at = now() - interval '25 hours' where key = 'old'")
        )
    cleaning = next(job for job in KERNEL_JOBS if job.name == "kernel.delete_idempotent_answers")
    await cleaning.run(JobContext(runtime, 0, 1))
    await once(database, ADA, "POST /things", "old", b"", deed)
    await once(database, ADA, "POST /things", "new", b"", deed)
    assert deed.runs == 3
