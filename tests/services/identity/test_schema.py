"""The models say what the migrations made."""

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine
from tests.support.database import Server

from aihub.kernel.db import metadata
from aihub.kernel.db.database import sqlalchemy_url
from aihub.services.credits import models as credits_models
from aihub.services.identity import models as identity_models
from aihub.services.identity.models import federation as federation_models
from aihub.services.notifications import models as notifications_models
from aihub.services.privacy import models as privacy_models


@pytest.mark.parametrize(
    "models", [identity_models, federation_models, credits_models, notifications_models, privacy_models]
)
def test_models_and_tables_agree(postgres: Server, models: object) -> None:
    ours = {
        value.__tablename__
        for value in vars(models).values()
        if isinstance(value, type) and "__table__" in vars(value)
    }
    assert ours
    engine = create_engine(sqlalchemy_url(postgres.admin))
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "compare_type": True,
                "include_name": lambda name, kind, _parents: kind != "table" or name in ours,
                "include_object": lambda item, _name, kind, _reflected, _other: (
                    (item if kind == "table" else item.table).name in ours and kind != "unique_constraint"
                ),
            },
        )
        differences = compare_metadata(context, metadata)
    engine.dispose()
    assert differences == []
