"""What has to be sent on a route so that it comes to its decision, where an example does not do."""

from collections.abc import Callable
from uuid import uuid4

from tests.access.world import PASSWORD, Person, World
from tests.support.examples import NOWHERE

Made = Callable[[World, Person | None, dict[str, str]], object]


def _fresh_email() -> str:
    return f"new-{uuid4().hex[:10]}@example.org"


def _user(*roles: str) -> Made:
    return lambda world, person, ids: {"email": _fresh_email(), "password": PASSWORD, "roles": [*roles]}


def _confirmed(world: World, person: Person | None, ids: dict[str, str]) -> object:
    return {"confirmation": person.email if person else "nobody@example.org"}


def _model(world: World, person: Person | None, ids: dict[str, str]) -> object:
    return {"name": f"m-{uuid4().hex[:8]}", "upstream_name": "echo", "provider_id": world.provider_id}


BODIES: dict[str, object | Made] = {
    "POST /api/v1/users": _user("user"),
    "POST /api/v1/session": {"email": "nobody@example.org", "password": PASSWORD},
    "POST /api/v1/tokens": {"email": "nobody@example.org", "password": PASSWORD},
    "POST /api/v1/session/proof": {"password": "not the right one"},
    "POST /api/v1/me/password": {"current_password": PASSWORD, "new_password": PASSWORD + " again"},
    "POST /api/v1/me/deletion": _confirmed,
    "POST /api/v1/roles": lambda *_: {"name": f"r-{uuid4().hex[:8]}", "title": "Made", "permissions": []},
    "POST /api/v1/users/{user_id}/roles": lambda world, person, ids: {"role_id": ids["role_id"]},
    "POST /api/v1/users/bulk": {"user_ids": [NOWHERE], "active": False},
    "POST /api/v1/users/{user_id}/credits": {"amount": "1", "reason": "gift"},
    "POST /api/v1/invitations": lambda *_: {"email": _fresh_email()},
    "POST /api/v1/invitations/bulk/preview": {"csv": "email\nnew@example.org\n"},
    "POST /api/v1/invitations/bulk": lambda *_: {"items": [{"line": 1, "email": _fresh_email()}]},
    "POST /api/v1/models/{model_id}/grants": {"role": "guest"},
    "POST /api/v1/sign-in-providers": lambda *_: {
        "handle": f"h-{uuid4().hex[:8]}", "name": "Elsewhere", "issuer": "https://127.0.0.1:1/none",
        "client_id": "hub",
    },
    "POST /api/v1/models": _model,
    "POST /api/v1/embedded/files": b"GGUF is how it would begin",
}  # fmt: skip
QUERIES = {
    "GET /api/v1/users/{user_id}/access": "?permission=chat:use",
    "GET /api/v1/session/oidc/problem": "?code=federation.no_account",
    "GET /api/v1/exports/{export_id}": "?expires=4102444800&signature=none",
    "POST /api/v1/embedded/files": "?name=tiny.gguf",
}
HEADERS: dict[str, Callable[[], dict[str, str]]] = {
    route: lambda: {"Idempotency-Key": uuid4().hex}
    for route in ("POST /api/v1/invitations/bulk", "POST /api/v1/users/{user_id}/credits")
}
VARIANTS: dict[str, dict[str, object | Made]] = {
    "POST /api/v1/users": {"with more roles": _user("user", "guest")},
    "PATCH /api/v1/users/{user_id}": {"a user's roles": {"roles": ["user", "guest"]}},
}
"""Further rows of routes that ask for more when more is wished for."""
RISKY = frozenset(
    {
        "DELETE /api/v1/session", "DELETE /api/v1/sessions", "POST /api/v1/me/password",
        "POST /api/v1/me/deletion", "DELETE /api/v1/me/deletion", "DELETE /api/v1/tokens",
        "POST /api/v1/session/proof",
    }
)  # fmt: skip
"""Deeds that the caller's own credentials do not survive: each time by another copy of them."""
