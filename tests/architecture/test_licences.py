"""Everything we ship stands on licences that allow it."""

import re
from importlib.metadata import distribution
from pathlib import Path

from packaging.markers import Marker

ROOT = Path(__file__).resolve().parents[2]

# Permissive, or with a duty that ends at the library's own files (MPL, LGPL used as a library).
ALLOWED = re.compile(
    r"\b(MIT|BSD|0BSD|Apache|ISC|PSF|Python Software Foundation|MPL|Mozilla|LGPL|Zlib|CC0|Unlicense|HPND)",
    re.IGNORECASE,
)


def shipped() -> list[str]:
    """Names of the locked runtime packages that apply to this machine."""
    names = []
    for line in (ROOT / "requirements.txt").read_text("utf-8").splitlines():
        if line and line[0] not in " #":
            pin, _, marker = line.rstrip(" \\").partition(" ; ")
            if not marker or Marker(marker).evaluate():
                names.append(pin.split("==")[0])
    return names


def licence_of(name: str) -> str:
    installed = distribution(name)
    about = installed.metadata
    classifiers = [c for c in about.get_all("Classifier") or [] if c.startswith("License ::")]
    words = [about.get("License-Expression") or "", *classifiers, (about.get("License") or "")[:200]]
    if not any(words):  # no metadata: the title of the licence text itself
        files = [file for file in installed.files or [] if "LICEN" in file.name.upper()]
        words = [file.locate().read_text("utf-8").strip()[:100] for file in files]
    return " ".join(word for word in words if word)


def test_every_shipped_library_has_an_allowed_licence() -> None:
    strange = {name: licence_of(name) for name in shipped() if not ALLOWED.search(licence_of(name))}
    assert not strange
