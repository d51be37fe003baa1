"""Lists of people as spreadsheets write and read them: pure rules, no I/O.

Read: UTF-8 or UTF-16, comma, semicolon or tab, with a line of names above or without, quotes where needed.
Written: so that no cell can become a formula in whatever opens it.
"""

import csv
import io
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from aihub.kernel.errors import BodyTooLarge, FieldError, InvalidRequest

MOST_ROWS = 1_000
LARGEST_FILE = 1_000_000
"""Bytes."""

_COLUMNS = ("email", "name", "roles", "locale")
_NAMES = {
    "email": ("email", "e mail", "mail", "email address", "e mail address", "address", "courriel",
              "adresse", "adresse email", "adresse e mail", "adresse mail"),
    "name": ("name", "full name", "display name", "nom", "nom complet"),
    "roles": ("role", "roles"),
    "locale": ("locale", "language", "lang", "langue"),
    "given": ("first name", "given name", "prenom"),
    "family": ("last name", "family name", "surname", "nom de famille"),
}  # fmt: skip
_MEANING = {spelling: column for column, spellings in _NAMES.items() for spelling in spellings}
_DELIMITERS = ",;\t"
_FORMULA = ("=", "+", "-", "@", "|", "%", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
_SEPARATOR_LINE = re.compile(r"sep=([,;\t|])\r?\n", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Person:
    """A row as it was written. `line` counts from 1; `roles` and `locale` are empty when nothing was said."""

    line: int
    email: str
    name: str = ""
    roles: tuple[str, ...] = ()
    locale: str = ""
    problem: str = ""
    """What is wrong with the row itself."""


def read(data: bytes) -> list[Person]:
    """The people of a file. Raises InvalidRequest for what is no such file, and BodyTooLarge."""
    if len(data) > LARGEST_FILE:
        raise BodyTooLarge(f"A list has at most {LARGEST_FILE:,} bytes.")
    text = _decoded(data)
    found = list(_people(text))
    if not found:
        raise _unreadable("has no people in it")
    return found


def write(header: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Lines of a file that spreadsheets open as UTF-8, beginning with its header."""
    yield "\ufeff" + line(header)
    for row in rows:
        yield line(row)


def harmless(cell: str) -> str:
    """The cell as plain text: what would begin a formula is kept from doing so by an apostrophe."""
    return f"'{cell}" if cell.lstrip(" ").startswith(_FORMULA) else cell


def line(cells: Sequence[str]) -> str:
    """One row of such a file."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerow([harmless(cell) for cell in cells])
    return out.getvalue()


def _decoded(data: bytes) -> str:
    wide = data[:2] in (b"\xff\xfe", b"\xfe\xff")
    try:
        text = data.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as exc:
        raise _unreadable("is not text in UTF-8") from exc
    if "\0" in text:
        raise _unreadable("is not a text file")
    return text


def _people(text: str) -> Iterator[Person]:
    skipped = 0
    delimiter = None
    if named := _SEPARATOR_LINE.match(text):
        delimiter, text, skipped = named[1], text[named.end() :], 1
    rows = csv.reader(
        io.StringIO(text, newline=""),
        delimiter=delimiter or _delimiter(text),
        skipinitialspace=True,
        strict=True,
    )
    columns: Sequence[str] | None = None
    count = 0
    begins = 1 + skipped
    try:
        for cells in rows:
            number, begins = begins, rows.line_num + 1 + skipped
            cells = [unicodedata.normalize("NFC", cell).strip() for cell in cells]
            if not any(cells):
                continue
            if columns is None:
                columns = _header(cells)
                if columns is not None:
                    continue
                columns = _COLUMNS
            count += 1
            if count > MOST_ROWS:
                raise _unreadable(f"has more than {MOST_ROWS:,} people")
            yield _person(number, columns, cells)
    except csv.Error as exc:
        raise _unreadable(f"cannot be read from line {begins} on: {exc}") from exc


def _person(number: int, columns: Sequence[str], cells: Sequence[str]) -> Person:
    extra = any(cells[len(columns) :])
    values = {column: cell for column, cell in zip(columns, cells, strict=False) if column}
    names = (values.get("name", ""), values.get("given", ""), values.get("family", ""))
    roles = tuple(part for text in re.split(r"[,;|]", values.get("roles", "")) if (part := text.strip()))
    return Person(
        number,
        values.get("email", ""),
        " ".join(name for name in names if name),
        roles,
        values.get("locale", ""),
        "has more cells than there are columns" if extra else "",
    )


def _header(cells: Sequence[str]) -> Sequence[str] | None:
    """What the columns mean, when this is a line of names. Raises InvalidRequest without an e-mail column."""
    if any("@" in cell for cell in cells):
        return None
    meanings = [_MEANING.get(_plain(cell), "") for cell in cells]
    if not any(meanings):
        return None
    if "email" not in meanings:
        raise _unreadable("has no column named e-mail")
    return meanings


def _plain(cell: str) -> str:
    letters = unicodedata.normalize("NFKD", cell).casefold()
    return re.sub(r"[\W_]+", " ", "".join(c for c in letters if not unicodedata.combining(c))).strip()


def _delimiter(text: str) -> str:
    """The one of the usual delimiters that the first line with any uses most, outside of quotes."""
    for each in text.splitlines():
        bare = re.sub(r'"[^"]*"', "", each)
        best = max(_DELIMITERS, key=bare.count)
        if best in bare:
            return best
    return ","


def _unreadable(problem: str) -> InvalidRequest:
    return InvalidRequest(f"The list {problem}.", errors=[FieldError("csv", problem, "csv")])
