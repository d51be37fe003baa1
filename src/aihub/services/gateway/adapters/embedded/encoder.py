"""Text to unit vectors with MiniLM on onnxruntime. The only file that knows onnxruntime."""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime
from tokenizers import Tokenizer

DIMENSIONS = 384
MAX_TOKENS = 512
# The name changes with the graph, so that a new release builds its own.
GRAPH = "minilm-1.onnx"
_BATCH_TOKENS = 2048  # bounds the memory of one run to some 50 MB
_BATCH_TEXTS = 64

Vectors = npt.NDArray[np.float32]


class Encoder:
    """Loaded once per process; `encode` blocks and is called from one thread at a time."""

    def __init__(self, folder: Path, threads: int) -> None:
        if not (folder / GRAPH).exists():
            # In a process of its own: building needs memory that would stay with us for good.
            builder = "aihub.services.gateway.adapters.embedded.minilm_graph"
            subprocess.run([sys.executable, "-m", builder, str(folder), GRAPH], check=True)
        self._tokenizer: Any = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._session: Any = onnxruntime.InferenceSession(
            str(folder / GRAPH), options, providers=["CPUExecutionProvider"]
        )

    def tokens(self, text: str) -> list[int]:
        """The ids of `text` with its start and end marks; may be longer than MAX_TOKENS."""
        ids: list[int] = self._tokenizer.encode(text).ids
        return ids

    def encode(self, texts: Sequence[Sequence[int]]) -> Vectors:
        """One vector of length 1 for each tokenised text, none longer than MAX_TOKENS."""
        longest = max(map(len, texts))
        ids = np.zeros((len(texts), longest), dtype=np.int64)
        mask = np.zeros_like(ids)
        for row, text in enumerate(texts):
            ids[row, : len(text)] = text
            mask[row, : len(text)] = 1
        vectors: Vectors = self._session.run(None, {"input_ids": ids, "attention_mask": mask})[0]
        return vectors


def batches(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Indexes of texts of similar length, grouped so that little is padded and memory stays bounded."""
    batch: list[int] = []
    for index in sorted(range(len(lengths)), key=lengths.__getitem__):
        # Sorted: the newcomer is the longest and sets the width of the whole batch.
        if batch and (len(batch) == _BATCH_TEXTS or (len(batch) + 1) * lengths[index] > _BATCH_TOKENS):
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch
