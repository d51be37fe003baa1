"""Every statement on providers and models."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import func, or_, select, text
from sqlalchemy.dialects.postgresql import insert

from aihub.kernel.db import Work
from aihub.services.gateway.models import Model, Provider


async def lock_names(work: Work) -> None:
    """Keep other writers of model names out until this work ends: a name may be another's alias."""
    await work.session.execute(text("select pg_advisory_xact_lock(hashtext('aihub.model_names'))"))


async def names_taken(work: Work, names: Sequence[str], besides: UUID | None) -> list[str]:
    """Those of `names` that a model other than `besides` has as its name or an alias."""
    statement = select(Model.name, Model.aliases).where(
        or_(Model.name.in_(names), Model.aliases.overlap(list(names)))
    )
    if besides is not None:
        statement = statement.where(Model.id != besides)
    taken: set[str] = set()
    for name, aliases in await work.session.execute(statement):
        taken.update({name, *aliases})
    return sorted(taken.intersection(names))


async def providers(work: Work, *, after: str | None = None, limit: int | None = None) -> Sequence[Provider]:
    statement = select(Provider).order_by(Provider.name)
    if after is not None:
        statement = statement.where(Provider.name > after)
    return (await work.session.scalars(statement.limit(limit))).all()


async def models(work: Work, *, after: str | None = None, limit: int | None = None) -> Sequence[Model]:
    statement = select(Model).order_by(Model.name)
    if after is not None:
        statement = statement.where(Model.name > after)
    return (await work.session.scalars(statement.limit(limit))).all()


async def provider(work: Work, provider_id: UUID) -> Provider | None:
    return await work.session.get(Provider, provider_id)


async def provider_to_change(work: Work, provider_id: UUID) -> Provider | None:
    return await work.session.get(Provider, provider_id, with_for_update=True)


async def provider_named(work: Work, name: str) -> Provider | None:
    return (await work.session.scalars(select(Provider).where(Provider.name == name))).one_or_none()


async def model(work: Work, model_id: UUID) -> Model | None:
    return await work.session.get(Model, model_id)


async def model_to_change(work: Work, model_id: UUID) -> Model | None:
    return await work.session.get(Model, model_id, with_for_update=True)


async def model_of(work: Work, provider_id: UUID, upstream_name: str) -> Model | None:
    """The chat model at this provider that has this name there; the oldest when several do."""
    statement = (
        select(Model)
        .where(Model.provider_id == provider_id, Model.kind == "chat", Model.upstream_name == upstream_name)
        .order_by(Model.created_at)
        .limit(1)
    )
    return (await work.session.scalars(statement)).one_or_none()


async def model_called(work: Work, name: str) -> Model | None:
    """The model that has this name or alias."""
    statement = select(Model).where(or_(Model.name == name, Model.aliases.overlap([name])))
    return (await work.session.scalars(statement)).one_or_none()


async def providers_by_id(work: Work, ids: Sequence[UUID]) -> dict[UUID, Provider]:
    rows = await work.session.scalars(select(Provider).where(Provider.id.in_(ids)))
    return {row.id: row for row in rows}


async def insert_provider_if_absent(work: Work, row: Provider) -> bool:
    """Insert unless the name is taken, also by a rival that has not committed yet; whether it was."""
    statement = (
        insert(Provider)
        .values(
            id=row.id,
            name=row.name,
            kind=row.kind,
            base_url=row.base_url,
            allow_private=row.allow_private,
        )
        .on_conflict_do_nothing(index_elements=["name"])
        .returning(Provider.id)
    )
    return (await work.session.execute(statement)).scalar_one_or_none() is not None


async def add(work: Work, row: Provider | Model) -> None:
    """Insert, with the values the database fills in read back."""
    work.session.add(row)
    await work.session.flush()
    await work.session.refresh(row)


async def store(work: Work, row: Provider | Model) -> None:
    """Write the changes of a row that was read in this work."""
    await work.session.flush()
    await work.session.refresh(row)


async def delete(work: Work, row: Provider | Model) -> None:
    await work.session.delete(row)
    await work.session.flush()


async def count_models(work: Work, provider_id: UUID) -> int:
    statement = select(func.count()).select_from(Model).where(Model.provider_id == provider_id)
    return (await work.session.execute(statement)).scalar_one()
