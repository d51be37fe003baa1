"""The steps of docs/how-to/security-incident.md, in their order, as they stand there."""

import csv
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.support.hub import Answer, Hub, running_hub

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "security-incident.md"
MALLORY, PASSWORD, NEW_PASSWORD = "mallory@example.org", "correct horse battery", "turquoise umbrella parade"
NOTHING_TO_ACCEPT = "there is no restore to accept"


def documented() -> list[str]:
    """Every command of the page."""
    blocks = re.findall(r"^```sh\n(.*?)^```", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line.strip()]


def typed(hub: Hub, line: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """What a shell makes of the line, on the machine of the hub."""
    return subprocess.run(
        ["bash", "-c", f'aihub() {{ "{sys.executable}" -m aihub "$@"; }}\n{line}'],
        env=hub.environment() | {"NEW_PASSWORD": NEW_PASSWORD},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )


def signed_in(hub: Hub, email: str, password: str = PASSWORD) -> Answer:
    answer = hub.post("/api/v1/session", {"email": email, "password": password})
    assert answer.status == 200, answer.body
    return answer


def session_status(hub: Hub, answer: Answer) -> int:
    cookie = next(text for name, text in answer.headers.items() if name.lower() == "set-cookie")
    headers = {"Cookie": cookie.split(";")[0]}
    return hub.request("GET", "/api/v1/session", headers=headers).status


def test_the_documented_steps_contain_review_and_rotate(tmp_path: Path) -> None:
    with running_hub(AIHUB_EMBEDDED="false") as hub:
        mallory = hub.person(hub.set_up(), MALLORY, PASSWORD)
        browser = signed_in(hub, MALLORY)
        assert session_status(hub, browser) == 200
        listed: Any = hub.get("/api/v1/keys", key=mallory.key).json()
        (key,) = listed["items"]
        generated: dict[str, str] = {}
        before = (hub.home / "secrets" / "master.key").read_text().strip()
        for line in documented():
            done = typed(hub, line.replace("KEY_ID", key["id"]), tmp_path)
            if "accept-restore" in line:  # nothing was restored here
                assert done.returncode != 0
                assert NOTHING_TO_ACCEPT in " ".join(done.stderr.split()), done.stderr
                continue
            if line == "aihub doctor":
                assert done.returncode in (0, 3), done.stderr  # what it finds depends on the machine
                continue
            assert done.returncode == 0, (line, done.stdout, done.stderr)
            if "session end-all" in line:
                assert session_status(hub, browser) == 401
            elif "--inactive" in line:
                assert hub.get("/api/v1/keys", key=mallory.key).status == 401
            elif "secrets generate" in line:
                generated = dict(pair.split("=", 1) for pair in done.stdout.split())
                restarted(
                    hub, ENCRYPTION_KEY=generated["ENCRYPTION_KEY"], AIHUB_PREVIOUS_ENCRYPTION_KEYS=before
                )
            elif "secrets rotate" in line:
                hub.env.pop("AIHUB_PREVIOUS_ENCRYPTION_KEYS")
                new_database_passwords(hub, SESSION_SECRET=generated["SESSION_SECRET"])
        reviewed(tmp_path)
        signed_in(hub, "ada@example.org", NEW_PASSWORD)
        assert json.loads(hub.cli("audit", "verify", "--json"))["ok"]
        actions = set(hub.sql("select array_agg(distinct action) from audit_log"))
    assert actions >= {
        "session.end_everybodys", "user.update", "key.revoke", "audit.export", "signing_key.rotate",
        "secrets.rotate", "user.password",
    }  # fmt: skip


def restarted(hub: Hub, **env: str) -> None:
    hub.stop()
    hub.env.update(env)
    hub.start()


def reviewed(folder: Path) -> None:
    entries = [json.loads(line) for line in (folder / "audit.jsonl").read_text("utf-8").splitlines()]
    assert {"user.create", "session.create", "session.end_everybodys"} <= {
        entry["action"] for entry in entries
    }
    with (folder / "audit.csv").open(newline="", encoding="utf-8") as file:
        assert {row["action"] for row in csv.DictReader(file)} >= {"audit.export"}


def new_database_passwords(hub: Hub, **env: str) -> None:
    """The embedded server's, in the same restart as another setting."""
    kept = sorted((hub.home / "secrets").glob("postgres_*"))
    assert kept
    before = {path.name: path.read_text() for path in kept}
    hub.stop()
    for path in kept:
        path.unlink()
    hub.env.update(env)
    hub.start()
    after = {path.name: path.read_text() for path in (hub.home / "secrets").glob("postgres_*")}
    assert after.keys() == before.keys()
    assert not set(after.values()) & set(before.values())
