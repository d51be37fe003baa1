"""A serving process for a test to kill: `python -m tests.agents.serve_hub <dsn> <home>` prints where."""

import asyncio
import sys
from pathlib import Path

from tests.agents.conftest import MODULES
from tests.support.runtime import open_runtime, settings_for
from tests.support.serving import serving

from aihub.app.build import create_app


async def main(dsn: str, home: Path) -> None:
    settings = settings_for(home, MODULES, AIHUB_EMBEDDED="off")
    async with open_runtime(dsn, settings, MODULES) as runtime, serving(create_app(runtime)) as url:
        print(url, flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
