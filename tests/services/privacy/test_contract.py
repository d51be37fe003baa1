"""Every table that holds people's data says how it is handed over and how it is forgotten."""

import re
from collections.abc import Sequence
from typing import Any

import psycopg
import pytest
from tests.support.database import Server

from aihub.app.modules import MODULES
from aihub.kernel.privacy import PersonalData, personal_data

ALL = personal_data(MODULES)

_OF_PEOPLE = """
select distinct c.relname from pg_class c
left join pg_attribute a on a.attrelid = c.oid and not a.attisdropped and a.attname in (
  'owner_id', 'user_id', 'person_id', 'actor_id', 'subject_id', 'created_by', 'requested_by', 'assigned_by',
  'granted_by', 'revoked_by')
left join pg_constraint k on k.conrelid = c.oid and k.contype = 'f' and k.confrelid = 'users'::regclass
where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')
  and (a.attname is not null or k.oid is not null)
"""


def of_people(dsn: str) -> set[str]:
    """Tables with an owner, or that refer to people by a foreign key or by the name of a column."""
    with psycopg.connect(dsn) as connection:
        return {row[0] for row in connection.execute(_OF_PEOPLE).fetchall()}


def undeclared(dsn: str, data: Sequence[PersonalData]) -> set[str]:
    return of_people(dsn) - {table for kind in data for table in kind.tables}


def test_every_table_of_people_is_declared(postgres: Server) -> None:
    assert undeclared(postgres.admin, ALL) == set(), (
        "declare them in the personal.py of their module: how they are handed over and forgotten"
    )


def test_a_new_table_of_people_is_noticed(postgres: Server) -> None:
    with psycopg.connect(postgres.owner, autocommit=True) as connection:
        connection.execute("create table diaries (id uuid primary key, owner_id uuid not null)")
        connection.execute("create table guests (id uuid primary key, host uuid references users(id))")
    assert undeclared(postgres.admin, ALL) == {"diaries", "guests"}


def test_every_declared_table_is_there_and_declared_once(postgres: Server) -> None:
    declared = [table for kind in ALL for table in kind.tables]
    assert sorted(declared) == sorted(set(declared))
    with psycopg.connect(postgres.admin) as connection:
        there = {
            row[0]
            for row in connection.execute("select tablename from pg_tables where schemaname = 'public'")
        }
    assert set(declared) <= there


def test_names_are_unique_and_titles_are_words() -> None:
    names = [kind.name for kind in ALL]
    assert len(set(names)) == len(names)
    for kind in ALL:
        assert re.fullmatch(r"[a-z_]+", kind.name)
        assert " " in kind.title


def test_what_is_withheld_exists_and_has_a_reason(postgres: Server) -> None:
    with psycopg.connect(postgres.admin) as connection:
        for kind in ALL:
            columns: set[Any] = {
                row[0]
                for table in kind.tables
                for row in connection.execute(
                    "select column_name from information_schema.columns where table_name = %s", (table,)
                )
            }
            assert set(kind.withheld or {}) <= columns, kind.name
            assert all(kind.withheld.values() if kind.withheld else ()), kind.name


def test_keeping_needs_a_reason() -> None:
    kind = ALL[0]
    with pytest.raises(ValueError, match="needs a reason"):
        PersonalData("x", "y", ("z",), kind.count, kind.export, kind.erase, kept="because")


def test_what_others_need_goes_last() -> None:
    assert {kind.name for kind in ALL if kind.last} >= {"account", "data_keys"}
