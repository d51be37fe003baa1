"""Which tests run in the same process, and in which order, when several processes share the work.

Tests that share something that takes long to make (a fixture of their module, or what the mark
`xdist_group` names) run in one process, so that it is made once. What takes long begins first: otherwise
the whole run waits for one last test while the other processes have nothing to do.

pytest-xdist's own `--dist loadgroup` carries the groups in the names of the tests, which newer versions of
pytest do not let it change: it then ignores them without a word.
"""

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import WorkerController

FILE = "aihub_groups"
"""The name by which a process that runs tests is told where to say what its groups are."""
LONG, SHORT = 100, 1
"""What a test marked `slow` or `browser` needs, compared with any other; more or less."""
TOGETHER = frozenset({"class", "module", "package"})
"""Scopes of fixtures that every process would make for itself."""


def group_of(item: pytest.Item) -> str:
    """Tests of the same group run one after another in the same process."""
    for mark in item.iter_markers("xdist_group"):
        return str(mark.args[0])
    # pytest has no public way to ask what a test uses.
    info = vars(item).get("_fixtureinfo")
    used = info.name2fixturedefs.values() if info else ()
    if any(definitions[-1].scope in TOGETHER for definitions in used):
        return item.nodeid.partition("::")[0]
    return item.nodeid


def weight_of(item: pytest.Item) -> int:
    return LONG if any(map(item.get_closest_marker, ("slow", "browser"))) else SHORT


class Groups(LoadScopeScheduling):
    """Gives out whole groups, in the order in which the processes found them."""

    def __init__(self, config: pytest.Config, log: Any) -> None:
        super().__init__(config, log)
        self._groups: Mapping[str, str] = {}

    def add_node_collection(self, node: WorkerController, collection: Any) -> None:
        # All of them find the same, or nothing is run.
        self._groups = json.loads(Path(node.workerinput[FILE]).read_text("utf-8"))
        super().add_node_collection(node, collection)

    def _split_scope(self, nodeid: str) -> str:
        return self._groups[nodeid]


# ---------------------------------------------------------------- in the process that gives out the work


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: WorkerController) -> None:
    folder = TemporaryDirectory(prefix="aihub-groups-")
    node.config.add_cleanup(folder.cleanup)
    node.workerinput[FILE] = str(Path(folder.name) / "groups.json")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Groups | None:
    if config.getvalue("dist") != "loadgroup":
        return None
    config.option.loadscopereorder = False
    return Groups(config, log)


# ---------------------------------------------------------------- in the processes that run tests


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if FILE in getattr(config, "workerinput", {}):
        weights: Counter[str] = Counter()
        for item in items:
            weights[group_of(item)] += weight_of(item)
        items.sort(key=lambda item: -weights[group_of(item)])


@pytest.hookimpl(tryfirst=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    if file := getattr(session.config, "workerinput", {}).get(FILE):
        groups = {item.nodeid: group_of(item) for item in session.items}
        Path(file).write_text(json.dumps(groups), "utf-8")
