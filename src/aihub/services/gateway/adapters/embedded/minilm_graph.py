"""Describe MiniLM's computation as an ONNX graph over its safetensors file.

A safetensors file is raw little-endian numbers behind a JSON header, which is what ONNX calls
external data: the graph (some 20 KB) points into the weights file, and nothing is copied.
Run as `python -m …minilm_graph FOLDER`; the onnx package is needed here and nowhere else.
"""

import json
import os
import struct
import sys
from pathlib import Path
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

WEIGHTS = "model.safetensors"
LAYERS, WIDTH, HEADS = 6, 384, 12
EPSILON = 1e-12
MASKED = -1e9


class _Graph:
    """Collects nodes and constants; every method returns the name of what it added."""

    def __init__(self, tensors: dict[str, Any], base: int) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self._tensors = tensors
        self._base = base

    def op(self, kind: str, *inputs: str, **attributes: Any) -> str:
        name = f"{kind}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def ints(self, *values: int) -> str:
        return self._constant(np.array(values, dtype=np.int64))

    def whole(self, value: int) -> str:
        return self._constant(np.array(value, dtype=np.int64))

    def number(self, value: float) -> str:
        return self._constant(np.array(value, dtype=np.float32))

    def weight(self, name: str) -> str:
        entry = self._tensors[name]
        begin, end = entry["data_offsets"]
        tensor = TensorProto(
            name=name,
            dims=entry["shape"],
            data_type=TensorProto.FLOAT,
            data_location=TensorProto.EXTERNAL,
        )
        for key, value in (("location", WEIGHTS), ("offset", self._base + begin), ("length", end - begin)):
            tensor.external_data.add(key=key, value=str(value))
        self.constants.append(tensor)
        return name

    def dense(self, value: str, name: str) -> str:
        return self.op("Gemm", value, self.weight(f"{name}.weight"), self.weight(f"{name}.bias"), transB=1)

    def norm(self, value: str, name: str) -> str:
        scale, bias = self.weight(f"{name}.weight"), self.weight(f"{name}.bias")
        return self.op("LayerNormalization", value, scale, bias, axis=-1, epsilon=EPSILON)

    def _constant(self, value: Any) -> str:
        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(value, name))
        return name


def build(folder: Path) -> bytes:
    """The model: `input_ids` and `attention_mask` (batch × tokens) to unit vectors `embedding` (batch × 384).

    Masked mean pooling and the normalisation are part of the graph.
    """
    with (folder / WEIGHTS).open("rb") as stream:
        (length,) = struct.unpack("<Q", stream.read(8))
        tensors = json.loads(stream.read(length))
    g = _Graph(tensors, 8 + length)
    shape = g.op("Shape", "input_ids")
    rows = g.ints(-1, WIDTH)
    mask = g.op("Cast", "attention_mask", to=TensorProto.FLOAT)
    bias = g.op("Mul", g.op("Sub", g.number(1.0), mask), g.number(MASKED))
    bias = g.op("Unsqueeze", bias, g.ints(1, 2))
    state = g.op("Reshape", _embed(g, shape), rows)
    for layer in range(LAYERS):
        name = f"encoder.layer.{layer}"
        attended = g.dense(_attend(g, state, shape, rows, bias, name), f"{name}.attention.output.dense")
        state = g.norm(g.op("Add", attended, state), f"{name}.attention.output.LayerNorm")
        wide = g.op("Gelu", g.dense(state, f"{name}.intermediate.dense"))
        narrow = g.dense(wide, f"{name}.output.dense")
        state = g.norm(g.op("Add", narrow, state), f"{name}.output.LayerNorm")
    state = g.op("Reshape", state, g.op("Concat", shape, g.ints(WIDTH), axis=0))
    weights = g.op("Unsqueeze", mask, g.ints(2))
    total = g.op("ReduceSum", g.op("Mul", state, weights), g.ints(1), keepdims=0)
    mean = g.op("Div", total, g.op("ReduceSum", weights, g.ints(1), keepdims=0))
    g.nodes.append(helper.make_node("LpNormalization", [mean], ["embedding"], axis=-1, p=2))
    graph = helper.make_graph(
        g.nodes,
        "minilm",
        [
            helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "tokens"])
            for name in ("input_ids", "attention_mask")
        ],
        [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", WIDTH])],
        g.constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    serialized: bytes = model.SerializeToString()
    return serialized


def _embed(g: _Graph, shape: str) -> str:
    length = g.op("Gather", shape, g.whole(1))
    positions = g.op("Range", g.whole(0), length, g.whole(1))
    words = g.op("Gather", g.weight("embeddings.word_embeddings.weight"), "input_ids")
    places = g.op("Gather", g.weight("embeddings.position_embeddings.weight"), positions)
    sentence = g.op("Gather", g.weight("embeddings.token_type_embeddings.weight"), g.whole(0))
    return g.norm(g.op("Add", g.op("Add", words, places), sentence), "embeddings.LayerNorm")


def _attend(g: _Graph, state: str, shape: str, rows: str, bias: str, name: str) -> str:
    by_head = g.op("Concat", shape, g.ints(HEADS, WIDTH // HEADS), axis=0)

    def heads(part: str, order: list[int]) -> str:
        value = g.op("Reshape", g.dense(state, f"{name}.attention.self.{part}"), by_head)
        return g.op("Transpose", value, perm=order)

    query = heads("query", [0, 2, 1, 3])
    key = heads("key", [0, 2, 3, 1])
    value = heads("value", [0, 2, 1, 3])
    scores = g.op("Mul", g.op("MatMul", query, key), g.number((WIDTH / HEADS) ** -0.5))
    shares = g.op("Softmax", g.op("Add", scores, bias), axis=-1)
    mixed = g.op("Transpose", g.op("MatMul", shares, value), perm=[0, 2, 1, 3])
    return g.op("Reshape", mixed, rows)


def write(folder: Path, name: str) -> None:
    """Build the graph into `folder`/`name`, visible only when whole."""
    fresh = folder / f".{name}.{os.getpid()}"
    fresh.write_bytes(build(folder))
    fresh.replace(folder / name)


if __name__ == "__main__":
    write(Path(sys.argv[1]), sys.argv[2])
