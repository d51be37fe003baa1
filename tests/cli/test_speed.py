"""A verb loads only what it needs."""

import resource
import subprocess
import sys

import pytest
from tests.cli.conftest import Installation

pytestmark = pytest.mark.xdist_group("cli")


def processor_seconds() -> float:
    """What the programs that we started have used so far: what they waited for others does not count."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def slowness() -> float:
    """How many times slower than at ease this machine is now, judged by other people's code."""
    before = processor_seconds()
    subprocess.run([sys.executable, "-c", "import sqlalchemy.ext.asyncio, pydantic"], check=True)
    return max(1.0, (processor_seconds() - before) / 0.42)


def quick(seconds: float, installation: Installation, *arguments: str) -> bool:
    """Whether one of ten runs needs no more; the first one compiles what nobody compiled before."""
    for _ in range(10):
        slower = slowness()
        before = processor_seconds()
        assert installation.run(*arguments).code == 0
        if processor_seconds() - before <= seconds * slower:
            return True
    return False


def test_help_answers_at_once(installation: Installation) -> None:
    assert quick(0.4, installation, "--help")


def test_a_key_is_made_within_a_second_and_a_half(installation: Installation) -> None:
    arguments = ("key", "create", "--email", "ada@example.org", "--name", "quick", "--json")
    assert quick(1.5, installation, *arguments)


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
