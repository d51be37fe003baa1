"""The table in `matrix.md`: reading and writing it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

FILE = Path(__file__).with_name("matrix.md")
ROLES = ("guest", "user", "manager", "admin", "super_admin")
COLUMNS = ("anonymous", *ROLES)
HEAD = ("route", "whose", "permission", *COLUMNS, "with")


@dataclass(frozen=True)
class Row:
    """What happens on one route: a cell per column, and with which credentials it goes well."""

    route: str
    whose: str
    permission: str
    cells: tuple[str, ...]
    credentials: str

    @property
    def key(self) -> tuple[str, str]:
        return self.route, self.whose

    def texts(self) -> tuple[str, ...]:
        return (f"`{self.route}`", self.whose, self.permission, *self.cells, self.credentials)


def parse(text: str) -> list[Row]:
    rows = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.startswith("| `"):
            continue
        texts = [part.strip() for part in line.strip().strip("|").split("|")]
        assert len(texts) == len(HEAD), f"line {number} has {len(texts)} columns, not {len(HEAD)}"
        rows.append(Row(texts[0].strip("`"), texts[1], texts[2], tuple(texts[3:-1]), texts[-1]))
    return rows


def text_of(groups: Mapping[str, Iterable[Row]]) -> str:
    """The rows as Markdown: a table with straight columns for each group."""
    tables = {name: list(rows) for name, rows in groups.items()}
    every = [row.texts() for rows in tables.values() for row in rows]
    widths = [max(map(len, column)) for column in zip(HEAD, *every, strict=True)]
    ruler = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    out = []
    for name, rows in tables.items():
        out += [f"## {name}", "", _line(HEAD, widths), ruler]
        out += [*(_line(row.texts(), widths) for row in rows), ""]
    return "\n".join(out)


def _line(texts: Iterable[str], widths: list[int]) -> str:
    return "| " + " | ".join(text.ljust(width) for text, width in zip(texts, widths, strict=True)) + " |"
