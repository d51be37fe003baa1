"""A verb loads only what it needs."""

import subprocess
import sys
import time

import pytest
from tests.cli.conftest import Installation

pytestmark = pytest.mark.xdist_group("cli")


def best_of(times: int, installation: Installation, *arguments: str) -> float:
    """Seconds of the fastest run; the first one compiles what nobody compiled before."""
    taken = []
    for _ in range(times):
        started = time.perf_counter()
        assert installation.run(*arguments).code == 0
        taken.append(time.perf_counter() - started)
    return min(taken)


def test_help_answers_at_once(installation: Installation) -> None:
    assert best_of(5, installation, "--help") <= 0.4


def test_a_key_is_made_within_a_second_and_a_half(installation: Installation) -> None:
    arguments = ("key", "create", "--email", "ada@example.org", "--name", "quick", "--json")
    assert best_of(5, installation, *arguments) <= 1.5


@pytest.mark.parametrize(
    ("verb", "heavy"),
    [
        ("aihub.cli.main", ("aihub.app", "aihub.kernel", "sqlalchemy", "fastapi", "pydantic", "rich.table")),
        (
            "aihub.cli.key",
            ("pydantic_ai", "openai", "uvicorn", "numpy", "onnxruntime", "alembic"),
        ),
        ("aihub.cli.model", ("pydantic_ai", "openai", "uvicorn", "numpy", "onnxruntime", "alembic")),
        ("aihub.cli.config", ("sqlalchemy", "fastapi", "pydantic_ai", "alembic")),
    ],
)
def test_verbs_leave_the_heavy_libraries_alone(verb: str, heavy: tuple[str, ...]) -> None:
    code = f"import sys, {verb}; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert [name for name in heavy if name in loaded] == []
