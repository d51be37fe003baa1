"""An installation to work on: a home, `aihub` run in it, and a scripted provider."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.support.hub import Hub, clean_environment, temporary_home
from tests.support.upstream import Upstream


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str

    def json(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True)
class Installation:
    """One home. `hub` serves it when started; verbs work either way."""

    hub: Hub
    upstream: str

    @property
    def home(self) -> Path:
        return self.hub.home

    def run(self, *arguments: str, stdin: str = "", folder: Path | None = None, **env: str) -> Done:
        """`aihub …` as a script would run it: no terminal."""
        done = subprocess.run(
            [sys.executable, "-m", "aihub", *arguments],
            env=self.hub.environment() | env,
            cwd=folder or self.home.parent,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return Done(done.returncode, done.stdout, done.stderr)

    def json(self, *arguments: str, **more: Any) -> Any:
        """The printed JSON of a verb that must succeed."""
        done = self.run(*arguments, "--json", **more)
        assert done.code == 0, done
        return done.json()

    def interrupted(self, *arguments: str, number: int = signal.SIGINT) -> Done:
        """Start a verb, interrupt it once it has printed something, and see how it ends."""
        process = subprocess.Popen(
            [sys.executable, "-m", "aihub", *arguments],
            env=self.hub.environment(),
            cwd=self.home.parent,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        first = process.stdout.read(1)
        process.send_signal(number)
        out, err = process.communicate(timeout=30)
        return Done(process.returncode, first + out, err)


@pytest.fixture(scope="session")
def scripted() -> Iterator[str]:
    with Upstream() as upstream:
        yield upstream.url


@pytest.fixture(scope="session")
def installation(scripted: str) -> Iterator[Installation]:
    """A home where nobody has started a hub, with an administrator and a scripted model."""
    with temporary_home() as home:
        hub = Hub(home, env={"AIHUB_EMBEDDED": "false", "AIHUB_DEFAULT_MODEL": "echo"})
        made = Installation(hub, scripted)
        done = made.run(
            "user", "create", "--email", "ada@example.org", "--role", "super_admin", "--password-stdin",
            stdin="correct horse battery\n",
        )  # fmt: skip
        assert done.code == 0, done
        for name in ("echo", "slow"):
            done = made.run(
                "model", "add", "--provider", "openai", "--base-url", scripted, "--name", name,
                "--allow-private", "--api-key-stdin", stdin="sk-scripted-key-123456",
            )  # fmt: skip
            assert done.code == 0, done
        yield made
        if hub.process is not None:
            hub.stop()


@pytest.fixture(scope="session")
def serving(installation: Installation) -> Installation:
    """The same installation while its hub runs."""
    installation.hub.start()
    return installation


# Of the session, so that pytest runs everything with the one before anything with the other.
@pytest.fixture(scope="session", params=["stopped", "running"])
def either(request: pytest.FixtureRequest, installation: Installation) -> Installation:
    """The installation before its hub runs, and while it does."""
    if request.param == "running":
        request.getfixturevalue("serving")
    else:
        assert installation.hub.process is None
    return installation


def bare(home: Path, *arguments: str, **env: str) -> Done:
    """`aihub …` in a home of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "aihub", *arguments],
        env=clean_environment(AIHUB_HOME=str(home), **env),
        cwd=home.parent,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return Done(done.returncode, done.stdout, done.stderr)
