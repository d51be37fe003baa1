"""What may lie in the repository."""

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
WRITTEN = {".py", ".ts", ".tsx", ".css", ".sql", ".sh", ".mjs"}
GENERATED = {"web/src/api/schema.d.ts"}
MOST_LINES = 500

# Written in pieces, so that this file does not find itself.
HOSTS = (
    "registry." + "npm" + "js.org",
    "files." + "python" + "hosted.org",
    "deb." + "debian" + ".org",
    "py" + "pi.org/simple",
)
MACHINE_PATHS = re.compile(r"/(?:wor" + r"k/(?:main|shared)|roo" + r"t/\.|home/[a-z]+/\.cache)")
SECRETS = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----\n[A-Za-z0-9+/=]{20}|\bsk-[A-Za-z0-9]{32,}\b|\bAKIA[0-9A-Z]{16}\b"
)


def tracked() -> list[Path]:
    done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    return [ROOT / name for name in done.stdout.split("\0") if name and (ROOT / name).is_file()]


def texts() -> list[tuple[str, str]]:
    found = []
    for file in tracked():
        content = file.read_bytes()
        if b"\0" not in content[:8000]:
            found.append((str(file.relative_to(ROOT)), content.decode("utf-8")))
    return found


def test_no_file_outgrows_one_sitting() -> None:
    long = {
        name: lines
        for name, text in texts()
        if Path(name).suffix in WRITTEN and name not in GENERATED and (lines := text.count("\n")) > MOST_LINES
    }
    assert not long, f"split these (at most {MOST_LINES} lines): {long}"


def test_no_registry_host_or_machine_path() -> None:
    wrong = [
        name for name, text in texts() if any(host in text for host in HOSTS) or MACHINE_PATHS.search(text)
    ]
    assert not wrong


def test_no_secret_is_committed() -> None:
    assert not [name for name, text in texts() if SECRETS.search(text)]
    committed = {file.name for file in tracked()}
    assert not {name for name in committed if name == ".env" or name.endswith((".pem", ".key"))}


def test_requirements_are_pinned_by_hash_and_name_no_index() -> None:
    for name in ("requirements.txt", "requirements-dev.txt", "requirements-build.txt"):
        text = (ROOT / name).read_text("utf-8")
        assert "index-url" not in text
        assert "--find-links" not in text
        pins = [line for line in text.splitlines() if line and line[0] not in " #"]
        assert pins
        assert all("==" in line and line.endswith("\\") for line in pins), name
