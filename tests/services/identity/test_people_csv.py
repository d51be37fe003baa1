"""Lists of people as spreadsheets write them, and as nobody should be harmed by opening them."""

import csv
import io
import random

import pytest

from aihub.kernel.errors import BodyTooLarge, InvalidRequest
from aihub.services.identity.people_csv import LARGEST_FILE, MOST_ROWS, harmless, read, write


@pytest.mark.parametrize(
    "text",
    [
        "ada@example.org,Ada Lovelace,user|manager,fr\n",
        "ada@example.org;Ada Lovelace;user, manager;fr\r\n",
        "ada@example.org\tAda Lovelace\tuser;manager\tfr",
        '\ufeffe-mail,name,roles,locale\r\nada@example.org,Ada Lovelace,"user,manager",fr\r\n',
        "Language;Roles;E-Mail Address;Full name\nfr;user|manager;ada@example.org;Ada Lovelace\n",
        "sep=;\r\nCourriel;Nom complet;Rôles;Langue\r\nada@example.org;Ada Lovelace;user|manager;fr\r\n",
        "First name,Last name,Email,Role,Locale,Shoe size\nAda,Lovelace,ada@example.org,user|manager,fr,38\n",
        '\n\n"ada@example.org", "Ada Lovelace","user|manager",fr\n,,,\n\n',
        "Prénom,Nom de famille,Adresse e-mail,Rôle,Langue\nAda,Lovelace,ada@example.org,user|manager,fr",
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_what_spreadsheets_write_is_read(text: str, encoding: str) -> None:
    data = text.replace("\ufeff", "").encode(encoding) if encoding != "utf-8" else text.encode()
    if encoding != "utf-8":
        assert read(data) == read(text.encode())
    (person,) = read(data)
    assert (person.email, person.name, person.locale) == ("ada@example.org", "Ada Lovelace", "fr")
    assert person.roles == ("user", "manager")
    assert person.problem == ""


def test_lines_are_counted_as_an_editor_counts_them() -> None:
    people = read(b'email,name\n\na@x.org,A\n"b@x.org","B\nwith a break"\nc@x.org,C\n')
    assert [(person.line, person.email) for person in people] == [
        (3, "a@x.org"), (4, "b@x.org"), (6, "c@x.org"),
    ]  # fmt: skip
    assert [person.line for person in read(b"sep=,\r\na@x.org\r\nb@x.org\r\n")] == [2, 3]


def test_only_an_address_is_needed() -> None:
    people = read(b"a@x.org\nb@x.org\n")
    assert [(person.email, person.name, person.roles, person.locale) for person in people] == [
        ("a@x.org", "", (), ""), ("b@x.org", "", (), ""),
    ]  # fmt: skip


def test_a_row_with_too_many_cells_says_so() -> None:
    assert "more cells" in read(b"a@x.org,A,user,en,what\n")[0].problem


@pytest.mark.parametrize(
    "data",
    [
        b"", b"\n\n", b",,,\n", b"name,role\nAda,user\n", b"\xff\xff\xfe", b"a\0b@x.org",
        b"\x89PNG\r\n\x1a\n", b'"a@x.org\n', b'a@x.org,"A"B"\n', b"email\n", b"x" * 200_000, b"\xff\xfea",
        "\n".join(f"p{n}@x.org" for n in range(MOST_ROWS + 1)).encode(),
    ],
)  # fmt: skip
def test_what_is_no_list_is_told_so(data: bytes) -> None:
    with pytest.raises(InvalidRequest, match="The list") as caught:
        read(data)
    assert caught.value.errors[0].field == "csv"


def test_a_large_file_is_refused() -> None:
    with pytest.raises(BodyTooLarge):
        read(b"a" * (LARGEST_FILE + 1))
    assert len(read("\n".join(f"p{n}@x.org" for n in range(MOST_ROWS)).encode())) == MOST_ROWS


@pytest.mark.parametrize("seed", range(300))
def test_no_bytes_do_more_than_be_refused(seed: int) -> None:
    chance = random.Random(seed)
    pieces = [
        b",", b";", b'"', b"\r\n", b"\n", b"\r", b"\t", b"a@b.org", b"name", b"\xef\xbb\xbf", b"\xff\xfe",
        b"\0", b"=1+1", "é".encode(), b"sep=;", b" ", b"'", b"\xc3", "\u2028".encode(), b"email",
    ]  # fmt: skip
    data = b"".join(chance.choice(pieces) for _ in range(chance.randrange(1, 60)))
    try:
        people = read(data)
    except (InvalidRequest, BodyTooLarge):
        return
    assert 1 <= len(people) <= MOST_ROWS
    assert all(person.line >= 1 for person in people)


@pytest.mark.parametrize(
    "cell",
    [
        "=1+1",
        "+1",
        "-1",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        "\n=1",
        "  =1",
        "|cmd",
        "%0A",
        "＝1",
        "＠x",
        '=HYPERLINK("x")',
    ],
)
def test_no_cell_becomes_a_formula(cell: str) -> None:
    assert harmless(cell) == f"'{cell}"
    (header, row) = write(("a", "b"), [(cell, "plain, text")])
    assert header == "\ufeffa,b\r\n"
    ((first, second),) = csv.reader(io.StringIO(row, newline=""))
    assert (first, second) == (f"'{cell}", "plain, text")


@pytest.mark.parametrize("cell", ["", "Ada", "a@b.org", "1", "a=b", "Müller-Lüdenscheidt"])
def test_plain_cells_stay_as_they_are(cell: str) -> None:
    assert harmless(cell) == cell
