"""Whoever stops reading an answer is heard, also when a piece of it arrives at that very moment."""

import asyncio
import random

from tests.support.serving import serving

from aihub.services.gateway.adapters.fake import FakeProvider, Script
from aihub.services.gateway.adapters.wire import Timeouts, Wire

PIECES = 3000


async def test_a_stop_is_not_lost_to_a_piece_that_arrives_with_it() -> None:
    fake = FakeProvider(scripts={"quick": Script(text="word " * PIECES, gap=0.0005)})
    body = {"model": "quick", "messages": [{"role": "user", "content": "x"}], "stream": True}
    chance = random.Random(1)

    async def read(wire: Wire, begun: asyncio.Event) -> int:
        pieces = 0
        async with wire.stream("/chat/completions", {}, body) as answer:
            async for _ in answer:
                pieces += 1
                begun.set()
        return pieces

    async with serving(fake) as url:
        wire = Wire(f"{url}/v1", Timeouts(), allow_private=True)
        for _ in range(40):
            begun = asyncio.Event()
            reading = asyncio.create_task(read(wire, begun))
            await begun.wait()
            await asyncio.sleep(chance.uniform(0, 0.01))
            reading.cancel()
            (told,) = await asyncio.gather(reading, return_exceptions=True)
            assert isinstance(told, asyncio.CancelledError), f"it read on, to its end: {told} pieces"
        await wire.close()
