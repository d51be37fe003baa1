"""How long a start takes, from the command to the first answer: in an empty home, and then again.

    python -m benchmarks.start [--most 5]

The model is off: it loads in a process of its own while the hub already answers. Exits with 1 when the
second start takes longer than the bar, in seconds.
"""

import argparse
import sys
import time

from tests.support.hub import Hub, temporary_home


def seconds_to_start(hub: Hub) -> float:
    started = time.perf_counter()
    hub.start(wait=120)
    return time.perf_counter() - started


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--most", type=float, default=5.0, help="seconds a second start may take")
    most = parser.parse_args().most
    with temporary_home() as home:
        hub = Hub(home, env={"AIHUB_EMBEDDED": "false"})
        times = []
        for name in ("first", "second", "third"):
            times.append(seconds_to_start(hub))
            print(f"  {name} start  {times[-1]:5.1f} s", flush=True)
            hub.stop()
    best = min(times[1:])
    print(f"a later start takes {best:.1f} s of {most:.0f} s")
    return 1 if best > most else 0


if __name__ == "__main__":
    sys.exit(main())
