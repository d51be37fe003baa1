"""House rules that no general linter knows. Each names the decision it comes from."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "aihub"

# library: the only places that import it (decisions 0005, 0006)
KEPT_IN = {
    "procrastinate": ("kernel/jobs/", "app/migrations/"),  # its schema is one of our migrations
    "pydantic_ai": ("agents/",),
}
# decisions 0013 and 0016: too slow for the hot path, or gigabytes of wheels
NEVER = {"httpx", "httpx2", "requests", "aiohttp", "torch"}
DRAWERS = {"utils", "util", "helpers", "helper", "common", "misc", "shared", "base_classes"}


def files() -> Iterator[tuple[str, ast.Module]]:
    for file in sorted(PACKAGE.rglob("*.py")):
        yield str(file.relative_to(PACKAGE)), ast.parse(file.read_text("utf-8"))


def libraries(tree: ast.Module) -> set[str]:
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split(".")[0])
    return found


@pytest.mark.parametrize("library", sorted(KEPT_IN))
def test_a_library_behind_our_own_face_stays_there(library: str) -> None:
    users = [name for name, tree in files() if library in libraries(tree)]
    assert [name for name in users if not name.startswith(KEPT_IN[library])] == []


def test_what_we_decided_against_is_not_imported() -> None:
    assert {name: used for name, tree in files() if (used := libraries(tree) & NEVER)} == {}


def test_middleware_is_plain_asgi() -> None:
    """BaseHTTPMiddleware copies streams and breaks cancellation (decision 0002)."""
    users = [file for file in PACKAGE.rglob("*.py") if "BaseHTTPMiddleware" in file.read_text("utf-8")]
    assert users == []


def test_there_are_no_drawers() -> None:
    """A name says what a thing is: no utils, no Manager."""
    drawers = [str(file) for file in PACKAGE.rglob("*") if file.stem in DRAWERS]
    assert drawers == []
    vague = [
        f"{name}: {node.name}"
        for name, tree in files()
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef) and re.search(r"(Manager|Handler|Processor|Helper)$", node.name)
    ]
    assert vague == []


def test_decisions_have_their_four_parts_and_are_listed() -> None:
    folder = ROOT / "docs" / "decisions"
    index = (folder / "README.md").read_text("utf-8")
    pages = sorted(page for page in folder.glob("*.md") if page.name != "README.md")
    numbers = [int(page.name[:4]) for page in pages]
    assert numbers == list(range(1, len(pages) + 1))
    assert set(re.findall(r"\]\((\d{4}-[a-z0-9-]+\.md)\)", index)) == {page.name for page in pages}
    for page in pages:
        text = page.read_text("utf-8")
        parts = [text.find(part) for part in ("ontext", "ecision", "onsequences", "nforced by")]
        assert min(parts) > 0, page.name


def test_links_between_documents_lead_somewhere() -> None:
    documents = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    broken = [
        f"{document.relative_to(ROOT)} -> {target}"
        for document in documents
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", document.read_text("utf-8"))
        if "://" not in target and not (document.parent / target).exists()
    ]
    assert not broken, "\n".join(broken)
