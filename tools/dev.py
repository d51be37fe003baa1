"""`make dev`: the hub restarted when Python files change, and Vite serving the web app as you edit it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HUB = [str(Path(sys.executable).parent / "aihub"), "up", "--no-browser"]
WEB = [sys.executable, str(ROOT / "hatch_build.py"), "dev"]


def newest_change() -> float:
    return max(file.stat().st_mtime for file in (ROOT / "src" / "aihub").rglob("*.py"))


def stop_hub(hub: subprocess.Popen[bytes]) -> None:
    if hub.poll() is None:
        hub.send_signal(signal.SIGTERM)
        hub.wait()


def stop_web(web: subprocess.Popen[bytes]) -> None:
    """npm and Vite are its children, and npm does not pass a signal on: end the whole group."""
    if web.poll() is None:
        os.killpg(web.pid, signal.SIGTERM)
        web.wait()


def main() -> int:
    address = f"http://{os.environ.get('HOST', '127.0.0.1')}:{os.environ.get('PORT', '8000')}"
    web = subprocess.Popen(WEB, env=os.environ | {"AIHUB_URL": address}, start_new_session=True)
    hub = subprocess.Popen(HUB)
    seen = newest_change()
    try:
        while web.poll() is None:
            time.sleep(0.5)
            changed = newest_change()
            if changed != seen:
                seen = changed
                print("\nPython files changed: restarting the hub", flush=True)
                stop_hub(hub)
                hub = subprocess.Popen(HUB)
        return web.returncode
    except KeyboardInterrupt:
        return 0
    finally:
        stop_hub(hub)
        stop_web(web)


if __name__ == "__main__":
    sys.exit(main())
