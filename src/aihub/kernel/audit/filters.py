"""Which entries somebody wants to see."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Filter:
    """Every part narrows further; empty parts do not.

    `action` and `ip` may end with `*`; `actor` is a user id or a part of the name; `text` is looked for in
    everything that an entry says. `since` is included, `until` is not.
    """

    actor: str = ""
    action: str = ""
    target_kind: str = ""
    target_id: str = ""
    ip: str = ""
    text: str = ""
    since: datetime | None = None
    until: datetime | None = None

    def conditions(self) -> tuple[list[str], dict[str, object]]:
        """As SQL, with its values."""
        found: list[str] = []
        values: dict[str, object] = {}
        for name, wanted in (("action", self.action), ("ip", self.ip)):
            if wanted:
                found.append(f"starts_with({name}, :{name})" if wanted.endswith("*") else f"{name} = :{name}")
                values[name] = wanted.removesuffix("*")
        for name, wanted in (("target_kind", self.target_kind), ("target_id", self.target_id)):
            if wanted:
                found.append(f"{name} = :{name}")
                values[name] = wanted
        for name, at, sign in (("since", self.since, ">="), ("until", self.until, "<")):
            if at is not None:
                found.append(f"at {sign} :{name}")
                values[name] = at
        if self.actor:
            try:
                values["actor_id"] = UUID(self.actor)
                found.append("actor_id = :actor_id")
            except ValueError:
                values["actor"] = self.actor.lower()
                found.append("strpos(lower(actor), :actor) > 0")
        if self.text:
            values["text"] = self.text.lower()
            found.append(
                "strpos(lower(concat_ws(' ', actor, action, target_kind, target_id, request_id, ip, "
                "user_agent, details, changes)), :text) > 0"
            )
        return found, values
