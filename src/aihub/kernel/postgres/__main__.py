"""`python -m aihub.kernel.postgres run|status|stop --home DIR`: the server alone, for looking closely."""

import argparse
import signal
import sys
from pathlib import Path

from aihub.kernel.postgres import EmbeddedPostgres, PostgresError


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m aihub.kernel.postgres")
    parser.add_argument("verb", choices=["run", "status", "stop"])
    parser.add_argument("--home", type=Path, required=True)
    arguments = parser.parse_args()
    server = EmbeddedPostgres(arguments.home)
    if arguments.verb == "run":
        waited_for = {signal.SIGTERM, signal.SIGINT}
        signal.pthread_sigmask(signal.SIG_BLOCK, waited_for)
        server.start(lambda message: print(message, file=sys.stderr, flush=True))  # noqa: T201
        print(server.pid, flush=True)  # noqa: T201
        signal.sigwait(waited_for)
        server.stop()
    elif arguments.verb == "stop":
        server.stop(force=True)
    else:
        print(server.pid if server.running() else "not running")  # noqa: T201
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except PostgresError as error:
        sys.exit(f"{error.title}. {error.detail or ''}\n{error.hint}")
