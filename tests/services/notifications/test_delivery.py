"""Letters: kept with the deed they tell of, and delivered to a real mail server."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text
from tests.services.conftest import MODULES
from tests.support.mail import certified, link_in, mail_server, text_of
from tests.support.runtime import open_runtime, settings_for
from tests.support.waiting import until

from aihub.kernel.clock import FixedClock
from aihub.kernel.db import system
from aihub.kernel.jobs.runner import JobRunner
from aihub.kernel.runtime import Runtime
from aihub.services.identity.contracts import Letter, Post
from aihub.services.notifications.contracts import MailRefused
from aihub.services.notifications.service import PostOffice
from aihub.services.notifications.settings import MailSettings

SCOPE = system("test")
INVITATION = Letter("invitation", "kim@example.org", "en", {"inviter": "Ada <script>"}, "/invite#token=t0k3n")

HURRY = text("update procrastinate_jobs set scheduled_at = now() where status = 'todo'")

Open = Callable[..., AbstractAsyncContextManager[Runtime]]


@pytest.fixture
def hub_with(dsn: str, home: Path, clock: FixedClock) -> Open:
    """Opens a hub that gives its mail to this server, with a worker."""

    @asynccontextmanager
    async def opened(port: int | None, **more: str) -> AsyncIterator[Runtime]:
        given = {"SMTP_HOST": "127.0.0.1", "SMTP_PORT": str(port), "SMTP_TLS": "none"} if port else {}
        environ = given | {"AIHUB_PUBLIC_URL": "https://hub.example.org"} | more
        async with open_runtime(
            dsn, settings_for(home, MODULES, **environ), MODULES, clock=clock, pool_size=10
        ) as runtime:
            runner = JobRunner(runtime, [job for module in MODULES for job in module.jobs], heartbeat=0.2)
            task = asyncio.create_task(runner.run())
            try:
                yield runtime
            finally:
                await runner.close()
                await task

    return opened


async def send(runtime: Runtime, letter: Letter = INVITATION) -> None:
    async with runtime.database.work(SCOPE) as work:
        await runtime.get(Post).send(work, letter)


async def send_and_fail(runtime: Runtime) -> None:
    async with runtime.database.work(SCOPE) as work:
        await runtime.get(Post).send(work, INVITATION)
        raise ZeroDivisionError


async def outbox(runtime: Runtime) -> list[tuple[str, bool, str | None]]:
    """Status, whether the text is kept, and the last error of each letter, oldest first."""
    async with runtime.database.work(SCOPE) as work:
        rows = await work.session.execute(
            text("select status, sealed is not null, error from outbox order by id")
        )
        return [(row[0], row[1], row[2]) for row in rows]


async def settled(runtime: Runtime, *statuses: str) -> None:
    async def reached() -> bool:
        return tuple(status for status, *_ in await outbox(runtime)) == statuses

    await until(reached, 20)


async def test_a_letter_arrives_in_two_forms_and_is_then_forgotten(hub_with: Open) -> None:
    with mail_server() as mailbox:
        async with hub_with(mailbox.port, SMTP_FROM="Hüb <hub@example.org>") as runtime:
            await send(runtime)
            await settled(runtime, "sent")
            assert await outbox(runtime) == [("sent", False, None)]
    [letter] = mailbox.letters
    assert letter["From"] == "Hüb <hub@example.org>"
    assert letter["To"] == "kim@example.org"
    assert letter["Subject"] == "You are invited to Smart AI Hub"
    assert letter["Message-ID"].endswith("@example.org>")
    assert link_in(letter) == "https://hub.example.org/invite#token=t0k3n"
    html = letter.get_body(("html",))
    assert html is not None
    assert "Ada &lt;script&gt;" in html.get_content()
    assert "Ada <script>" in text_of(letter)


async def test_letters_speak_the_persons_language(hub_with: Open) -> None:
    with mail_server() as mailbox:
        async with hub_with(mailbox.port) as runtime:
            await send(runtime, Letter("password_changed", "kim@example.org", "fr", {}))
            await settled(runtime, "sent")
    assert mailbox.letters[0]["Subject"] == "Votre mot de passe a été changé"
    assert "Bonjour" in text_of(mailbox.letters[0])


async def test_the_other_names_of_the_settings_mean_the_same(hub_with: Open) -> None:
    with mail_server() as mailbox:
        given = {
            "ALERTMANAGER_SMTP_HOST": "127.0.0.1",
            "ALERTMANAGER_SMTP_PORT": str(mailbox.port),
            "ALERTMANAGER_SMTP_FROM": "hub@example.org",
            "SMTP_TLS": "none",
        }
        async with hub_with(None, **given) as runtime:
            assert runtime.settings[MailSettings].port == mailbox.port
            await send(runtime)
            await settled(runtime, "sent")
    assert mailbox.letters[0]["From"] == "hub@example.org"
    assert MailSettings().port == 587


async def test_what_is_undone_is_not_announced(hub_with: Open) -> None:
    with mail_server() as mailbox:
        async with hub_with(mailbox.port) as runtime:
            with pytest.raises(ZeroDivisionError):
                await send_and_fail(runtime)
            await send(runtime)
            await settled(runtime, "sent")
    assert len(mailbox.letters) == 1


async def test_a_server_that_is_away_gets_the_letter_later_once(hub_with: Open) -> None:
    with mail_server() as mailbox:
        mailbox.refuse = "451 try again later"
        async with hub_with(mailbox.port) as runtime:
            await send(runtime)

            async def refused() -> bool:
                return (await outbox(runtime))[0][2] is not None

            await until(refused, 20)
            assert await outbox(runtime) == [("waiting", True, "451 try again later")]
            mailbox.refuse = None
            async with runtime.database.work(SCOPE) as work:
                await work.session.execute(HURRY)
            await settled(runtime, "sent")
    assert len(mailbox.letters) == 1


async def test_a_letter_refused_for_good_is_not_tried_again(hub_with: Open) -> None:
    with mail_server() as mailbox:
        mailbox.refuse = "550 no such person"
        async with hub_with(mailbox.port) as runtime:
            await send(runtime)
            await settled(runtime, "failed")
            assert await outbox(runtime) == [("failed", True, "550 no such person")]


async def test_without_a_server_letters_wait_until_there_is_one(hub_with: Open, clock: FixedClock) -> None:
    async with hub_with(None) as runtime:
        await send(runtime)
        await runtime.get(PostOffice).sweep()
        assert await outbox(runtime) == [("waiting", True, None)]
    clock.at += timedelta(seconds=600)
    with mail_server() as mailbox:
        async with hub_with(mailbox.port) as runtime:
            await runtime.get(PostOffice).sweep()
            await settled(runtime, "sent")
    assert len(mailbox.letters) == 1


async def test_a_letter_whose_link_expired_is_neither_sent_nor_kept(
    hub_with: Open, clock: FixedClock
) -> None:
    late = Letter(
        "password_reset",
        "kim@example.org",
        "en",
        {},
        "/reset#token=x",
        None,
        clock.now() + timedelta(hours=1),
    )
    async with hub_with(None) as runtime:
        await send(runtime, late)
    clock.at += timedelta(seconds=3601)
    with mail_server() as mailbox:
        async with hub_with(mailbox.port) as runtime:
            await runtime.get(PostOffice).sweep()
            assert await outbox(runtime) == [("expired", False, None)]
    assert mailbox.letters == []


async def test_a_crash_after_the_servers_yes_sends_the_same_letter_again(hub_with: Open) -> None:
    with mail_server() as mailbox:
        async with hub_with(mailbox.port) as runtime:
            await send(runtime)
            await settled(runtime, "sent")
            async with runtime.database.work(SCOPE) as work:
                letter_id = await work.session.scalar(text("select id from outbox"))
            # What a process killed between the two leaves behind.
            office = runtime.get(PostOffice)
            async with runtime.database.work(SCOPE) as work:
                again = await runtime.get(PostOffice)._crypto.seal(
                    work, b'{"text":"t","html":"h","link":null}', context=f"letter:{letter_id}"
                )
                await work.session.execute(
                    text("update outbox set status = 'waiting', sealed = :again"), {"again": again}
                )
            await office.deliver(letter_id, last_try=False)
            await office.deliver(letter_id, last_try=False)
    assert len(mailbox.letters) == 2
    assert len({letter["Message-ID"] for letter in mailbox.letters}) == 1


async def test_a_server_that_cannot_encrypt_is_not_written_to(hub_with: Open) -> None:
    with mail_server() as mailbox:
        async with hub_with(None) as runtime:
            await send(runtime)
            async with runtime.database.work(SCOPE) as work:
                letter_id = await work.session.scalar(text("select id from outbox"))
        async with hub_with(mailbox.port, SMTP_TLS="starttls") as runtime:
            with pytest.raises(MailRefused):
                await runtime.get(PostOffice).deliver(letter_id, last_try=False)
    assert mailbox.letters == []


async def test_it_signs_in_over_starttls(
    hub_with: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tls, authority = certified(tmp_path)
    with mail_server(tls=tls, login=True) as mailbox:
        given = {"SMTP_TLS": "starttls", "SMTP_USER": "hub", "SMTP_PASSWORD": "open sesame"}
        async with hub_with(mailbox.port, **given) as runtime:
            await send(runtime)

            async def distrusted() -> bool:
                return "CERTIFICATE_VERIFY_FAILED" in ((await outbox(runtime))[0][2] or "")

            await until(distrusted, 20)
            assert mailbox.logins == []
            monkeypatch.setenv("SSL_CERT_FILE", str(authority))
            async with runtime.database.work(SCOPE) as work:
                await work.session.execute(HURRY)
            await settled(runtime, "sent")
    assert mailbox.logins == [("hub", "open sesame")]


async def test_names_cannot_add_headers_or_lines(hub_with: Open) -> None:
    odd = Letter(
        "invitation", "kim@example.org", "en", {"inviter": "a\r\nBcc: eve@example.org"}, "/invite#token=x"
    )
    with mail_server() as mailbox:
        async with hub_with(mailbox.port) as runtime:
            await send(runtime, odd)
            await settled(runtime, "sent")
    assert mailbox.letters[0]["Bcc"] is None
