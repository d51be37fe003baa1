"""Notifications: delivered at commit, renewed after a break, gaps told."""

import asyncio

import psycopg
from tests.support.database import Server
from tests.support.waiting import until

from aihub.kernel.db import Database, system
from aihub.kernel.db.listener import Listener
from aihub.kernel.runtime import Runtime


async def notify(database: Database, channel: str, *payloads: str) -> None:
    async with database.work(system("test")) as work:
        for payload in payloads:
            await work.notify(channel, payload)


async def test_notifications_arrive_in_order_when_the_work_commits(runtime: Runtime) -> None:
    heard: list[str] = []
    listener = runtime.get(Listener)
    listener.on("test_news", heard.append)
    await listener.ready()
    async with runtime.database.work(system("test")) as work:
        await work.notify("test_news", "one")
        await work.notify("test_news", "zwö")
        await asyncio.sleep(0.1)
        assert heard == []
    await until(lambda: heard == ["one", "zwö"], seconds=0.5)


async def test_channels_can_be_added_while_messages_flow(runtime: Runtime) -> None:
    listener = runtime.get(Listener)
    heard: list[str] = []
    listener.on("test_flow", heard.append)
    await listener.ready()

    async def flow() -> None:
        for number in range(100):
            await notify(runtime.database, "test_flow", str(number))

    flowing = asyncio.create_task(flow())
    others: list[str] = []
    for number in range(10):
        await asyncio.sleep(0.005)
        listener.on(f"Test Other {number}", others.append)
        await listener.ready()
        await notify(runtime.database, f"Test Other {number}", str(number))
    await flowing
    await until(lambda: len(heard) == 100 and len(others) == 10)
    assert heard == [str(n) for n in range(100)]
    assert others == [str(n) for n in range(10)]


async def test_several_may_listen_and_one_may_stop(runtime: Runtime) -> None:
    listener = runtime.get(Listener)
    first: list[str] = []
    second: list[str] = []
    listener.on("test_both", first.append)
    listener.on("test_both", second.append)
    await listener.ready()
    await notify(runtime.database, "test_both", "a")
    await until(lambda: first == second == ["a"])
    listener.off("test_both", first.append)
    listener.off("test_both", first.append)
    await notify(runtime.database, "test_both", "b")
    await until(lambda: second == ["a", "b"])


async def test_a_callback_that_fails_stops_nobody_else(runtime: Runtime) -> None:
    heard: list[str] = []

    def broken(payload: str) -> None:
        raise LookupError(payload)

    listener = runtime.get(Listener)
    listener.on("test_broken", broken)
    listener.on("test_broken", heard.append)
    await listener.ready()
    await notify(runtime.database, "test_broken", "a", "b")
    await until(lambda: heard == ["a", "b"])


async def test_after_a_break_it_returns_and_tells_of_the_gap(runtime: Runtime, postgres: Server) -> None:
    heard: list[str] = []
    gaps: list[int] = []
    listener = runtime.get(Listener)
    listener.on("test_gap", heard.append)
    listener.on_gap(lambda: gaps.append(1))
    await listener.ready()
    for number in range(1, 4):
        with psycopg.connect(postgres.admin, autocommit=True) as admin:
            admin.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() "
                "and application_name = 'aihub listener'"
            )
        await until(lambda number=number: len(gaps) == number)
        assert listener.connected
        await notify(runtime.database, "test_gap", str(number))
        await until(lambda number=number: heard[-1:] == [str(number)])


async def test_a_server_that_cannot_be_reached_is_said(tmp_path: object) -> None:
    listener = Listener("host=/nonexistent dbname=x")
    listener.run()
    await asyncio.sleep(0.05)
    assert not listener.connected
    await listener.close()
