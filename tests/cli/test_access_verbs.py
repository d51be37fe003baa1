"""`aihub access`: why somebody may do something, for people and for scripts."""

import pytest
from tests.cli.conftest import Installation

pytestmark = [pytest.mark.xdist_group("cli"), pytest.mark.slow]

EMAIL = "ada@example.org"


def test_why_somebody_may_is_said_to_people_and_programs(installation: Installation) -> None:
    may = installation.json("access", "explain", EMAIL, "read:users")
    assert (may["permission"], may["allowed"]) == ("users:read", True)
    assert may["reasons"][0] == {
        "kind": "role", "speaks": True, "path": ["super_admin"],
        "granted_at": may["reasons"][0]["granted_at"],
    }  # fmt: skip
    said = installation.run("access", "explain", EMAIL, "users:read")
    assert said.code == 0
    assert f"{EMAIL} may: See people (users:read)." in said.out
    assert "+ The role super_admin: given by the operator or in the database on 20" in said.out


def test_why_somebody_may_not_leaves_with_3(installation: Installation) -> None:
    installation.run(
        "user", "create", "--email", "kim@example.org", "--role", "guest", "--password-stdin",
        stdin="correct horse battery",
    )  # fmt: skip
    no = installation.run("access", "explain", "kim@example.org", "audit:read")
    assert no.code == 3
    assert "may not: Read the audit trail" in no.out
    assert "None of their roles allows it. These would: super_admin, admin." in no.out
    unknown = installation.run("access", "explain", "kim@example.org", "chat:fly")
    assert (unknown.code, "There is no such permission." in unknown.out) == (3, True)
    nobody = installation.run("access", "explain", "nobody@example.org", "chat:use")
    assert (nobody.code, "resource.not_found" in nobody.err) == (1, True)


def test_a_model_is_named_by_its_name(installation: Installation) -> None:
    answer = installation.json("access", "explain", EMAIL, "models:use", "echo")
    assert (answer["allowed"], answer["unrestricted"]) == (True, True)
    assert len(answer["resource"]) == 36


def test_roles_are_listed(installation: Installation) -> None:
    roles = {role["name"]: role for role in installation.json("access", "roles")}
    assert set(roles) >= {"super_admin", "admin", "manager", "user", "guest"}
    assert roles["guest"]["permissions"] == ["chat:use", "models:read"]
    assert roles["super_admin"]["people"] >= 1


def test_a_second_factor_is_asked_of_roles_that_exist(installation: Installation) -> None:
    wrong = "admin,Administrators"
    examined = installation.run("doctor", "--only", "identity", "--json", AIHUB_SECOND_FACTOR_ROLES=wrong)
    assert examined.code == 3
    assert "Administrators" in examined.out
    assert "super_admin" in examined.out
    fine = installation.run("doctor", "--only", "identity", AIHUB_SECOND_FACTOR_ROLES="admin")
    assert fine.code == 0
