"""Several processes that share the tests: groups stay together, and what takes long begins first."""

import re
import subprocess
import sys
from pathlib import Path

TESTS = """
import pytest

@pytest.fixture(scope="module")
def dear():
    return object()

@pytest.mark.parametrize("number", range(40))
def test_quick(number):
    pass

@pytest.mark.parametrize("number", range(6))
def test_together(dear, number):
    pass

@pytest.mark.xdist_group("named")
@pytest.mark.parametrize("number", range(6))
def test_named(number):
    pass

@pytest.mark.slow
def test_long():
    pass
"""


def test_groups_stay_together_and_what_takes_long_begins_first(tmp_path: Path) -> None:
    (tmp_path / "test_some.py").write_text(TESTS)
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers =\n  slow\n")
    done = subprocess.run(
        [
            sys.executable, "-m", "pytest", "-v", "-n", "2", "--dist", "loadgroup", "-c", "pytest.ini",
            "-p", "tests.support.scheduling", "-p", "no:cacheprovider", "-p", "no:schemathesis", tmp_path,
        ],
        cwd=tmp_path,
        env={"PYTHONPATH": str(Path(__file__).parents[2]), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    ran = re.findall(r"^\[(gw\d)\].*::(test_\w+)", done.stdout, re.MULTILINE)
    assert len(ran) == 53
    for name in ("test_together", "test_named"):
        assert len({process for process, test in ran if test == name}) == 1, done.stdout
    by_process = [[test for process, test in ran if process == one] for one in ("gw0", "gw1")]
    assert "test_long" in {tests[0] for tests in by_process if tests}, done.stdout
