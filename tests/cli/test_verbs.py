"""What operators script: verbs, their JSON, their exit codes, whether the hub runs or not."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg
import pytest
from tests.cli.conftest import Done, Installation
from tests.support.hub import Hub

from aihub.kernel.postgres import EmbeddedPostgres

pytestmark = [pytest.mark.xdist_group("cli"), pytest.mark.slow]

EMAIL = "ada@example.org"


# ---------------------------------------------------------------- while nothing runs, and while the hub does


def test_a_key_is_printed_once_and_works(either: Installation) -> None:
    made = either.json(
        "key", "create", "--email", EMAIL, "--name", "script", "--scopes", "gateway:use", "models:read",
        "--credits", "10",
    )  # fmt: skip
    assert made["key"].startswith("ahk_")
    assert made["scopes"] == ["gateway:use", "models:read"]
    listed = either.json("key", "list", "--email", EMAIL)
    assert any(k["id"] == made["id"] for k in listed)
    assert made["key"] not in json.dumps(listed)
    if either.hub.process is not None:
        assert either.hub.get("/v1/models", key=made["key"]).status == 200
        balance: Any = either.hub.get("/api/v1/credits", key=either.json(
            "key", "create", "--email", EMAIL, "--name", "c", "--scopes", "credits:read", "--credits", "7"
        )["key"]).json()  # fmt: skip
        assert balance["balance"] == "7.000000"
    turned = either.json("key", "rotate", made["id"], "--email", EMAIL, "--overlap", "2")
    assert (turned["id"], turned["scopes"]) == (made["id"], made["scopes"])
    assert turned["key"] != made["key"]
    assert turned["previous_until"]
    if either.hub.process is not None:
        for secret in (made["key"], turned["key"]):
            assert either.hub.get("/v1/models", key=secret).status == 200
    assert either.json("key", "revoke", made["id"], "--email", EMAIL) == {"id": made["id"], "revoked": True}
    if either.hub.process is not None:
        assert either.hub.get("/v1/models", key=made["key"]).status == 401
    plain = either.run("key", "create", "--email", EMAIL, "--name", "plain")
    assert re.fullmatch(r"ahk_[\w\-]+\n", plain.out)
    assert "only time" in plain.err


def test_people_are_made_listed_and_changed(either: Installation) -> None:
    email = f"p{os.urandom(3).hex()}@example.org"
    made = either.json(
        "user", "create", "--email", email, "--role", "user", "--role", "manager", "--name", "Pi",
        "--password-stdin", stdin="a sentence nobody guesses\n",
    )  # fmt: skip
    assert made["roles"] == ["manager", "user"]
    assert [u["email"] for u in either.json("user", "list", "--search", email)] == [email]
    assert either.json("user", "password", "--email", email, stdin="another unguessable one") == {
        "email": email, "changed": True,
    }  # fmt: skip
    changed = either.json("user", "change", "--email", email, "--role", "guest", "--inactive")
    assert (changed[0]["roles"], changed[0]["active"]) == (["guest"], False)
    again = either.run("user", "create", "--email", email, "--json")
    assert again.code == 1
    assert again.json()["error"]["code"] == "users.email_taken"


def test_models_come_and_go(either: Installation) -> None:
    name = f"m-{os.urandom(3).hex()}"
    where = ("--provider", "openai", "--base-url", either.upstream, "--name", name)
    refused = either.run(
        "model", "add", *where[:2], "--base-url", "http://127.0.0.1:9/v1", "--name", name, "--json"
    )
    assert refused.code == 1
    assert refused.json()["error"]["code"] == "provider.address_refused"
    added = either.json(
        "model", "add", *where, "--allow-private", "--input-price", "5", "--alias", f"{name}-x"
    )
    assert (added["name"], added["input_price"], added["aliases"]) == (name, "5.000000", [f"{name}-x"])
    assert name in [m["name"] for m in either.json("model", "list")]
    assert either.json("model", "remove", name) == {"name": name, "removed": True}
    assert either.run("model", "remove", name).code == 1


def test_a_question_is_answered_in_the_terminal(either: Installation) -> None:
    asked = either.run("ask", "Is anybody there?")
    assert asked.code == 0, asked
    assert "Is anybody there?" in asked.out
    answer = either.json("ask", "And now?", "--model", "echo", "--email", EMAIL)
    assert "And now?" in answer["answer"]
    assert answer["model"] == "echo"
    assert answer["credits"] >= 0
    assert either.run("ask", "x", "--model", "nope").code == 1


def test_the_trail_is_whole_and_readable(either: Installation) -> None:
    verdict = either.json("audit", "verify")
    assert verdict["ok"] is True
    assert verdict["rows"] > 3
    entries = either.json("audit", "list", "--limit", "5")
    assert len(entries) == 5


def test_the_schema_is_compared(either: Installation) -> None:
    checked = either.json("migrate", "--check")
    assert checked["revision"] == checked["needed"]
    assert checked["applied"] == []
    assert either.json("migrate")["applied"] == []


def test_keys_at_rest_are_rotated(either: Installation) -> None:
    assert either.json("secrets", "rotate")["data_keys"] >= 0
    made = either.json("secrets", "generate")
    assert set(made) == {"ENCRYPTION_KEY", "SESSION_SECRET"}
    assert made != either.json("secrets", "generate")


def test_the_doctor_finds_a_healthy_installation(either: Installation) -> None:
    found = either.run("doctor", "--json")
    assert found.code == 0, found
    assert {c["level"] for c in found.json()} <= {"ok", "watch"}
    assert {"settings", "files", "database", "redis", "providers", "machine"} <= {
        c["group"] for c in found.json()
    }


def test_targets_are_listed(installation: Installation) -> None:
    names = [t["name"] for t in installation.json("targets")]
    assert names == ["all", "api-gateway", "auth", "core", "worker"]
    unknown = installation.run("serve", "--target", "nope")
    assert unknown.code == 1
    assert "targets.unknown" in unknown.err


# ---------------------------------------------------------------- settings


def test_settings_show_sources_and_no_secrets(installation: Installation, tmp_path: Path) -> None:
    key_file = tmp_path / "key"
    key_file.write_text("sk-from-a-file-123456\n")
    (tmp_path / ".env.local").write_text("LOG_LEVEL=debug\nANTHROPIC_API_KEY=sk-from-env-local-1\n")
    shown = installation.run(
        "config",
        "--json",
        folder=tmp_path,
        OPENAI_API_KEY_FILE=str(key_file),
        PORT="8123",
        JWT_SECRET="s" * 40,
    )
    rows = {row["name"]: row for row in shown.json()}
    assert rows["PORT"] == {"name": "PORT", "value": "8123", "source": "environment PORT", "secret": False}
    assert rows["OPENAI_API_KEY"]["source"] == "file named by OPENAI_API_KEY_FILE"
    assert rows["ANTHROPIC_API_KEY"]["source"].startswith("env file .env.local")
    assert rows["LOG_LEVEL"]["value"] == "debug"
    assert rows["SESSION_SECRET"]["source"] == "environment JWT_SECRET"
    assert rows["DB_POOL_SIZE"]["source"] == "default"
    assert all(row["value"] in (None, "••••••") for row in rows.values() if row["secret"])
    for secret in ("sk-from-a-file-123456", "sk-from-env-local-1", "s" * 40):
        assert secret not in shown.out + shown.err
    changed = installation.run("config", "--changed", "--json", folder=tmp_path).json()
    assert "default" not in {row["source"] for row in changed}


def test_a_misspelt_name_is_refused_with_a_suggestion(installation: Installation) -> None:
    refused = installation.run("config", AIHUB_MAX_JSONN="1MB")
    assert refused.code == 1
    assert "did you mean AIHUB_MAX_JSON?" in refused.err
    several = installation.run(
        "config", "--json", PORT="x", DB_POOL_SIZE="-1", OPENAI_API_KEY_FILE="/nowhere"
    )
    detail = several.json()["error"]["detail"]
    for name in ("PORT", "DB_POOL_SIZE", "OPENAI_API_KEY_FILE"):
        assert name in detail


def test_the_template_is_an_env_file(installation: Installation) -> None:
    template = installation.run("config", "template")
    assert template.code == 0
    assert all(not line or line.startswith("#") for line in template.out.splitlines())
    assert "#ENCRYPTION_KEY=" in template.out


# ---------------------------------------------------------------- when it goes wrong


@pytest.mark.parametrize(
    "arguments",
    [
        ("nope",), ("key", "create"), ("key", "create", "--email", EMAIL),
        ("key", "revoke", "no-uuid", "--email", EMAIL),
        ("user", "create", "--email", EMAIL, "--role"), ("up", "--nope"), ("ask",),
        ("audit", "list", "--limit", "x"), ("model", "add", "--provider", "nope", "--name", "x"),
        ("migrate", "--check", "extra"),
    ],
)  # fmt: skip
def test_a_wrong_command_line_ends_with_2(installation: Installation, arguments: tuple[str, ...]) -> None:
    done = installation.run(*arguments)
    assert done.code == 2
    assert done.out == ""
    assert "Error" in done.err


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("key", "create", "--email", "nobody@example.org", "--name", "x"), "resource.not_found"),
        (("key", "create", "--email", EMAIL, "--name", "x", "--scopes", "rule:world"), None),
        (("key", "create", "--email", EMAIL, "--name", "x", "--credits", "-5"), None),
        (("key", "create", "--email", EMAIL, "--name", "x", "--expires", "2001-01-01"), None),
        (("user", "create", "--email", "not an address"), "request.invalid"),
        (("user", "create", "--email", "x@example.org", "--role", "emperor"), None),
        (("user", "create", "--email", "x@example.org", "--password-stdin"), "request.invalid"),
        (("model", "remove", "nope"), "resource.not_found"),
    ],
)
def test_a_refusal_ends_with_1_and_says_what_to_do(
    serving: Installation, arguments: tuple[str, ...], code: str | None
) -> None:
    refused = serving.run(*arguments, "--json")
    assert refused.code == 1
    assert refused.err == ""
    error = refused.json()["error"]
    assert error["remedy"]
    assert code in (None, error["code"])


def test_a_refusal_reads_as_a_sentence(serving: Installation) -> None:
    refused = serving.run("user", "create", "--email", "not an address")
    assert refused.out == ""
    assert refused.err == (
        "error: Some values are not acceptable\n  email is not an e-mail address\n"
        "  → Correct the fields listed under errors and send the request again.  [request.invalid]\n"
    )


def test_weak_passwords_are_refused(serving: Installation) -> None:
    arguments = ("user", "create", "--email", "weak@example.org", "--password-stdin", "--json")
    for password in ("short", "weak@example.org"):
        assert serving.run(*arguments, stdin=password).code == 1
    assert serving.json("user", "list", "--search", "weak@") == []


def test_a_database_that_refuses_is_told_in_plain_words(installation: Installation) -> None:
    for verb in (("user", "list"), ("ask", "x"), ("up", "--no-browser")):
        done = installation.run(*verb, DATABASE_URL="postgresql://hub:hidden-word@127.0.0.1:1/hub", PORT="0")
        assert done.code == 1, (verb, done)
        assert "postgres.unreachable" in done.err
        assert "hidden-word" not in done.err


def test_the_doctor_works_without_a_database(installation: Installation) -> None:
    done = installation.run("doctor", "--json", DATABASE_URL="postgresql://hub:hidden-word@127.0.0.1:1/hub")
    assert done.code == 3
    bad = [c for c in done.json() if c["level"] == "bad"]
    assert [c["id"] for c in bad] == ["D001"]
    assert "refused" in bad[0]["findings"][0]["cause"]
    assert "hidden-word" not in done.out + done.err
    assert installation.run("doctor", "--only", "nothing").code == 1
    assert {c["group"] for c in installation.json("doctor", "--only", "machine")} == {"machine"}


def test_the_doctor_makes_nothing_in_an_empty_home(tmp_path: Path) -> None:
    fresh = Installation(Hub(tmp_path / "home"), "")
    done = fresh.run("doctor", "--json")
    assert done.code == 0, done
    database = next(c for c in done.json() if c["id"] == "D001")
    assert database["level"] == "watch"
    assert "aihub up" in database["findings"][0]["fix"]
    assert list(tmp_path.iterdir()) == []


def test_a_reader_that_leaves_early_is_no_error(installation: Installation) -> None:
    line = f"{sys.executable} -m aihub config | head -1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", line], env=installation.hub.environment(), capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    assert done.stdout.splitlines()[-1] == "0"


def test_ctrl_c_ends_an_answer_with_130(serving: Installation) -> None:
    done = serving.interrupted("ask", "Count slowly", "--model", "slow")
    assert done.code == 130
    assert "Traceback" not in done.err
    assert serving.json("audit", "verify")["ok"] is True


def test_colours_stay_on_terminals(serving: Installation) -> None:
    for verb in (("config",), ("doctor",), ("targets",), ("--help",), ("user", "list"), ("audit", "verify")):
        done = serving.run(*verb)
        assert "\x1b" not in done.out + done.err, verb


# ---------------------------------------------------------------- last, because they break it


def test_tampering_is_found_with_3(installation: Installation) -> None:
    def verify(*more: str) -> Done:
        return installation.run("audit", "verify", *more)

    postgres = EmbeddedPostgres(installation.home)
    postgres.start()
    try:
        with psycopg.connect(postgres.dsn("superuser"), autocommit=True) as connection:
            connection.execute("set session_replication_role = replica")
            seq, action = connection.execute(
                "select seq, action from audit_log order by seq limit 1"
            ).fetchone()  # type: ignore[misc]
            change = "update audit_log set action = %s where seq = %s"
            connection.execute(change, ("nothing.happened", seq))
            found = verify("--json")
            assert found.code == 3
            assert found.json()["ok"] is False
            assert found.json()["problems"]
            assert "tampered" in verify().err
            connection.execute(change, (action, seq))
        assert verify().code == 0
    finally:
        postgres.stop()


def test_a_schema_that_is_behind_is_told_with_3(installation: Installation) -> None:
    postgres = EmbeddedPostgres(installation.home)
    postgres.start()
    try:
        with psycopg.connect(postgres.dsn("superuser"), autocommit=True) as connection:
            have = connection.execute("select version_num from alembic_version").fetchone()
            assert have is not None
            connection.execute("update alembic_version set version_num = '0001'")
            behind = installation.run("migrate", "--check", "--json")
            refused = installation.run("serve")
            connection.execute("update alembic_version set version_num = %s", have)
        assert behind.code == 3
        assert behind.json() == {"applied": [], "revision": "0001", "needed": have[0]}
        assert refused.code == 1
    finally:
        postgres.stop()
