"""Every promise of the release is tied to tests that exist, and nothing else is claimed."""

import ast
import tomllib
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# The ids this release covers, listed here so that a row cannot quietly disappear.
IDS = """
HUB-S-004 HUB-S-005 HUB-S-014 HUB-S-024 HUB-S-027 HUB-S-028 HUB-S-083 HUB-S-092
STW-S-001 STW-S-002 STW-S-003 STW-S-004 STW-S-005 STW-S-006 STW-S-024 STW-S-027 STW-S-031 STW-S-042
STW-S-064 STW-S-065
ADH-S-012 ADH-S-013 ADH-S-034 ADH-S-060 ADH-S-063
CHT-S-002 CHT-S-003 CHT-S-004 CHT-S-005 CHT-S-006 CHT-S-007 CHT-S-008 CHT-S-011 CHT-S-013 CHT-S-014 CHT-S-026
LRN-S-002 LRN-S-010 LRN-S-011
HUB-E-10 HUB-E-14 HUB-E-16
STW-E-01 STW-E-04 STW-E-07 STW-E-08
ADH-E-06 ADH-E-16 ADH-E-17 ADH-E-20 ADH-E-22 ADH-E-25
CHT-E-01 CHT-E-04 CHT-E-07 CHT-E-11
LRN-E-01 LRN-E-02 LRN-E-06 LRN-E-07
"""


def promises() -> list[dict[str, object]]:
    text = (ROOT / "tests" / "requirements.toml").read_text("utf-8")
    return list(tomllib.loads(text)["promise"])


@cache
def names_in(file: Path) -> frozenset[str]:
    """The names that pytest would give to the tests of a file: `test_x` and `TestY::test_x`."""
    found = set()
    for node in ast.parse(file.read_text("utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            found.add(node.name)
        elif isinstance(node, ast.ClassDef):
            found |= {
                f"{node.name}::{inner.name}"
                for inner in node.body
                if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef)
            }
    return frozenset(name for name in found if name.split("::")[-1].startswith("test_"))


def test_every_id_of_the_release_is_promised_once() -> None:
    ids = [row["id"] for row in promises()]
    assert sorted(ids) == sorted(IDS.split())
    assert all(str(row["promise"]).endswith(".") for row in promises())


def test_every_promise_has_a_test() -> None:
    bare = [f"{row['id']}: {row['promise']}" for row in promises() if not row["tests"]]
    assert not bare, "promised without a test:\n" + "\n".join(bare)


def test_every_named_test_exists() -> None:
    lost = []
    for row in promises():
        for node_id in row["tests"]:
            path, _, name = node_id.partition("::")
            file = ROOT / path
            if not file.is_file() or name.split("[")[0] not in names_in(file):
                lost.append(f"{row['id']}: {node_id}")
    assert not lost, "named in tests/requirements.toml but not there:\n" + "\n".join(lost)
