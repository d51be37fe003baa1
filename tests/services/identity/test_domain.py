"""Rules of identity that need no database."""

import pytest

from aihub.services.identity.domain import (
    is_key,
    is_local,
    new_key,
    normal_email,
)


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        (" Ada@Example.ORG ", "ada@example.org"),
        ("ada+tag@sub.example.org", "ada+tag@sub.example.org"),
        ("root@localhost", "root@localhost"),
        ("e\u0301va@example.org", "\u00e9va@example.org"),
    ],
)
def test_an_address_has_one_spelling(typed: str, kept: str) -> None:
    assert normal_email(typed) == kept


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "ada",
        "@b",
        "a@",
        "a@b@c",
        "a b@c",
        "a@b.",
        "a@.b",
        "a@b\nc",
        "<a@b>",
        "a@b\u202e",
        "x" * 65 + "@b",
        "a\x00@b",
    ],
)
def test_what_is_no_address_is_refused(typed: str) -> None:
    with pytest.raises(ValueError, match="not an e-mail address"):
        normal_email(typed)


def test_keys_are_all_different_and_recognised() -> None:
    made = [new_key() for _ in range(200)]
    assert len({text for text, _ in made}) == 200
    for text, shown in made:
        assert is_key(text)
        assert text.startswith(shown + "_")
        assert len(shown) == 12
        assert len(text) > 50


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("localhost", True), ("LOCALHOST.", True), ("hub.localhost", True), ("127.0.0.1", True),
        ("127.9.9.9", True), ("[::1]", True), ("::1", True), ("localhost.evil.example", False),
        ("192.168.0.2", False), ("", False),
    ],
)  # fmt: skip
def test_which_hosts_are_this_machine(host: str, local: bool) -> None:
    assert is_local(host) is local
