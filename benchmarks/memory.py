"""How much memory the server takes: 1,000 chats against a scripted provider, the process measured.

    python -m benchmarks.memory [--chats 1000] [--at-once 8] [--most 250]

Half of the chats go through conversations, as the web app does it, half through /v1; every other one is
streamed. Prints the resident memory of the server process (the model, which runs in processes of its
own, is off) at the start, after each fifth and at the end; exits with 1 above the bar.
"""

import argparse
import asyncio
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
from tests.support.hub import Hub, running_hub
from tests.support.upstream import Upstream

GENEROUS = "ai.query=1000000/1s"


def resident(pid: int) -> float:
    """Resident memory of a process in MB."""
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    assert found, "this system does not say how much memory a process takes"
    return int(found.group(1)) / 1024


async def through_conversation(client: httpx2.AsyncClient, number: int) -> None:
    made = await client.post("/api/v1/conversations", json={"model": "echo"})
    made.raise_for_status()
    path = f"/api/v1/conversations/{made.json()['id']}"
    sent = await client.post(f"{path}/messages", json={"text": f"Question {number}: " + "words " * 100})
    sent.raise_for_status()
    async with client.stream("GET", f"/api/v1/runs/{sent.json()['run']['id']}/stream") as stream:
        stream.raise_for_status()
        text = "".join([piece async for piece in stream.aiter_text()])
    assert text.rstrip().endswith("data: [DONE]"), text[-500:]


async def through_gateway(client: httpx2.AsyncClient, number: int) -> None:
    content = f"Question {number}: " + "words " * 100
    body = {"model": "echo", "messages": [{"role": "user", "content": content}], "stream": number % 4 == 0}
    answer = await client.post("/v1/chat/completions", json=body)
    answer.raise_for_status()
    assert "Question" in answer.text


async def chat(hub: Hub, key: str, chats: int, at_once: int) -> list[tuple[int, float]]:
    """Run the chats; memory after each fifth of them."""
    assert hub.process is not None
    seen = [(0, resident(hub.process.pid))]
    headers = {"Authorization": f"Bearer {key}"}
    async with httpx2.AsyncClient(base_url=hub.url, headers=headers, timeout=120) as client:
        for fifth in range(5):
            numbers = iter(range(fifth * chats // 5, (fifth + 1) * chats // 5))

            async def work(numbers: Iterator[int] = numbers) -> None:
                for number in numbers:
                    await (through_conversation if number % 2 else through_gateway)(client, number)

            await asyncio.gather(*(work() for _ in range(at_once)))
            seen.append(((fifth + 1) * chats // 5, resident(hub.process.pid)))
            print(f"  after {seen[-1][0]:>5} chats  {seen[-1][1]:6.1f} MB", flush=True)
    return seen


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--chats", type=int, default=1000)
    parser.add_argument("--at-once", type=int, default=8)
    parser.add_argument("--most", type=float, default=250, help="MB above which this fails")
    given = parser.parse_args()
    with (
        Upstream() as upstream,
        running_hub(AIHUB_EMBEDDED="false", AIHUB_DEFAULT_MODEL="echo", AIHUB_LIMITS=GENEROUS) as hub,
    ):
        key = hub.create_admin()
        hub.cli(
            "model", "add", "--provider", "openai", "--base-url", upstream.url, "--name", "echo",
            "--allow-private", "--input-price", "0", "--output-price", "0",
        )  # fmt: skip
        assert hub.process is not None
        print(f"  at the start       {resident(hub.process.pid):6.1f} MB", flush=True)
        started = time.perf_counter()
        seen = asyncio.run(chat(hub, key, given.chats, given.at_once))
        seconds = time.perf_counter() - started
    last = max(megabytes for _, megabytes in seen)
    print(f"{given.chats} chats in {seconds:.0f} s; at most {last:.1f} MB of {given.most:.0f} MB")
    return 1 if last > given.most else 0


if __name__ == "__main__":
    sys.exit(main())
