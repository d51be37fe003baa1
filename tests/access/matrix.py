"""Print the table as the hub is now: `python -m tests.access.matrix`.

What it prints is what happens, and not what should: read each row that differs before it goes into matrix.md.
"""

import sys

from tests.access.observe import Observer
from tests.access.routes import every_way
from tests.access.table import text_of
from tests.access.world import opened


def main() -> None:
    with opened() as world:
        observer = Observer(world)
        print(text_of(observer.rows(every_way())))
        for where, what in observer.trouble.items():
            print(f"{where}: {what}", file=sys.stderr)


if __name__ == "__main__":
    main()
