"""Typed settings: every variable is declared once, with its name, meaning and default.

Values come, in this order, from the process environment, from a file named by `NAME_FILE` (secrets
only), from an env file (`.env.local` in the working folder, then `env` in the hub's home), and from
the default. A name that starts with `AIHUB_` and is not declared stops the start with a suggestion.
"""

import difflib
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

from dotenv import dotenv_values
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.config import JsonDict
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from aihub.kernel.errors import AihubError

MASK = "••••••"


class SettingsError(AihubError):
    code = "settings.invalid"
    status = 500
    title = "The configuration is not usable"
    remedy = "Correct the variables named in the detail; 'aihub config' shows what is in effect."


class SettingsGroup(BaseModel):
    """The settings one module declares. Fields are made by `setting()`."""

    model_config = ConfigDict(frozen=True, extra="forbid")


Group = TypeVar("Group", bound=SettingsGroup)


def setting(
    default: Any = PydanticUndefined,
    *,
    env: str,
    description: str,
    section: str,
    aliases: Sequence[str] = (),
    secret: bool = False,
    example: str | None = None,
    **constraints: Any,
) -> Any:
    """Declare one variable.

    `env` is its name; `aliases` are older or foreign spellings that mean the same; `secret` values
    are masked wherever they are shown and may come from the file that `<env>_FILE` names.
    """
    extra: JsonDict = {
        "env": env,
        "aliases": list(aliases),
        "section": section,
        "secret": secret,
        "example": example,
    }
    return Field(default, description=description, json_schema_extra=extra, **constraints)


@dataclass(frozen=True, slots=True)
class Declared:
    """One declared variable."""

    group: type[SettingsGroup]
    field: str
    env: str
    aliases: tuple[str, ...]
    section: str
    secret: bool
    description: str
    default: object
    example: str | None

    @property
    def names(self) -> tuple[str, ...]:
        return (self.env, *self.aliases)


@dataclass(frozen=True, slots=True)
class Effective:
    """What a variable is now, and where that came from."""

    declared: Declared
    value: object
    source: str

    @property
    def shown(self) -> str | None:
        """The value for people: secrets are masked, unset is None."""
        if self.value is None:
            return None
        if self.declared.secret:
            return MASK
        if isinstance(self.value, tuple | list):
            return ",".join(str(v) for v in self.value)
        return str(self.value)


class Settings:
    """All groups, validated together. `settings[Group]` gives the typed values of one group."""

    def __init__(
        self, groups: Mapping[type[SettingsGroup], SettingsGroup], rows: Sequence[Effective]
    ) -> None:
        self._groups = dict(groups)
        self._rows = tuple(rows)

    def __getitem__(self, group: type[Group]) -> Group:
        return cast(Group, self._groups[group])

    def rows(self) -> tuple[Effective, ...]:
        """Every declared variable with its effective value and source."""
        return self._rows


def declared(groups: Sequence[type[SettingsGroup]]) -> list[Declared]:
    """Every variable the groups declare, section by section in the order in which sections first appear."""
    rows = [_declared(group, name, info) for group in groups for name, info in group.model_fields.items()]
    order = list(dict.fromkeys(row.section for row in rows))
    return sorted(rows, key=lambda row: order.index(row.section))


def _declared(group: type[SettingsGroup], name: str, info: FieldInfo) -> Declared:
    extra = info.json_schema_extra
    if not isinstance(extra, dict):
        raise TypeError(f"{group.__name__}.{name} was not made by setting()")
    default = None if info.default is PydanticUndefined else info.default
    return Declared(
        group=group,
        field=name,
        env=str(extra["env"]),
        aliases=tuple(cast(list[str], extra["aliases"])),
        section=str(extra["section"]),
        secret=bool(extra["secret"]),
        description=info.description or "",
        default=default,
        example=cast(str | None, extra["example"]),
    )


def load(
    groups: Sequence[type[SettingsGroup]],
    environ: Mapping[str, str] | None = None,
    env_files: Sequence[Path] = (),
) -> Settings:
    """Read, check and freeze the configuration.

    Raises SettingsError naming every variable that is wrong, unknown or unreadable, at once.
    """
    env = dict(os.environ if environ is None else environ)
    from_file: dict[str, tuple[str, str]] = {}
    for path in reversed(env_files):
        if path.is_file():
            for key, text in dotenv_values(path, interpolate=False).items():
                if text is not None:
                    from_file[key] = (text, str(path))
    known = declared(groups)
    problems = list(_unknown_names([*env, *from_file], known))
    rows: list[Effective] = []
    built: dict[type[SettingsGroup], SettingsGroup] = {}
    for group in groups:
        raw: dict[str, object] = {}
        sources: dict[str, str] = {}
        for item in (d for d in known if d.group is group):
            try:
                found = _find(item, env, from_file)
            except OSError as exc:
                problems.append(f"{item.env}_FILE cannot be read: {exc.strerror}")
                continue
            if found is not None:
                raw[item.field], sources[item.field] = found
        try:
            value = group.model_validate(raw)
        except ValidationError as exc:
            for error in exc.errors(include_url=False, include_input=False):
                field = str(error["loc"][0]) if error["loc"] else ""
                names = [d.env for d in known if d.group is group and d.field == field]
                problems.append(f"{names[0] if names else group.__name__}: {error['msg']}")
            continue
        built[group] = value
        rows.extend(
            Effective(d, getattr(value, d.field), sources.get(d.field, "default"))
            for d in known
            if d.group is group
        )
    rows.sort(key=lambda row: known.index(row.declared))
    if problems:
        raise SettingsError("; ".join(problems))
    return Settings(built, rows)


def _find(
    item: Declared, env: Mapping[str, str], from_file: Mapping[str, tuple[str, str]]
) -> tuple[str, str] | None:
    for name in item.names:
        if env.get(name, "") != "":
            return env[name], f"environment {name}"
        if item.secret and env.get(f"{name}_FILE"):
            return Path(env[f"{name}_FILE"]).read_text("utf-8").strip(), f"file named by {name}_FILE"
    for name in item.names:
        if from_file.get(name, ("", ""))[0] != "":
            return from_file[name][0], f"env file {from_file[name][1]} ({name})"
        if item.secret and f"{name}_FILE" in from_file:
            path = Path(from_file[f"{name}_FILE"][0])
            return path.read_text("utf-8").strip(), f"file named by {name}_FILE"
    return None


def _unknown_names(names: Sequence[str], known: Sequence[Declared]) -> Iterator[str]:
    valid = {n for d in known for n in d.names}
    valid |= {f"{n}_FILE" for d in known if d.secret for n in d.names}
    for name in dict.fromkeys(names):
        if name.startswith("AIHUB_") and name not in valid:
            close = difflib.get_close_matches(name, valid, n=1)
            yield f"{name} is not a setting" + (f"; did you mean {close[0]}?" if close else "")


def too_open(path: Path) -> bool:
    """Whether others than the owner may read a file that should hold secrets."""
    return bool(path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO))
