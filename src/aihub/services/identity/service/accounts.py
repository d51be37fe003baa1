"""People: creating, changing and finding accounts."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from aihub.kernel import audit
from aihub.kernel.auth import Actor
from aihub.kernel.db import Work
from aihub.kernel.errors import FieldError, InvalidRequest, NotFound
from aihub.services.identity import queries
from aihub.services.identity.contracts import (
    Access,
    BeyondOwnPermissions,
    EmailTaken,
    LastAdministrator,
    RoleInfo,
    User,
    Wallets,
)
from aihub.services.identity.contracts.access import OwnRoles
from aihub.services.identity.domain import SIGNED_UP, SUPER_ADMIN, normal_email
from aihub.services.identity.queries import links
from aihub.services.identity.service.new_passwords import NewPassword
from aihub.services.identity.service.roles import require_own


async def find_user(work: Work, user_id: UUID) -> User | None:
    return await queries.user(work, user_id)


async def find_user_by_email(work: Work, email: str) -> User | None:
    """The account with this address, however it is capitalised."""
    try:
        return await queries.user_by_email(work, normal_email(email))
    except ValueError:
        return None


async def list_users(
    work: Work, *, search: str = "", after: UUID | None = None, limit: int = 50
) -> tuple[list[User], UUID | None]:
    """A page of users, the newest first, and where the next page begins."""
    rows = await queries.users(work, search, after, limit + 1)
    return rows[:limit], rows[limit - 1].id if len(rows) > limit else None


async def list_roles(work: Work) -> list[RoleInfo]:
    return await queries.roles(work)


async def access_of(work: Work, user_id: UUID) -> Access | None:
    """What the user may do at this moment."""
    return await queries.access(work, user_id)


async def create_user(
    work: Work,
    *,
    email: str,
    password: NewPassword | None,
    wallets: Wallets,
    name: str = "",
    roles: Sequence[str] = (SIGNED_UP,),
    actor: Actor | None = None,
) -> User:
    """Create an account with these roles and the credits newcomers get.

    `actor` None is the operator at the command line, who may give any role; anybody else needs
    `roles:assign` for more than the ordinary role, and every permission of the roles given. Without a
    password nobody can sign in, but keys work.

    Raises InvalidRequest, EmailTaken or BeyondOwnPermissions.
    """
    email = checked_email(email)
    known = await known_roles(work, roles)
    if actor is not None and set(roles) - {SIGNED_UP}:
        may_assign(actor, known)
    if SUPER_ADMIN in roles:
        await queries.lock_administrators(work)
    user_id = await queries.insert_user(work, email, name, password.hashed if password else None)
    if user_id is None:
        raise EmailTaken(errors=[FieldError("email", "is taken", "taken")])
    await queries.give_roles(work, user_id, roles, actor.user_id if actor else None)
    if SUPER_ADMIN in roles:
        await links.close_setup_links(work)
    await wallets.open_user(work, user_id)
    await audit.record(
        work,
        actor=actor,
        action="user.create",
        target_kind="user",
        target_id=str(user_id),
        details={"email": email, "roles": sorted(roles)},
    )
    return await _existing(work, user_id)


async def update_user(
    work: Work,
    user_id: UUID,
    *,
    actor: Actor | None,
    name: str | None = None,
    active: bool | None = None,
    roles: Sequence[str] | None = None,
) -> User:
    """Change an account; None leaves a thing as it is. Deactivating ends its sessions at once.

    Raises NotFound, InvalidRequest, BeyondOwnPermissions, OwnRoles, or LastAdministrator when no active
    super_admin would be left.
    """
    await queries.lock_administrators(work)
    if not await queries.lock_user(work, user_id):
        raise NotFound("There is no such user.")
    before = await _existing(work, user_id)
    if actor is not None and actor.user_id != user_id:
        await may_change(work, actor, user_id)
    changes: dict[str, object] = {}
    if name is not None and name != before.name:
        changes["name"] = {"before": before.name, "after": name}
        await queries.update_user(work, user_id, name=name)
    if active is not None and active != before.active:
        changes["active"] = {"before": before.active, "after": active}
        await queries.update_user(work, user_id, active=active)
        if not active:
            await queries.revoke_sessions(work, owner_id=user_id)
    if roles is not None and set(roles) != set(before.roles):
        changes["roles"] = {"before": sorted(before.roles), "after": sorted(roles)}
        await _change_roles(work, user_id, set(before.roles), set(roles), actor)
    fewer = SUPER_ADMIN in before.roles and not changes.keys().isdisjoint(("active", "roles"))
    if fewer and not await queries.administrator_exists(work, lasting=True):
        raise LastAdministrator()
    if "roles" in changes and actor is not None and actor.user_id == user_id:
        raise OwnRoles()
    if changes:
        await audit.record(
            work,
            actor=actor,
            action="user.update",
            target_kind="user",
            target_id=str(user_id),
            details={"email": before.email, **changes},
        )
    return await _existing(work, user_id)


async def update_profile(
    work: Work, actor: Actor, *, name: str | None, locale: str | None, theme: str | None
) -> User:
    """Change one's own name, language or colours."""
    given = {"name": name, "locale": locale, "theme": theme}
    values = {field: value for field, value in given.items() if value is not None}
    if values:
        await queries.update_user(work, actor.user_id, **values)
    return await _existing(work, actor.user_id)


async def set_password(
    work: Work, user_id: UUID, password: NewPassword, *, actor: Actor | None, keep_session: UUID | None = None
) -> None:
    """Give the account a new password and end its sessions, except `keep_session`. Raises NotFound."""
    await _existing(work, user_id)
    await queries.update_user(work, user_id, password_hash=password.hashed)
    await links.close_of(work, links.PASSWORD_RESET, user_id)
    ended = await queries.revoke_sessions(work, owner_id=user_id, keep=keep_session)
    await audit.record(
        work,
        actor=actor,
        action="user.password",
        target_kind="user",
        target_id=str(user_id),
        details={"sessions_ended": ended},
    )


def checked_email(text: str) -> str:
    """The address in its one spelling. Raises InvalidRequest."""
    try:
        return normal_email(text)
    except ValueError as exc:
        raise InvalidRequest(errors=[FieldError("email", str(exc))]) from exc


async def _existing(work: Work, user_id: UUID) -> User:
    user = await queries.user(work, user_id)
    if user is None:
        raise NotFound("There is no such user.")
    return user


async def known_roles(work: Work, names: Iterable[str]) -> dict[str, RoleInfo]:
    """The roles of these names. Raises InvalidRequest for unknown ones."""
    known = {role.name: role for role in await queries.roles(work)}
    unknown = sorted(set(names) - set(known))
    if unknown:
        message = f"unknown: {', '.join(unknown)}; known are {', '.join(sorted(known))}"
        raise InvalidRequest(errors=[FieldError("roles", message, "unknown")])
    return {name: known[name] for name in names}


async def _change_roles(
    work: Work, user_id: UUID, before: set[str], after: set[str], actor: Actor | None
) -> None:
    changed = await known_roles(work, before ^ after)
    if actor is not None:
        may_assign(actor, changed)
        await require_own(work, actor, set[str]().union(*(role.permissions for role in changed.values())))
    await queries.take_roles(work, user_id, before - after)
    await queries.give_roles(work, user_id, after - before, actor.user_id if actor else None)
    if SUPER_ADMIN in after:
        await links.close_setup_links(work)


def may_assign(actor: Actor, roles: dict[str, RoleInfo]) -> None:
    """Raises BeyondOwnPermissions for roles the actor cannot give."""
    needed = {"roles:assign"}.union(*(role.permissions for role in roles.values()))
    if missing := sorted(needed - actor.permissions):
        raise BeyondOwnPermissions(f"You lack {', '.join(missing)}.")


async def may_change(work: Work, actor: Actor, user_id: UUID) -> None:
    """Nobody changes an account that may do more than their own."""
    own, other = await queries.access(work, actor.user_id), await queries.access(work, user_id)
    missing = sorted((other.permissions if other else set()) - (own.permissions if own else set()))
    if missing:
        raise BeyondOwnPermissions(f"This account may do what yours may not: {', '.join(missing)}.")
