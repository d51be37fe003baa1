"""The secrets everything rests on: generated once, refused when weak or open to others."""

import base64
import os
import secrets as random
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.runtime import settings_for

from aihub.kernel.config import KernelSettings
from aihub.kernel.secrets import (
    SecretFileOpen,
    SecretFileUnusable,
    Secrets,
    WeakSecret,
    load_secrets,
    parse_master_key,
)


def given(home: Path, **environ: str) -> Secrets:
    return load_secrets(settings_for(home, **environ)[KernelSettings])


def test_they_are_generated_once_and_for_their_owner_only(home: Path) -> None:
    first = given(home)
    assert len(first.master.material) == 32
    assert len(first.session) == 64
    assert given(home) == first
    assert (home / "secrets").stat().st_mode & 0o777 == 0o700
    for name in ("master.key", "session.key"):
        assert (home / "secrets" / name).stat().st_mode & 0o777 == 0o600
    assert sorted(p.name for p in (home / "secrets").iterdir()) == ["master.key", "session.key"]


def test_a_permissive_umask_changes_nothing(home: Path) -> None:
    before = os.umask(0)
    try:
        given(home)
    finally:
        os.umask(before)
    assert (home / "secrets").stat().st_mode & 0o777 == 0o700
    assert (home / "secrets" / "master.key").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("path", "mode"),
    [("secrets/master.key", 0o640), ("secrets/session.key", 0o604), ("secrets", 0o750)],
)
def test_files_open_to_others_are_refused_with_the_remedy(home: Path, path: str, mode: int) -> None:
    given(home)
    (home / path).chmod(mode)
    with pytest.raises(SecretFileOpen) as caught:
        given(home)
    command = str(caught.value).partition(": ")[2]
    subprocess.run(["sh", "-c", command], check=True)
    given(home)


@pytest.mark.parametrize("content", [b"", b"%%%", base64.b64encode(b"short"), bytes(range(200, 244))])
def test_a_damaged_file_is_refused_and_not_replaced(home: Path, content: bytes) -> None:
    given(home)
    path = home / "secrets" / "master.key"
    path.write_bytes(content)
    with pytest.raises(SecretFileUnusable):
        given(home)
    assert path.read_bytes() == content


def test_processes_that_start_together_agree(home: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from aihub.kernel.secrets import load_secrets; "
        "from aihub.kernel.config import KernelSettings; "
        "print(load_secrets(KernelSettings(home=Path(sys.argv[1]))).master.material.hex())"
    )
    command = [sys.executable, "-c", program, str(home)]
    racers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    assert len({racer.communicate(timeout=60)[0] for racer in racers}) == 1


def test_a_key_is_32_bytes_however_it_is_spelled() -> None:
    raw = random.token_bytes(32)
    spellings = (
        base64.b64encode(raw).decode(),
        base64.urlsafe_b64encode(raw).decode().rstrip("="),
        raw.hex(),
        raw.hex().upper() + "\n",
    )
    for text in spellings:
        key = parse_master_key(text, "ENCRYPTION_KEY")
        assert (key.material, key.passphrase) == (raw, False)


def test_32_characters_of_hex_are_not_taken_for_a_key() -> None:
    assert parse_master_key(random.token_hex(16), "ENCRYPTION_KEY").passphrase


@pytest.mark.parametrize("weak", ["short", "a" * 40, "0" * 64, "ab" * 12, "change-me-please"])
def test_weak_keys_are_refused(weak: str) -> None:
    with pytest.raises(WeakSecret):
        parse_master_key(weak, "ENCRYPTION_KEY")


def test_a_weak_session_secret_is_refused(home: Path) -> None:
    for weak in ("secret", "x" * 64):
        with pytest.raises(WeakSecret):
            given(home, SESSION_SECRET=weak)
    given(home, SESSION_SECRET=random.token_urlsafe(64))


def test_secrets_do_not_show_when_printed(home: Path) -> None:
    kept = given(home, ENCRYPTION_KEY="an excellent long passphrase")
    assert "excellent" not in repr(kept)
    assert kept.session.hex() not in repr(kept)
