"""What is no mistake although it answers nonsense without a refusal."""

from typing import Any

from tests.http.wire import Reply


def answered_otherwise(reply: Reply, path: str) -> bool:
    """Two ways take anything and say what is wrong with it in their own manner: a list of people is any
    text, and a browser that comes back from a provider is sent on to a page."""
    if path == "/api/v1/invitations/bulk/preview" and reply.status == 200:
        return all(row["problems"] for row in reply.json()["items"])
    return path.endswith("/callback") and reply.status == 303 and reply.headers["location"].startswith("/")


def is_text(parameter: dict[str, Any]) -> bool:
    """Whether any text will do. A number is a time, too: seconds since 1970."""
    schema = parameter["schema"]
    kinds = [kind for kind in schema.get("anyOf", [schema]) if kind.get("type") != "null"]
    return all(
        kind.get("type") == "string" and "enum" not in kind and kind.get("format") in (None, "date-time")
        for kind in kinds
    )
