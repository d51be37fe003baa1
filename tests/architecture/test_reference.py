"""What is made from the code says what the code says."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# In a process of its own: tests declare errors too, and the reference lists every one it can see.
STALE = """
import json
from tools.reference import ROOT, generated
stale = [p for p, text in generated().items() if not p.is_file() or p.read_text("utf-8") != text]
print(json.dumps([str(p.relative_to(ROOT)) for p in stale]))
"""


def test_the_generated_reference_is_fresh() -> None:
    done = subprocess.run(
        [sys.executable, "-c", STALE], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert json.loads(done.stdout) == [], "run `make docs`"
