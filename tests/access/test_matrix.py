"""Who may do what, on every route: what the hub does against the table that people read."""

import pytest
from tests.access.observe import SAFE, Observer
from tests.access.routes import every_way
from tests.access.table import COLUMNS, FILE, ROLES, Row, parse
from tests.access.world import opened

TABLE = parse(FILE.read_text("utf-8"))


def _ids(row: Row) -> str:
    return f"{row.route} ({row.whose})"


def test_every_route_has_a_row_and_no_row_is_of_a_route_that_is_gone() -> None:
    routes = {f"{way.method} {way.path}": way for way in every_way()}
    rows = {row.route for row in TABLE}
    assert set(routes) - rows == set(), (
        "decide who may do it: `python -m tests.access.matrix` prints the rows"
    )
    assert rows - set(routes) == set()
    assert len({row.key for row in TABLE}) == len(TABLE)
    for row in TABLE:
        way = routes[row.route]
        assert row.permission == (way.permission or ("signed in" if way.guarded else "–")), _ids(row)


def test_what_belongs_to_one_person_is_nobody_elses() -> None:
    assert [_ids(row) for row in TABLE if row.whose == "another's" and "yes" in row.cells] == []


def test_a_greater_role_may_do_no_less() -> None:
    for row in TABLE:
        may = [cell == "yes" for cell in row.cells]
        assert may == sorted(may), _ids(row)


def test_only_a_super_admin_changes_a_super_admins_account() -> None:
    giving = "POST /api/v1/users/{user_id}/credits"
    for row in TABLE:
        if row.whose == "a super_admin's" and row.route.partition(" ")[0] not in SAFE and row.route != giving:
            assert "yes" not in row.cells[:-1], _ids(row)


@pytest.mark.parametrize("permission", ["roles:assign", "roles:manage", "users:delete", "sso:manage"])
def test_what_gives_power_needs_a_fresh_proof(permission: str) -> None:
    checked = 0
    for row in TABLE:
        changes = row.route.partition(" ")[0] not in SAFE and not row.route.endswith("/check")
        if row.permission == permission and changes and "yes" in row.cells:
            assert row.credentials.split()[0] == "browser!", _ids(row)
            assert "key" not in row.credentials.split(), _ids(row)
            checked += 1
    assert checked


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_hub_does_what_the_table_says() -> None:
    with opened() as world:
        observer = Observer(world)
        found = {row.key: row for rows in observer.rows(every_way()).values() for row in rows}
    told = {row.key: row for row in TABLE}
    wrong = [f"{route} ({whose}): no row" for route, whose in found.keys() - told.keys()]
    wrong += [f"{route} ({whose}): nothing of the kind" for route, whose in told.keys() - found.keys()]
    for key in found.keys() & told.keys():
        says, does = told[key], found[key]
        wrong += [
            f"{_ids(says)}, {who}: the table says {theirs}, the hub {ours}"
            for who, theirs, ours in zip(
                (*COLUMNS, "with"),
                (*says.cells, says.credentials),
                (*does.cells, does.credentials),
                strict=True,
            )
            if theirs != ours
        ]
    assert sorted(wrong) == []
    assert [f"{where}: {what}" for where, what in observer.trouble.items()] == []
    assert len(found) > 150
    assert set(world.people) == set(ROLES)
