"""A process that spends: holds and settles one credit at a time, as fast as it can.

    python -m tests.services.credits.spender DSN HOME OWNER_ID CALLS

Prints how many calls were paid and how many refused. With CALLS 0 it goes on until it is killed,
holding for a moment in between, and prints a line per paid call.
"""

import asyncio
import json
import sys
from pathlib import Path
from uuid import UUID, uuid4

from tests.support.runtime import open_runtime, settings_for

from aihub.app.core import MODULE as KERNEL
from aihub.kernel.auth import Actor
from aihub.services.credits.contracts import InsufficientCredits
from aihub.services.credits.domain import MICRO
from aihub.services.credits.module import MODULE as CREDITS
from aihub.services.credits.service import Ledger
from aihub.services.identity.module import MODULE as IDENTITY

_MODULES = (KERNEL, IDENTITY, CREDITS)


async def spend(ledger: Ledger, actor: Actor) -> bool:
    """One call of one credit. False when it was refused."""
    try:
        hold = await ledger.hold(actor, MICRO, idempotency_key=uuid4().hex)
    except InsufficientCredits:
        return False
    await asyncio.sleep(0.002)
    await ledger.settle(hold, MICRO, model="m")
    return True


async def spend_all(ledger: Ledger, actor: Actor, calls: int) -> tuple[int, int]:
    """So many calls at once: how many were paid, how many refused."""
    outcomes = await asyncio.gather(*(spend(ledger, actor) for _ in range(calls)))
    return sum(outcomes), calls - sum(outcomes)


async def _forever(ledger: Ledger, actor: Actor) -> None:
    while await spend(ledger, actor):
        print("paid", flush=True)


async def _main(dsn: str, home: str, owner: str, calls: int) -> None:
    settings = settings_for(Path(home), _MODULES)
    async with open_runtime(dsn, settings, _MODULES) as runtime:
        actor = Actor(UUID(owner), "spender@example.org")
        ledger = runtime.get(Ledger)
        print("ready", flush=True)
        if calls:
            await asyncio.to_thread(sys.stdin.readline)
            paid, refused = await spend_all(ledger, actor, calls)
            print(json.dumps({"paid": paid, "refused": refused}), flush=True)
        else:
            await asyncio.gather(*(_forever(ledger, actor) for _ in range(4)))


if __name__ == "__main__":
    asyncio.run(_main(*sys.argv[1:4], int(sys.argv[4])))
