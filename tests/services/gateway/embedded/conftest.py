"""Homes with real weights in them."""

from pathlib import Path

import pytest
from tests.support.weights import cached_weights, link_weights


@pytest.fixture(scope="session")
def weights_cache() -> Path:
    return cached_weights()


@pytest.fixture
def home(tmp_path: Path, weights_cache: Path) -> Path:
    return link_weights(weights_cache, tmp_path / "home")


@pytest.fixture(scope="module")
def shared_home(tmp_path_factory: pytest.TempPathFactory, weights_cache: Path) -> Path:
    return link_weights(weights_cache, tmp_path_factory.mktemp("embedded") / "home")
