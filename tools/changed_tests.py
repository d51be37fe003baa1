"""Prints the tests that belong to what was changed, for `make check`.

Tests mirror the package: a change in src/aihub/services/credits/ asks for tests/services/credits/.
Changed means: not yet committed, or committed and not yet pushed. The house rules always run.
"""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def git(*arguments: str) -> list[str]:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.split("\n") if done.returncode == 0 else []


def changed_files() -> set[Path]:
    names = {
        *git("diff", "--name-only", "HEAD"),
        *git("diff", "--name-only", "@{upstream}...HEAD"),
        *git("ls-files", "--others", "--exclude-standard"),
    }
    return {Path(name) for name in names if name}


def tests_of(file: Path) -> Path | None:
    """The closest existing test file or folder of a changed file; None when there is none."""
    match file.parts:
        case ("tests", *_):
            return file if file.name.startswith("test_") and (ROOT / file).is_file() else None
        case ("src", "aihub", *inside):
            own = Path("tests", *inside[:-1], f"test_{file.stem}.py")
            if (ROOT / own).is_file():
                return own
            for depth in range(len(inside) - 1, 0, -1):
                folder = Path("tests", *inside[:depth])
                if (ROOT / folder).is_dir():
                    return folder
    return None


def main() -> int:
    found = {Path("tests/architecture")} | {tests for file in changed_files() if (tests := tests_of(file))}
    print(" ".join(sorted(str(tests) for tests in found)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
