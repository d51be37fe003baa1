"""A server's life: started, shared, adopted, recovered, stopped. Real servers, real signals."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from tests.kernel.postgres_support import (
    Hub,
    hub,
    read_notes,
    server_processes,
    temporary_home,
    wait_for,
    write_note,
)

from aihub.kernel.postgres import EmbeddedPostgres, PostgresError, processes


@pytest.fixture(scope="module")
def used_home() -> Iterator[Path]:
    with temporary_home() as path:
        yield path


@pytest.fixture
def home(used_home: Path) -> Iterator[Path]:
    """A home with a database, no notes in it, and no server running."""
    with EmbeddedPostgres(used_home) as server, psycopg.connect(server.dsn("owner")) as connection:
        connection.execute("drop table if exists note")
    shutil.rmtree(used_home / "logs")
    yield used_home
    EmbeddedPostgres(used_home).stop(force=True)


@pytest.fixture
def empty_home() -> Iterator[Path]:
    with temporary_home() as path:
        yield path


def test_first_start_creates_and_second_is_quick(empty_home: Path) -> None:
    home = empty_home
    server = EmbeddedPostgres(home)
    said: list[str] = []
    server.start(said.append)
    assert said == ["Creating the database", "Starting the database"]
    write_note(server, "kept")
    address = server.dsn("app")
    server.stop()
    assert server_processes(home) == []
    took = []
    while min(took, default=60) >= 3 and len(took) < 4:
        begun = time.monotonic()
        server.start()
        took.append(time.monotonic() - begun)
        assert server.running()
        if took[-1] >= 3:
            server.stop()
    assert min(took) < 3
    assert read_notes(server) == ["kept"]
    assert server.dsn("app") == address
    server.stop()


def test_start_and_stop_are_idempotent(home: Path) -> None:
    server = EmbeddedPostgres(home)
    server.stop()
    server.start()
    pid = server.pid
    server.start()
    assert server.pid == pid
    server.stop()
    server.stop()
    assert not server.running()
    with pytest.raises(PostgresError) as caught:
        EmbeddedPostgres(home).attach()
    assert caught.value.code == "postgres.not_running"


def test_it_works_as_a_context_and_stops_after_an_error(home: Path) -> None:
    def use() -> None:
        with EmbeddedPostgres(home) as server:
            assert server.running()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        use()
    assert server_processes(home) == []


def test_kill_9_of_the_hub_leaves_a_server_that_the_next_start_adopts(home: Path) -> None:
    with hub(home) as first:
        pid = first.server_pid()
        attached = EmbeddedPostgres(home)
        attached.attach()
        write_note(attached, "before")
        first.end(signal.SIGKILL)
    server = EmbeddedPostgres(home)
    said: list[str] = []
    server.start(said.append)
    assert said == ["Taking over the running database"]
    assert server.pid == pid
    assert read_notes(server) == ["before"]
    server.stop()
    assert server_processes(home) == []


def test_an_adopted_server_is_restarted_when_the_settings_changed(home: Path) -> None:
    with hub(home) as first:
        pid = first.server_pid()
        first.end(signal.SIGKILL)
    with EmbeddedPostgres(home, max_connections=33, extra_settings={"work_mem": "5MB"}) as server:
        assert server.pid != pid
        with psycopg.connect(server.dsn("app")) as connection:
            values = "select current_setting('max_connections'), current_setting('work_mem')"
            assert connection.execute(values).fetchone() == ("33", "5MB")


def test_a_server_found_stopping_is_followed_by_a_new_one(home: Path) -> None:
    with hub(home) as first:
        pid = first.server_pid()
        attached = EmbeddedPostgres(home)
        attached.attach()
        write_note(attached, "kept")
        with psycopg.connect(attached.dsn("owner")) as open_connection:
            first.end(signal.SIGKILL)
            # A smart shutdown waits for this connection, so the server stays in the state 'stopping'.
            os.kill(pid, signal.SIGTERM)
            data = home.resolve() / "postgres" / "data"

            def stopping() -> bool:
                found = processes.find_postmaster(data)
                return found is not None and found.stopping

            wait_for(stopping)
            server = EmbeddedPostgres(home)
            server.start()
            assert open_connection.pgconn.socket >= 0
    assert server.pid != pid
    assert read_notes(server) == ["kept"]
    server.stop()


def test_kill_9_of_the_server_loses_nothing_acknowledged(home: Path) -> None:
    server = EmbeddedPostgres(home)
    server.start()
    for round_number in range(5):
        write_note(server, str(round_number))
        pid = server.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: not server.running())
        server.start()
        assert server.pid != pid
    assert read_notes(server) == ["0", "1", "2", "3", "4"]
    server.stop()
    assert server_processes(home) == []


def test_a_dead_server_that_nobody_reaps_does_not_prevent_a_start(home: Path) -> None:
    server = EmbeddedPostgres(home)
    server.start()
    pid = server.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: server_processes(home) == [])
    # It is our child and we do not ask for its end, so its process id stays taken.
    assert Path(f"/proc/{pid}").exists()
    with hub(home) as running:
        assert running.server_pid() != pid
        assert running.end(signal.SIGTERM) == 0
    server.start()
    server.stop()


def test_kill_9_of_one_backend_heals_without_us(home: Path) -> None:
    with EmbeddedPostgres(home) as server:
        write_note(server, "kept")
        pid = server.pid
        with psycopg.connect(server.dsn("owner")) as connection:
            os.kill(connection.info.backend_pid, signal.SIGKILL)
            with pytest.raises(psycopg.OperationalError):
                connection.execute("select 1")

        def answers() -> bool:
            try:
                return read_notes(server) == ["kept"]
            except psycopg.OperationalError:
                return False

        wait_for(answers)
        assert server.pid == pid


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_the_hub_leaves_no_process(home: Path, number: signal.Signals) -> None:
    with hub(home) as running:
        running.server_pid()
        assert running.end(number) == 0
        assert server_processes(home) == []


def test_ctrl_c_reaches_the_hub_and_not_the_server(home: Path) -> None:
    with hub(home) as running:
        pid = running.server_pid()
        group = os.getpgid(running.process.pid)
        assert group not in (os.getpgid(each) for each in server_processes(home))
        assert os.getsid(pid) != os.getsid(running.process.pid)
        assert running.end(signal.SIGINT, group=True) == 0
        assert server_processes(home) == []
    log = "".join(each.read_text() for each in (home / "logs" / "postgresql").iterdir())
    assert "received fast shutdown request" in log
    assert "database system is shut down" in log


def test_simultaneous_starters_share_one_server_and_the_last_ends_it(empty_home: Path) -> None:
    home = empty_home
    hubs = [Hub(home) for _ in range(4)]
    try:
        assert len({each.server_pid() for each in hubs}) == 1
        for each in hubs[:-1]:
            assert each.end(signal.SIGTERM) == 0
            assert server_processes(home) != []
        assert hubs[-1].end(signal.SIGTERM) == 0
        assert server_processes(home) == []
    finally:
        for each in hubs:
            if each.process.poll() is None:
                each.end(signal.SIGKILL)


def test_threads_and_objects_of_one_process_share_one_server(empty_home: Path) -> None:
    home = empty_home
    servers = [EmbeddedPostgres(home) for _ in range(4)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(EmbeddedPostgres.start, servers * 2))
    assert len({server.pid for server in servers}) == 1
    for server in servers:
        assert server.running()
        server.stop()
    assert server_processes(home) == []


def test_a_killed_user_does_not_keep_the_server_alive(home: Path) -> None:
    server = EmbeddedPostgres(home)
    server.start()
    with hub(home) as other:
        other.server_pid()
        other.end(signal.SIGKILL)
    server.stop()
    assert server_processes(home) == []


def test_attach_uses_the_server_and_leaves_it_alone(home: Path) -> None:
    with hub(home) as running:
        pid = running.server_pid()
        attached = EmbeddedPostgres(home)
        attached.attach()
        write_note(attached, "from another process")
        attached.stop()
        assert attached.pid == pid
        assert running.end(signal.SIGTERM) == 0
    assert server_processes(home) == []


def test_stop_by_force_ends_a_server_of_others(home: Path) -> None:
    with hub(home) as running:
        running.server_pid()
        EmbeddedPostgres(home).stop(force=True)
        assert server_processes(home) == []


def test_stop_calls_off_a_start(home: Path) -> None:
    server = EmbeddedPostgres(home)
    outcome: list[str] = []

    def start() -> None:
        try:
            server.start(lambda message: begun.set() if message == "Starting the database" else None)
        except PostgresError as error:
            outcome.append(error.code)

    begun = threading.Event()
    starter = threading.Thread(target=start)
    starter.start()
    assert begun.wait(60)
    server.stop()
    starter.join(60)
    assert outcome in (["postgres.start_cancelled"], [])
    assert server_processes(home) == []


def test_an_error_while_starting_leaves_no_process(home: Path) -> None:
    server = EmbeddedPostgres(home, extra_settings={"no_such_setting": "1"})
    with pytest.raises(PostgresError) as caught:
        server.start()
    assert caught.value.code == "postgres.start_failed"
    assert "no_such_setting" in str(caught.value)
    assert server_processes(home) == []
    with EmbeddedPostgres(home) as corrected:
        assert corrected.running()


def test_interrupting_a_start_leaves_no_process(home: Path) -> None:
    def interrupt(message: str) -> None:
        if message == "Starting the database":
            timer.start()

    def send() -> None:
        wait_for(lambda: server_processes(home) != [])
        os.kill(os.getpid(), signal.SIGINT)

    def start() -> None:
        server.start(interrupt)
        # The signal may come when the start is over; then it comes here.
        timer.join()
        signal.sigtimedwait([signal.SIGUSR2], 1)

    timer = threading.Thread(target=send)
    server = EmbeddedPostgres(home)
    with pytest.raises(KeyboardInterrupt):
        start()
    timer.join()
    server.stop()
    assert server_processes(home) == []


def test_leaving_the_program_stops_the_server_and_a_forked_child_does_not(home: Path) -> None:
    program = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from aihub.kernel.postgres import EmbeddedPostgres\n"
        "server = EmbeddedPostgres(Path(sys.argv[1]))\n"
        "server.start()\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    sys.exit(7)\n"
        "assert os.waitpid(child, 0)[1] == 7 << 8\n"
        "assert server.running()\n"
        "sys.exit(3)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(home)], timeout=60, check=False)
    assert done.returncode == 3
    assert server_processes(home) == []


def test_a_forked_child_that_outlives_its_parent_is_no_user(home: Path) -> None:
    program = (
        "import os, signal, sys, time\n"
        "from pathlib import Path\n"
        "from aihub.kernel.postgres import EmbeddedPostgres\n"
        "EmbeddedPostgres(Path(sys.argv[1])).start()\n"
        "child = os.fork()\n"
        "if child:\n"
        "    print(child, flush=True)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "time.sleep(60)\n"
    )
    output = home / "child"
    with output.open("wb") as file:
        subprocess.run([sys.executable, "-c", program, str(home)], stdout=file, timeout=60, check=False)
    child = int(output.read_text())
    try:
        server = EmbeddedPostgres(home)
        server.start()
        server.stop()
        assert server_processes(home) == []
    finally:
        os.kill(child, signal.SIGKILL)
