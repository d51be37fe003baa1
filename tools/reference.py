"""Everything in the repository that is made from the code: `make docs` writes it, a test compares it.

docs/reference/{settings,errors,api,cli}.md, the env template `.env.production` and `web/openapi.json`.
"""

import importlib
import io
import json
import pkgutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cyclopts import App
from rich.console import Console

import aihub
from aihub.app.build import assemble
from aihub.app.modules import MODULES
from aihub.app.reference_settings import env_template, markdown
from aihub.app.settings import GROUPS
from aihub.cli.main import app
from aihub.kernel.errors import catalogue
from aihub.kernel.settings import declared

ROOT = Path(__file__).parent.parent
_NOTE = "Made from the code by `make docs`."


def _import_everything() -> None:
    for module in pkgutil.walk_packages(aihub.__path__, "aihub."):
        if ".migrations" not in module.name and not module.name.endswith(("__main__", "_process")):
            importlib.import_module(module.name)


def errors() -> str:
    """The catalogue of error codes."""
    _import_everything()
    lines = [
        "# Errors", "",
        f"{_NOTE} Every error answer is a problem (RFC 9457) with one of these codes; a code never changes",
        "its meaning. Under `/v1/` the same codes come in the shape the OpenAI API uses.", "",
        "| code | status | title | what to do |", "|---|---|---|---|",
    ]  # fmt: skip
    lines += [f"| `{e.code}` | {e.status} | {e.title} | {e.remedy} |" for e in catalogue()]
    return "\n".join(lines) + "\n"


def openapi() -> dict[str, Any]:
    """The description of every route of every module."""
    return assemble(MODULES).openapi()


def api() -> str:
    """The routes, one line each."""
    described = openapi()
    lines = [
        "# HTTP API", "",
        f"{_NOTE} The running hub shows the same with bodies at `/api/docs`, and as data at",
        "`/api/openapi.json`.", "",
        "| method | path | needs | what it does |", "|---|---|---|---|",
    ]  # fmt: skip
    for path, operations in described["paths"].items():
        for method, operation in operations.items():
            text = operation.get("description") or operation.get("summary", "")
            lines.append(f"| {method.upper()} | `{path}` | {_needs(operation)} | {text.split(chr(10))[0]} |")
    return "\n".join(lines) + "\n"


def _needs(operation: dict[str, Any]) -> str:
    if "security" not in operation:
        return ""
    permission = operation["x-permission"]
    return f"`{permission}`" if permission else "a signed-in caller"


def cli() -> str:
    """The command line, from its own help."""

    def pages(node: App, names: tuple[str, ...]) -> Iterator[str]:
        text = io.StringIO()
        app.help_print(names[1:], console=Console(file=text, width=100, no_color=True, legacy_windows=False))
        body = "\n".join(line.rstrip() for line in text.getvalue().splitlines()).strip("\n")
        yield f"## {' '.join(names)}\n\n```\n{body}\n```\n"
        for name in sorted(n for n in node if not n.startswith("-")):
            yield from pages(node[name], (*names, name))

    head = (
        f"# Command line\n\n{_NOTE} Exit codes: 0 done · 1 the hub refused or failed · 2 the command line is "
        "wrong · 3 a check found problems · 130 interrupted. Every verb that prints data takes `--json`.\n\n"
    )
    return head + "\n".join(pages(app, ("aihub",)))


def generated() -> dict[Path, str]:
    """Every generated file and its text."""
    rows = declared(GROUPS)
    reference = ROOT / "docs" / "reference"
    return {
        reference / "settings.md": markdown(rows),
        reference / "errors.md": errors(),
        reference / "api.md": api(),
        reference / "cli.md": cli(),
        ROOT / ".env.production": env_template(rows),
        ROOT / "web" / "openapi.json": json.dumps(openapi(), indent=1, sort_keys=True) + "\n",
    }


def main() -> None:
    """Write what has changed and say so."""
    for path, text in generated().items():
        if not path.is_file() or path.read_text("utf-8") != text:
            path.write_text(text, "utf-8")
            print(f"wrote {path.relative_to(ROOT)}", file=sys.stderr)


if __name__ == "__main__":
    main()
