"""Which tests may run a second time: those with a real browser, once, and never in silence."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

STORY = """
import pytest

runs = {"browser": 0, "broken": 0, "plain": 0}


@pytest.mark.browser
def test_browser():
    runs["browser"] += 1
    assert runs["browser"] == 2, "the first time went wrong"


@pytest.mark.browser
def test_broken():
    runs["broken"] += 1
    raise ValueError(f"wrong {runs['broken']} times")


def test_plain():
    runs["plain"] += 1
    assert runs["plain"] == 2, "counts at once"
"""


def test_only_a_browser_gets_a_second_chance_and_everybody_hears_of_it(tmp_path: Path) -> None:
    (tmp_path / "test_story.py").write_text(STORY)
    done = subprocess.run(
        [
            sys.executable, "-m", "pytest", "-q", "-c", str(ROOT / "pyproject.toml"), "--rootdir",
            str(tmp_path), "-p", "tests.conftest", "-p", "no:cacheprovider", str(tmp_path / "test_story.py"),
        ],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    said = done.stdout
    assert done.returncode == 1, said + done.stderr
    assert "2 failed, 1 passed, 2 rerun" in said
    assert "the first time went wrong" in said
    assert "wrong 2 times" in said
    assert "wrong 3 times" not in said
    assert "counts at once" in said
