"""Ask the hub, route by route and as everybody, and note what it says."""

import re
from collections.abc import Iterable
from typing import Any

from tests.access.bodies import BODIES, HEADERS, QUERIES, RISKY, VARIANTS
from tests.access.client import Reply
from tests.access.routes import Way
from tests.access.table import ROLES, Row
from tests.access.world import MODES, Person, World, things_of
from tests.support.examples import NOWHERE, example_of

OWNED = {"conversation_id", "message_id", "run_id", "key_id", "session_id", "passkey_id", "link_id"}
"""Identifiers of what belongs to one person, who alone may touch it."""
OF_THE_HUB = {
    "provider_id", "model_id", "job_id", "letter_id", "invitation_id", "name", "model", "role_id", "grant_id",
    "entry_id", "sign_in_provider_id", "deletion_id", "handle", "path",
}  # fmt: skip
"""Identifiers of what belongs to nobody: once we may ask, it need not be there."""
GRANTS = ("/models/{model_id}/grants", "/models/{model_id}/grants/{grant_id}")
"""These ask whether one may share this very model, so it has to be there."""
REFUSALS = {
    "auth.forbidden", "auth.session_required", "auth.fresh_proof_needed", "auth.second_factor_needed",
    "roles.beyond_own", "roles.own", "keys.scopes_beyond_own", "permission_denied",
}  # fmt: skip
"""What a 403 says about the caller. Others are about what was sent, such as a wrong password."""
STRANGERS = {"auth.required", "auth.invalid_key", "auth.session_ended"}
SAFE = frozenset({"GET", "HEAD"})


class Observer:
    def __init__(self, world: World) -> None:
        self.world = world
        self.described: dict[str, Any] = world.call("GET", "/api/openapi.json").json()
        self.trouble: dict[str, str] = {}
        """What makes an observation worthless, by route: a body that is refused, a failure of the hub."""
        self._shown: dict[Any, dict[str, str]] = {}

    def rows(self, ways: Iterable[Way]) -> dict[str, list[Row]]:
        """What happens on these, by module."""
        found: dict[str, list[Row]] = {}
        for way in ways:
            names = set(re.findall(r"{(\w+)", way.path))
            for whose in (*self._whose(way, names), *VARIANTS.get(f"{way.method} {way.path}", {})):
                found.setdefault(way.module, []).append(self._row(way, whose))
        for person in self.world.people.values():
            for mode in self.world.alive(person):
                self.trouble[f"{person.role} by {mode}"] = "is no longer let in: which route is RISKY?"
        return found

    def _whose(self, way: Way, names: set[str]) -> tuple[str, ...]:
        if "user_id" in names:
            return ("own", "a user's", "a super_admin's")
        if names & OWNED or ("export_id" in names and "/me/" in way.path):
            return ("own", "another's")
        if names & {"token", "export_id"}:
            return ("by link",)
        if way.path.endswith(GRANTS):
            return ("a model's",)
        if unknown := names - OF_THE_HUB:
            self.trouble[way.path] = f"say in tests/access/observe.py whose {unknown} is"
        return ("the hub's",) if names - {"path"} else ("–",)

    def _row(self, way: Way, whose: str) -> Row:
        anonymous = self._cell(way, whose, None, "")
        cells = [anonymous] + [self._cell(way, whose, self.world.people[role], "browser") for role in ROLES]
        good = [role for role, cell in zip(ROLES, cells[1:], strict=True) if cell == "yes"]
        if anonymous == "yes":
            credentials = "nothing"
        elif not good:
            credentials = "–"
        else:  # the least that may: what credentials are good for is the same with every role
            credentials = self._credentials(way, whose, self.world.people[good[0]])
        needs = way.permission or ("signed in" if way.guarded else "–")
        return Row(f"{way.method} {way.path}", whose, needs, tuple(cells), credentials)

    def _credentials(self, way: Way, whose: str, person: Person) -> str:
        """With what it goes well; `browser!` is one whose person proved a moment ago who they are."""
        well = {mode for mode in MODES[1:] if self._cell(way, whose, person, mode) == "yes"}
        words = ["browser" if "later" in well else "browser!"]
        return " ".join(words + [mode for mode in ("key", "token") if mode in well])

    def _ask(self, way: Way, whose: str, person: Person | None, mode: str) -> Reply:
        world, route = self.world, f"{way.method} {way.path}"
        names = set(re.findall(r"{(\w+)", way.path))
        own_account = "user_id" in names and whose == "own" and way.method not in SAFE
        if person is not None and (route in RISKY or own_account):
            person = world.copy(person, mode)
        ids = self._ids(way, names, whose, person)
        path = re.sub(r"{(\w+)(?::\w+)?}", lambda m: ids.get(m[1], NOWHERE), way.path)
        body = VARIANTS.get(route, {}).get(whose, BODIES.get(route))
        if callable(body):
            body = body(world, person, ids)
        elif body is None:
            described = self.described["paths"].get(re.sub(r":\w+}", "}", way.path), {})
            body = example_of(described.get(way.method.lower(), {}), self.described)
        headers = dict(person.modes[mode]) if person else {}
        headers |= HEADERS[route]() if route in HEADERS else {}
        if isinstance(body, bytes):
            headers["Content-Type"] = "application/octet-stream"
        return world.call(way.method, path + QUERIES.get(route, ""), body, headers)

    def _ids(self, way: Way, names: set[str], whose: str, person: Person | None) -> dict[str, str]:
        ids = {"role_id": self.world.role_id, "job_id": "1", "path": ""}
        if whose == "a model's":
            ids["model_id"] = self.world.model_id
        owner = self._owner(way, names, whose, person)
        ids["user_id"] = str(owner.id)
        if way.method not in SAFE:
            return ids | things_of(self.world, owner, names)
        shown = (owner.id, frozenset(names))
        if shown not in self._shown:
            self._shown[shown] = things_of(self.world, owner, names)
        return ids | self._shown[shown]

    def _owner(self, way: Way, names: set[str], whose: str, person: Person | None) -> Person:
        """Whose thing is asked for."""
        stranger = self.world.stranger
        assert stranger is not None
        if whose == "own" and person is not None:
            return person
        if "user_id" not in names:
            return stranger
        base = self.world.people["super_admin"] if whose == "a super_admin's" else stranger
        return base if way.method in SAFE else self.world.copy(base, None)

    def _cell(self, way: Way, whose: str, person: Person | None, mode: str) -> str:
        reply = self._ask(way, whose, person, mode)
        where = f"{way.method} {way.path} ({whose}, {person.role if person else 'anonymous'} {mode})"
        status, code = reply.status, reply.code
        if status == 500 or status > 504:
            self.trouble[where] = f"{status} {reply.body[:300]!r}"
        elif code in ("request.invalid", "auth.csrf", "request.too_many", "limits.exceeded"):
            told = reply.json()
            self.trouble[where] = f"say in bodies.py what passes: {code} {told.get('errors') or told}"
        if status == 401 and (way.guarded or code in STRANGERS):
            return "401"
        if status == 403 and code in REFUSALS:
            return "403"
        real = whose not in ("the hub's", "–", "with more roles")
        return "404" if status == 404 and real else "yes"
