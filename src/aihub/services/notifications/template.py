"""The shape of a letter's words."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Template:
    """Paragraphs before and after the button; `{name}` are the values."""

    subject: str
    before: tuple[str, ...]
    button: str | None = None
    after: tuple[str, ...] = ()
