"""MiniLM on onnxruntime against an independent calculation, and the manners of its API."""

import asyncio
import json
import math
import struct
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import openai
import pytest
from tests.support.waiting import quickest
from tokenizers import Tokenizer

from aihub.services.gateway.adapters.embedded.endpoint import Endpoint
from aihub.services.gateway.adapters.embedded.supervisor import EmbeddedModels
from aihub.services.gateway.adapters.embedded.weights import MINILM

pytestmark = pytest.mark.xdist_group("embedded")

Array = npt.NDArray[Any]


@pytest.fixture(scope="module")
async def models(shared_home: Path) -> AsyncIterator[EmbeddedModels]:
    models = EmbeddedModels(shared_home, context=512, slots=1)
    models.start()
    yield models
    await models.close()


@pytest.fixture(scope="module")
async def endpoint(models: EmbeddedModels) -> Endpoint:
    return await models.endpoint("embedding", within=60)


@pytest.fixture(scope="module")
async def client(endpoint: Endpoint) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(
        base_url=endpoint.base_url, api_key=endpoint.api_key, max_retries=0
    ) as client:
        yield client


async def embed(client: openai.AsyncOpenAI, texts: list[str]) -> Array:
    answer = await client.embeddings.create(model="x", input=texts)
    assert [item.index for item in answer.data] == list(range(len(texts)))
    return np.array([item.embedding for item in answer.data])


class Reference:
    """MiniLM as its paper has it, in numpy and double precision, one text at a time."""

    def __init__(self, folder: Path) -> None:
        content = (folder / "model.safetensors").read_bytes()
        (length,) = struct.unpack("<Q", content[:8])
        self.tensors = {
            name: np.frombuffer(content[8 + length :], "<f4", count=math.prod(t["shape"]), offset=o)
            .reshape(t["shape"])
            .astype(np.float64)
            for name, t in json.loads(content[8 : 8 + length]).items()
            if name != "__metadata__" and t["dtype"] == "F32"
            for o in [t["data_offsets"][0]]
        }
        self.tokenizer: Any = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.no_truncation()
        self.tokenizer.no_padding()

    def dense(self, x: Array, name: str) -> Array:
        return x @ self.tensors[f"{name}.weight"].T + self.tensors[f"{name}.bias"]

    def norm(self, x: Array, name: str) -> Array:
        x = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-12)
        return x * self.tensors[f"{name}.weight"] + self.tensors[f"{name}.bias"]

    def __call__(self, text: str) -> Array:
        ids = self.tokenizer.encode(text).ids
        e = "embeddings"
        x = self.tensors[f"{e}.word_embeddings.weight"][ids]
        x = x + self.tensors[f"{e}.position_embeddings.weight"][: len(ids)]
        x = self.norm(x + self.tensors[f"{e}.token_type_embeddings.weight"][0], f"{e}.LayerNorm")
        for layer in (f"encoder.layer.{n}" for n in range(6)):
            q, k, v = (
                self.dense(x, f"{layer}.attention.self.{part}").reshape(-1, 12, 32).transpose(1, 0, 2)
                for part in ("query", "key", "value")
            )
            scores = q @ k.transpose(0, 2, 1) / math.sqrt(32)
            shares = np.exp(scores - scores.max(-1, keepdims=True))
            shares /= shares.sum(-1, keepdims=True)
            mixed = (shares @ v).transpose(1, 0, 2).reshape(-1, 384)
            mixed = self.dense(mixed, f"{layer}.attention.output.dense")
            x = self.norm(mixed + x, f"{layer}.attention.output.LayerNorm")
            wide = self.dense(x, f"{layer}.intermediate.dense")
            wide = wide * 0.5 * (1 + np.vectorize(math.erf)(wide / math.sqrt(2)))
            x = self.norm(self.dense(wide, f"{layer}.output.dense") + x, f"{layer}.output.LayerNorm")
        mean: Array = x.mean(0) / np.linalg.norm(x.mean(0))
        return mean


async def test_the_vectors_are_those_of_the_paper(client: openai.AsyncOpenAI, shared_home: Path) -> None:
    texts = [
        "The invoice is due on Friday.",
        "a",
        "Où est la gare, s'il vous plaît ? 漢字 🙂",
        "Long text. " * 40,
    ]
    reference = Reference(MINILM.folder(shared_home))
    together = await embed(client, texts)
    for text, vector in zip(texts, together, strict=True):
        assert float(vector @ reference(text)) >= 0.9999
        assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)
        # Being padded to the length of its neighbours must not change a text's vector.
        assert float(vector @ (await embed(client, [text]))[0]) >= 0.99999


async def test_close_meanings_have_close_vectors(client: openai.AsyncOpenAI) -> None:
    dog, puppy, tax = await embed(
        client, ["A dog barks.", "The puppy is loud.", "Quarterly taxes must be filed."]
    )
    assert dog @ puppy > 0.5 > 0.2 > dog @ tax


async def test_floats_and_base64_say_the_same(client: openai.AsyncOpenAI) -> None:
    plain = await client.embeddings.create(model="x", input="one", encoding_format="float")
    packed = await client.embeddings.create(model="x", input="one")  # the client asks for base64
    assert plain.data[0].embedding == pytest.approx(packed.data[0].embedding, abs=1e-7)
    assert plain.usage.prompt_tokens == plain.usage.total_tokens == 3
    assert len(plain.data[0].embedding) == 384


async def test_many_texts_keep_their_order(client: openai.AsyncOpenAI) -> None:
    texts = [f"{n} " + "word " * (n * 7 % 31) for n in range(150)]
    vectors = await embed(client, texts)
    for n in (0, 77, 149):
        assert float(vectors[n] @ (await embed(client, [texts[n]]))[0]) >= 0.9999


@pytest.mark.parametrize(
    ("field", "value", "about"),
    [
        ("input", [], "input"),
        ("input", "", "input"),
        ("input", ["fine", ""], "input"),
        ("input", [[1, 2, 3]], "input"),
        ("input", [1, 2, 3], "input"),
        ("input", ["x"] * 2049, "input"),
        ("input", "word " * 600, "input"),
        ("input", "word " * 100_000, "input"),
        ("input", None, "input"),
        ("dimensions", 256, "dimensions"),
        ("dimensions", -1, "dimensions"),
        ("encoding_format", "hex", "encoding_format"),
    ],
)
async def test_what_it_cannot_do_is_refused_by_name(
    client: openai.AsyncOpenAI, field: str, value: object, about: str
) -> None:
    body = {"model": "x", "input": "fine", field: value}
    with pytest.raises(openai.BadRequestError) as caught:
        await client.post("/embeddings", body=body, cast_to=object)
    assert caught.value.param == about


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b'"text"', 400),
        (b'{"input": "\xff"}', 400),
        (b'{"input": "\\ud800"}', 400),
        (b" " * (11 << 20), 413),
    ],
)
async def test_malformed_bodies_are_refused(endpoint: Endpoint, body: bytes, status: int) -> None:
    address = endpoint.base_url.removeprefix("http://").removesuffix("/v1")
    reader, writer = await asyncio.open_connection(*address.split(":"))
    writer.write(
        f"POST /v1/embeddings HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {endpoint.api_key}\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode()
        + body
    )
    assert int((await reader.readline()).split()[1]) == status
    writer.close()


async def test_nobody_without_the_key(endpoint: Endpoint) -> None:
    async with openai.AsyncOpenAI(base_url=endpoint.base_url, api_key="other", max_retries=0) as stranger:
        with pytest.raises(openai.AuthenticationError):
            await stranger.embeddings.create(model="x", input="Hello")


async def test_a_question_does_not_wait_for_a_whole_library(client: openai.AsyncOpenAI) -> None:
    async def share() -> float:
        """How much of the time that a library takes somebody waits who asks meanwhile."""
        began = time.monotonic()
        library = asyncio.create_task(embed(client, ["word " * 200] * 60))
        await asyncio.sleep(0.3)
        asked = time.monotonic()
        await embed(client, ["short"])
        waited = time.monotonic() - asked
        await library
        return waited / (time.monotonic() - began)

    assert await quickest(share, 0.4) < 0.4
