"""The scripted provider in a process of its own, so that killing hubs and databases leaves it alone."""

import subprocess
import sys
import time
import urllib.request

from tests.support.hub import clean_environment, free_port


class Upstream:
    """`url` is what a hub takes as base_url. Each model name is a script of the fake provider."""

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/v1"

    def __enter__(self) -> "Upstream":
        self.process = subprocess.Popen(
            [sys.executable, "-m", "aihub.services.gateway.adapters.fake", "--port", str(self.port)],
            env=clean_environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                urllib.request.urlopen(f"{self.url}/models", timeout=2).close()
            except OSError:
                time.sleep(0.05)
            else:
                return self
        raise AssertionError("the scripted provider did not start")

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait(10)
