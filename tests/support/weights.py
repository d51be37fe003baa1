"""Real weights, downloaded once per machine and linked into each test's own home."""

import os
import shutil
from pathlib import Path

from aihub.services.gateway.adapters.embedded.weights import MINILM, PINNED, SMOLLM2, Weights, fetch


def cached_weights() -> Path:
    """A folder like AIHUB_HOME with the pinned weights in it; AIHUB_TEST_CACHE moves it."""
    cache = Path(os.environ.get("AIHUB_TEST_CACHE") or Path.home() / ".cache" / "aihub-tests")
    for weights in PINNED:
        fetch(weights, cache)
    return cache


def link_weights(cache: Path, home: Path, *wanted: Weights) -> Path:
    """Put `wanted` into `home` without another download."""
    for weights in wanted or (SMOLLM2, MINILM):
        weights.folder(home).mkdir(parents=True)
        for file in weights.files:
            source, target = weights.folder(cache) / file.name, weights.folder(home) / file.name
            try:
                target.hardlink_to(source)
            except OSError:  # the test's folder is on another disk
                shutil.copyfile(source, target)
    return home
