"""Deleting an account: seven days to keep it after all, then nothing anywhere names the person."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from email.message import EmailMessage
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text
from tests.services.conftest import Answer, Client, MakeClient, MakeUser
from tests.services.privacy.conftest import SCOPE, SECRET, Furnish, working
from tests.support.mail import Mailbox, text_of, token_in
from tests.support.waiting import until

from aihub.kernel import audit
from aihub.kernel.clock import FixedClock
from aihub.kernel.crypto import Crypto, DataErased
from aihub.kernel.db import Work
from aihub.kernel.privacy import Subject
from aihub.kernel.runtime import Runtime
from aihub.services.credits import service as credits_service
from aihub.services.identity.contracts import User
from aihub.services.identity.service import IdentityAuthenticator
from aihub.services.notifications.service import PostOffice
from aihub.services.privacy import domain, jobs, service
from aihub.services.privacy.contracts import NoDeletion
from aihub.services.privacy.service import Registry, deletions, exports

DUE = domain.GRACE + timedelta(seconds=1)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(domain, "SETTLING", 0.0)


async def rows(hub: Runtime, statement: str, **given: object) -> list[Any]:
    async with hub.database.work(SCOPE) as work:
        return list((await work.session.execute(text(statement), given)).all())


async def ask(hub: Runtime, user: User, *, immediately: bool = True) -> UUID:
    """An operator asks for the deletion; its id."""
    async with hub.database.work(SCOPE) as work:
        made = await service.order_deletion(
            work,
            hub,
            user.id,
            actor=None,
            reason=f"{SECRET} wrote to us",
            job=jobs.ERASE,
            immediately=immediately,
            confirmation=user.email,
        )
    return made.id


async def letter_about(mailbox: Mailbox, user: User, words: str) -> EmailMessage:
    """The letter to this person with these words in its subject, as soon as it is there."""

    def found() -> EmailMessage | None:
        there = mailbox.letters_to(user.email)
        return next((letter for letter in there if words in str(letter["Subject"])), None)

    letter = await until(found, 20)
    assert isinstance(letter, EmailMessage)
    return letter


async def mentions(hub: Runtime, *marks: str) -> dict[str, set[str]]:
    """Where any of the marks stands: in every table, whatever the type of its columns."""
    found: dict[str, set[str]] = {}
    for (name,) in await rows(hub, "select tablename from pg_tables where schemaname = 'public'"):
        for mark in marks:
            hexed = mark.encode().hex()
            bare = str(UUID(mark)).replace("-", "") if len(mark) == 36 else mark
            where = (
                "strpos(lower(r::text), lower(:mark)) > 0 or strpos(r::text, :hexed) > 0 "
                "or strpos(r::text, :bare) > 0"
            )
            given = {"mark": mark, "hexed": hexed, "bare": bare}
            if (await rows(hub, f"select count(*) from {name} r where {where}", **given))[0][0]:
                found.setdefault(name, set()).add(mark)
    return found


async def test_after_erasing_nothing_names_the_person(
    hub: Runtime, furnish: Furnish, mailbox: Mailbox, client: MakeClient
) -> None:
    user, other = await furnish("ada"), await furnish("bob")
    ada = client()
    assert (await ada.sign_in(user.email)).status == 200
    assert (await client().sign_in(user.email, "wrong")).status == 401
    marks = (str(user.id), user.email)
    subject = exports.subject_of(hub, user)
    for kind in hub.get(Registry).data:
        async with hub.database.work(SCOPE) as work:
            assert await kind.count(work, subject) > 0, f"{kind.name}: nothing to erase, so nothing is shown"
    before = await mentions(hub, *marks, SECRET)
    assert {"users", "messages", "ledger_entries", "audit_log", "sessions", "outbox"} <= set(before)
    deletion_id = await ask(hub, user)
    async with working(hub):
        letter = await letter_about(mailbox, user, "erased")
        await until(lambda: _outbox_is_free_of(hub, user.email), 20)
    found = await mentions(hub, *marks)
    # The audit trail keeps the number and nothing else; it is declared, with a reason.
    assert found == {"audit_log": {str(user.id)}}
    kept = {table for kind in hub.get(Registry).data if kind.kept for table in kind.tables}
    assert "audit_log" in kept
    # The secret word is Bob's too, who typed the same everywhere, so look at what he does not own.
    await _only(hub, SECRET, other)
    async with hub.database.work(SCOPE) as work:
        verdict = await audit.verify(work)
        books = await credits_service.check_invariant(work)
    assert verdict.ok, verdict.problems
    assert books.problems == ()
    assert str(deletion_id) in text_of(letter)
    assert (await client().sign_in(user.email)).code == "auth.sign_in_failed"


async def _outbox_is_free_of(hub: Runtime, email: str) -> bool:
    return not await rows(hub, "select 1 from outbox where to_address = :email", email=email)


async def _only(hub: Runtime, mark: str, other: User) -> None:
    """Every row that holds the mark belongs to the other person."""
    for name in await mentions(hub, mark):
        strangers = await rows(
            hub,
            f"select r::text from {name} r where strpos(r::text, :mark) > 0 "
            "and strpos(r::text, :owner) = 0 and strpos(r::text, :email) = 0",
            mark=mark,
            owner=str(other.id),
            email=other.email,
        )
        assert strangers == [], name


async def test_sealed_data_cannot_be_opened_again(hub: Runtime, furnish: Furnish) -> None:
    user = await furnish("ada")
    (sealed,) = (await rows(hub, "select pending from totp_secrets where owner_id = :o", o=user.id))[0]
    async with hub.database.work(SCOPE) as work:
        assert await hub.get(Crypto).open(work, sealed, context="test") == SECRET.encode()
    await deletions.carry_out(hub, await ask(hub, user))
    async with hub.database.work(SCOPE) as work:
        with pytest.raises(DataErased):
            await hub.get(Crypto).open(work, sealed, context="test")


async def test_money_stays_on_the_books_under_a_pseudonym(hub: Runtime, furnish: Furnish) -> None:
    user = await furnish("ada")
    statement = "select kind, amount, balance_after from ledger_entries where owner_id = :o order by id"
    before = await rows(hub, statement, o=user.id)
    deletion_id = await ask(hub, user)
    await deletions.carry_out(hub, deletion_id)
    after = await rows(hub, statement, o=deletion_id)
    # What moved is told as before; then each account is brought to zero.
    assert after[: len(before)] == before
    assert len(before) >= 3
    closing = after[len(before) :]
    assert len(closing) == 2
    assert {entry[0] for entry in closing} == {"adjustment"}
    assert all(entry[2] == 0 for entry in closing)
    accounts = await rows(
        hub, "select balance, closed_at from ledger_accounts where owner_id = :o", o=deletion_id
    )
    assert [balance for balance, _ in accounts] == [0, 0]
    assert all(closed for _, closed in accounts)


async def test_the_ledger_still_refuses_every_other_change(hub: Runtime, furnish: Furnish) -> None:
    user = await furnish("ada")
    for statement in (
        "update ledger_entries set reason = '' where owner_id = :o",
        "select ledger_forget(:o)",
        "select set_config('aihub.forgetting', 'on', true), ledger_forget(:o)",
    ):
        with pytest.raises(Exception, match=r"permission denied|no deletion of this id has begun"):
            await rows(hub, statement, o=user.id)


async def test_a_grace_of_seven_days_in_which_only_keeping_the_account_works(
    hub: Runtime,
    furnish: Furnish,
    client: MakeClient,
    clock: FixedClock,
    mailbox: Mailbox,
    make_key: Callable[..., Any],
) -> None:
    user = await furnish("ada")
    phone, laptop, program = client(), client(), client(key=await make_key(user.id))
    await phone.sign_in(user.email)
    await laptop.sign_in(user.email)
    assert (await program("GET", "/api/v1/credits")).status == 200
    wrong = await laptop("POST", "/api/v1/me/deletion", {"confirmation": "somebody@example.org"})
    assert (wrong.status, wrong.code) == (422, "privacy.confirmation_wrong")
    asked = await laptop("POST", "/api/v1/me/deletion", {"confirmation": " ADA@example.org "})
    assert asked.status == 202
    assert asked.body["due_at"][:10] == f"{clock.now() + domain.GRACE:%Y-%m-%d}"
    # Keys and other sessions end at once; this one can do nothing but keep the account.
    assert (await phone("GET", "/api/v1/session")).status == 401
    assert (await program("GET", "/api/v1/credits")).code == "account.leaving"
    assert (await laptop("GET", "/api/v1/conversations")).code == "account.leaving"
    session = await laptop("GET", "/api/v1/session")
    assert session.body["user"]["leaving_at"] == asked.body["due_at"]
    async with working(hub):
        letter = await letter_about(mailbox, user, "will be deleted")
    assert f"{clock.now() + domain.GRACE:%Y-%m-%d}" in str(letter["Subject"])
    # Nothing happens before its time.
    clock.at += domain.GRACE - timedelta(minutes=1)
    await deletions.carry_out(hub, UUID(asked.body["id"]))
    again = client()
    assert (await again.sign_in(user.email)).status == 200
    assert (await again("DELETE", "/api/v1/me/deletion")).status == 204
    assert (await again("GET", "/api/v1/conversations")).status == 200
    assert (await program("GET", "/api/v1/credits")).status == 200
    assert (await again("DELETE", "/api/v1/me/deletion")).code == "privacy.no_deletion"
    clock.at += timedelta(days=30)
    await deletions.carry_out(hub, UUID(asked.body["id"]))
    assert await rows(hub, "select 1 from users where id = :o", o=user.id)


async def test_the_clock_carries_out_what_is_due(hub: Runtime, furnish: Furnish, clock: FixedClock) -> None:
    user = await furnish("ada")
    deletion_id = await ask(hub, user, immediately=False)
    await rows(hub, "update procrastinate_jobs set scheduled_at = now() + interval '1 year' returning id")
    clock.at += DUE
    async with working(hub):
        await deletions.sweep(hub, jobs.ERASE)
        await until(lambda: _stage(hub, deletion_id, "done"), 20)


async def _stage(hub: Runtime, deletion_id: UUID, stage: str) -> bool:
    found = await rows(hub, "select stage from deletions where id = :d", d=deletion_id)
    return bool(found == [(stage,)])


async def test_keeping_and_erasing_at_the_deadline_exactly_one_wins(
    hub: Runtime, make_user: MakeUser, clock: FixedClock
) -> None:
    people = [await make_user(f"racer{n}") for n in range(8)]
    ids = [await ask(hub, person, immediately=False) for person in people]
    clock.at += DUE

    async def keep(person: User) -> bool:
        try:
            async with hub.database.work(SCOPE) as work:
                await service.cancel_deletion(work, hub, person.id, actor=None)
        except NoDeletion:
            return False
        return True

    outcomes = await asyncio.gather(
        *(keep(person) for person in people), *(deletions.carry_out(hub, i) for i in ids)
    )
    for person, kept, deletion_id in zip(people, outcomes, ids, strict=False):
        there = bool(await rows(hub, "select 1 from users where id = :o and active", o=person.id))
        assert there is kept
        assert await _stage(hub, deletion_id, "cancelled" if kept else "done")


class Dies(Exception):
    """The process was killed here."""


async def test_dying_anywhere_another_carries_on_and_counts_nothing_twice(
    hub: Runtime, furnish: Furnish, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = await furnish("ada")
    messages = (await rows(hub, "select count(*) from messages where owner_id = :o", o=user.id))[0][0]
    deletion_id = await ask(hub, user)
    registry = hub.get(Registry)
    deaths = 0
    for kind in registry.data:

        async def dying(work: Work, subject: Subject, kind: Any = kind) -> int:
            """Does its work and dies before it is committed."""
            await kind.erase(work, subject)
            raise Dies

        broken = tuple(replace(k, erase=dying) if k is kind else k for k in registry.data)
        hub.provide(Registry, Registry(broken))
        with pytest.raises(Dies):
            await deletions.carry_out(hub, deletion_id)
        deaths += 1
        assert await _stage(hub, deletion_id, "erasing")
    assert deaths == len(registry.data)
    hub.provide(Registry, registry)
    await asyncio.gather(*(deletions.carry_out(hub, deletion_id) for _ in range(3)))
    assert await _stage(hub, deletion_id, "done")
    async with hub.database.work(SCOPE) as work:
        document = await service.certificate_of(work, deletion_id)
    told = {entry["data"]: entry["rows"] for entry in document["erased"]}
    assert told["messages"] == messages
    assert told["account"] == 1
    assert len(await rows(hub, "select 1 from deletion_certificates")) == 1


async def test_the_certificate_names_nobody_and_can_be_checked(
    hub: Runtime, furnish: Furnish, client: MakeClient, mailbox: Mailbox
) -> None:
    user = await furnish("ada")
    deletion_id = await ask(hub, user)
    async with working(hub):
        letter = await letter_about(mailbox, user, "erased")
    (attached,) = letter.iter_attachments()
    document = json.loads(attached.get_content())
    assert attached.get_filename() == f"deletion-{deletion_id}.json"
    opened = await client()("POST", "/api/v1/certificates/open", {"token": token_in(letter)})
    assert opened.body["certificate"] == document
    for mark in (str(user.id), user.email, SECRET, "ada"):
        assert mark not in json.dumps(document)
    assert {entry["data"] for entry in document["kept"]} >= {"ledger_entries", "audit_log"}
    assert all(entry["why"] for entry in document["kept"])

    async def verdict(changed: Any) -> Answer:
        return await client()("POST", "/api/v1/certificates/verify", {"certificate": changed})

    assert (await verdict(document)).body == {"genuine": True, "problem": None}
    for name in ("erased_at", "pseudonym", "asked_by"):
        assert (await verdict(document | {name: "x"})).body["genuine"] is False
    forged = json.loads(json.dumps(document))
    forged["erased"][0]["rows"] += 1
    assert "changed" in (await verdict(forged)).body["problem"]
    assert "another hub" in (await verdict(document | {"public_key": "x"})).body["problem"]
    assert (await verdict({})).body["genuine"] is False
    key = await client()("GET", "/api/v1/certificates/key")
    assert key.body["public_key"] == document["public_key"]
    missing = await client()("POST", "/api/v1/certificates/open", {"token": "x" * 40})
    assert (missing.status, missing.code) == (404, "privacy.no_certificate")


async def test_the_last_letter_goes_after_a_day_when_nobody_takes_it(
    hub: Runtime, furnish: Furnish, mailbox: Mailbox, clock: FixedClock
) -> None:
    user = await furnish("ada")
    mailbox.refuse = "451 later"
    await deletions.carry_out(hub, await ask(hub, user))
    assert set(await mentions(hub, user.email)) == {"outbox"}
    clock.at += domain.LETTER_LIFE + timedelta(seconds=1)
    await hub.get(PostOffice).sweep()
    assert await mentions(hub, user.email) == {}


async def administrator(hub: Runtime, client: MakeClient, make_user: MakeUser, *roles: str) -> Client:
    caller = client()
    user = await make_user("chief", *(roles or ("super_admin",)))
    await caller.sign_in(user.email)
    return caller


async def test_an_administrator_needs_a_reason_and_the_person_is_told(
    hub: Runtime, furnish: Furnish, make_user: MakeUser, client: MakeClient, mailbox: Mailbox
) -> None:
    user = await furnish("ada")
    chief = await administrator(hub, client, make_user)
    path = f"/api/v1/users/{user.id}/deletion"
    assert (await chief("POST", path, {"reason": ""})).status == 422
    unconfirmed = await chief("POST", path, {"reason": "left the company", "immediately": True})
    assert unconfirmed.code == "privacy.confirmation_wrong"
    asked = await chief("POST", path, {"reason": "left the company"})
    assert (asked.status, asked.body["way"]) == (202, "administrator")
    assert (await chief("POST", path, {"reason": "left the company"})).code == "privacy.deletion_pending"
    listed = await chief("GET", "/api/v1/deletions")
    waiting = [item["id"] for item in listed.body["items"] if item["stage"] == "waiting"]
    assert waiting == [asked.body["id"]]
    async with working(hub):
        letter = await letter_about(mailbox, user, "will be deleted")
    assert "left the company" in text_of(letter)
    assert (await chief("DELETE", path)).status == 204
    now = {"reason": "left the company", "immediately": True, "confirmation": user.email}
    done = await chief("POST", path, now)
    assert done.status == 202
    await deletions.carry_out(hub, UUID(done.body["id"]))
    certificate = await chief("GET", f"/api/v1/deletions/{done.body['id']}/certificate")
    assert certificate.body["certificate"]["asked_by"] == "administrator"
    assert user.email not in json.dumps((await chief("GET", "/api/v1/deletions")).body)


async def test_who_may_not_be_deleted_by_whom(hub: Runtime, make_user: MakeUser, client: MakeClient) -> None:
    chief_user = await make_user("chief", "super_admin")
    chief, admin = client(), client()
    await chief.sign_in(chief_user.email)
    await admin.sign_in((await make_user("adam", "admin")).email)
    own = f"/api/v1/users/{chief_user.id}/deletion"
    assert (await chief("POST", own, {"reason": "because"})).code == "privacy.own_account"
    assert (await admin("POST", own, {"reason": "because"})).code == "roles.beyond_own"
    assert (await admin("POST", f"/api/v1/users/{chief_user.id}/exports", {"reason": "because"})).code == (
        "roles.beyond_own"
    )
    last = await chief("POST", "/api/v1/me/deletion", {"confirmation": chief_user.email})
    assert last.code == "users.last_administrator"
    # With a second one it works, and then the second is the last.
    second_user = await make_user("second", "super_admin")
    second = client()
    await second.sign_in(second_user.email)
    assert (await chief("POST", "/api/v1/me/deletion", {"confirmation": chief_user.email})).status == 202
    assert (await second("POST", "/api/v1/me/deletion", {"confirmation": second_user.email})).code == (
        "users.last_administrator"
    )
    stranger = client()
    await stranger.sign_in((await make_user("sam")).email)
    assert (await stranger("POST", own, {"reason": "because"})).status == 403
    assert (await stranger("GET", "/api/v1/deletions")).status == 403


async def test_erasing_an_administrator_frees_what_names_them_elsewhere(
    hub: Runtime, furnish: Furnish, make_user: MakeUser, client: MakeClient
) -> None:
    keeper = await make_user("keeper", "super_admin")
    chief_user, other = await make_user("chief", "super_admin"), await furnish("bob")
    chief = client()
    await chief.sign_in(chief_user.email)
    granted = await chief(
        "POST",
        f"/api/v1/users/{other.id}/credits",
        {"amount": "3", "reason": "a present"},
        headers={"Idempotency-Key": "present-1"},
    )
    assert granted.status == 200, granted.body
    assert (await chief("PATCH", f"/api/v1/users/{other.id}", {"roles": ["user", "manager"]})).status == 200
    assert (await chief("POST", f"/api/v1/users/{other.id}/exports", {"reason": "they asked"})).status == 202
    assert (await chief("POST", f"/api/v1/users/{other.id}/deletion", {"reason": "they asked"})).status == 202
    await deletions.carry_out(hub, await ask(hub, chief_user))
    found = await mentions(hub, str(chief_user.id), chief_user.email)
    found.pop("outbox", None)  # the last letter is on its way
    assert found == {"audit_log": {str(chief_user.id)}}
    assert await rows(hub, "select 1 from users where id = :k", k=keeper.id)
    assert await rows(hub, "select 1 from deletions where owner_id = :o and stage = 'waiting'", o=other.id)


async def test_a_key_is_not_enough_and_a_proof_must_be_fresh(
    hub: Runtime, make_user: MakeUser, client: MakeClient, clock: FixedClock, make_key: Callable[..., Any]
) -> None:
    user = await make_user("ada")
    program, browser = client(key=await make_key(user.id)), client()
    await browser.sign_in(user.email)
    for method, path, body in (
        ("POST", "/api/v1/me/deletion", {"confirmation": user.email}),
        ("POST", "/api/v1/me/exports", None),
    ):
        assert (await program(method, path, body)).code == "auth.session_required"
    for path in ("/api/v1/me/privacy", "/api/v1/me/exports", "/api/v1/me/deletion"):
        assert (await program("GET", path)).code == "auth.session_required"
    clock.at += timedelta(minutes=30)
    late = await browser("POST", "/api/v1/me/deletion", {"confirmation": user.email})
    assert late.code == "auth.fresh_proof_needed"


async def test_who_has_yet_to_add_a_second_factor_can_keep_the_account(
    hub: Runtime, make_user: MakeUser, client: MakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = await make_user("ada")
    await ask(hub, user, immediately=False)
    monkeypatch.setattr(hub.get(IdentityAuthenticator), "second_factor_roles", frozenset({"user"}))
    browser = client()
    await browser.sign_in(user.email)
    assert (await browser("GET", "/api/v1/me/deletion")).status == 200
    assert (await browser("GET", "/api/v1/conversations")).status == 403
    assert (await browser("DELETE", "/api/v1/me/deletion")).status == 204
    assert (await browser("GET", "/api/v1/conversations")).code == "auth.second_factor_needed"
