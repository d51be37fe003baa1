"""The accounts at providers that sign in to one's own, and using them as a fresh proof."""

from uuid import UUID

from aihub.kernel import audit
from aihub.kernel.auth import Actor
from aihub.kernel.clock import Clock
from aihub.kernel.db import Work
from aihub.kernel.errors import NotFound
from aihub.kernel.tokens import token_hash
from aihub.services.identity import queries
from aihub.services.identity.contracts import SessionEnded
from aihub.services.identity.contracts.federation import (
    Attempt,
    AttemptInvalid,
    Identity,
    IdentityProvider,
    LastWayIn,
    LinkedSignIn,
    LinkTaken,
    ProofOfAnother,
    ProofStale,
    ProviderUnknown,
    Waiting,
)
from aihub.services.identity.queries import factors, federation
from aihub.services.identity.service.federation.entering import link_account
from aihub.services.identity.service.federation.roles import follow_groups
from aihub.services.identity.service.federation.travel import asked_again


async def sign_in_choices(work: Work) -> list[tuple[str, str]]:
    """Handle and name of the providers that people may sign in with, by name."""
    return await federation.provider_rows(work, enabled=True)


async def list_links(work: Work, user_id: UUID) -> list[LinkedSignIn]:
    """The user's links, the newest first."""
    return await federation.links(work, user_id)


async def has_password(work: Work, user_id: UUID) -> bool:
    """Whether the user can sign in with a password, too."""
    return await federation.has_password(work, user_id)


async def link(
    work: Work, actor: Actor, provider: IdentityProvider, identity: Identity, clock: Clock
) -> None:
    """Let this account at the provider sign in as the actor, who has shown to be both.

    Raises LinkTaken when it is somebody else's already.
    """
    await queries.lock_user(work, actor.user_id)
    await federation.lock_subject(work, provider.issuer, identity.subject)
    user = await queries.user(work, actor.user_id)
    if user is None or not user.active:
        raise SessionEnded()
    if not await link_account(work, provider, user, identity, clock.now()):
        known = await federation.link_of(work, provider.issuer, identity.subject)
        if known is None or known.owner_id != actor.user_id:
            raise LinkTaken()
    await follow_groups(work, provider, user.id, identity)


async def look_at_waiting(work: Work, browser: str, clock: Clock) -> Waiting:
    """What waits in this browser. Raises NotFound."""
    found = await federation.waiting(work, token_hash(browser), clock.now())
    if found is None:
        raise NotFound("Nothing waits in this browser.")
    return found


async def link_waiting(work: Work, actor: Actor, browser: str, clock: Clock) -> str:
    """Link the sign-in that waits in this browser to the actor; the page to go on to.

    Raises AttemptInvalid, ProviderUnknown or LinkTaken.
    """
    waits = await federation.waiting(work, token_hash(browser), clock.now(), "link", lock=True)
    if waits is None or not await federation.take_waiting(work, waits.id):
        raise AttemptInvalid()
    provider = await federation.provider(work, waits.provider_id)
    if provider is None or not provider.enabled:
        raise ProviderUnknown()
    await link(work, actor, provider, waits.identity, clock)
    return waits.next_path


async def unlink(work: Work, actor: Actor, link_id: UUID) -> None:
    """Forget a link: that account does not sign in here any more, and the roles it brought go.

    Raises NotFound, or LastWayIn.
    """
    await queries.lock_administrators(work)
    await queries.lock_user(work, actor.user_id)
    known = {each.id: each for each in await federation.links(work, actor.user_id)}
    if link_id not in known or not await federation.delete_link(work, actor.user_id, link_id):
        raise NotFound("You have no such linked sign-in.")
    gone = known.pop(link_id)
    others = (
        await federation.has_password(work, actor.user_id)
        or bool(await factors.passkeys(work, actor.user_id))
        or await federation.enabled_links(work, actor.user_id) > 0
    )
    if not others:
        raise LastWayIn()
    provider = await federation.provider(work, gone.provider_id)
    if provider is not None and all(each.provider_id != provider.id for each in known.values()):
        nothing = Identity("", None, "", frozenset(), False, None)
        await follow_groups(work, provider, actor.user_id, nothing)
    await audit.record(
        work,
        actor=actor,
        action="sign_in.unlink",
        target_kind="user",
        target_id=str(actor.user_id),
        details={"provider": gone.handle, "email": gone.email, "link": str(gone.id)},
    )


async def prove(
    work: Work, actor: Actor, attempt: Attempt, provider: IdentityProvider, identity: Identity, clock: Clock
) -> None:
    """A fresh proof for the actor's session, if the provider asked the linked person again.

    Raises ProofOfAnother or ProofStale.
    """
    known = await federation.link_of(work, provider.issuer, identity.subject)
    if known is None or known.owner_id != actor.user_id or actor.session_id is None:
        raise ProofOfAnother()
    if not asked_again(identity, attempt.created_at):
        raise ProofStale()
    await queries.prove_session(work, actor.session_id, clock.now(), second_factor=identity.strong)


def same_session(attempt: Attempt, actor: Actor | None) -> Actor:
    """The actor, if it is the one who began this. Raises AttemptInvalid."""
    if actor is None or actor.session_id is None:
        raise AttemptInvalid("You are not signed in any more in this browser.")
    if (actor.user_id, actor.session_id) != (attempt.owner_id, attempt.session_id):
        raise AttemptInvalid("Somebody else is signed in now in this browser.")
    return actor
