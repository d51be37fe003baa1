"""OpenAI's dialect at the gateway's own door: reading requests, and writing errors.

Only what the gateway needs to know, or what would cost money when wrong, is checked here; every other
field passes to the provider as it came.
"""

from collections.abc import Mapping
from typing import Any

import orjson

from aihub.kernel.errors import AihubError, BadRequest, FieldError
from aihub.services.gateway.contracts import ContextExceeded, InvalidCall, ProviderRejected
from aihub.services.gateway.domain import DEEPEST, MOST_CHOICES, deeper

_ROLES = frozenset({"system", "developer", "user", "assistant", "tool", "function"})
_LARGEST_LIMIT = 10_000_000
_MOST_INPUTS = 2048


def parse(raw: bytes) -> dict[str, Any]:
    """The JSON object of a request body. Raises BadRequest."""
    try:
        body = orjson.loads(raw)
    except ValueError as exc:
        raise BadRequest("The body is not valid JSON in UTF-8.") from exc
    if not isinstance(body, dict):
        raise BadRequest("The body is not a JSON object.")
    # No deeper than it has brackets: the common body is not walked at all.
    if raw.count(b"[") + raw.count(b"{") > DEEPEST and deeper(body, DEEPEST):
        raise BadRequest(f"The body is nested more than {DEEPEST} levels deep.")
    return body


def check_chat(body: Mapping[str, Any]) -> None:
    """Raises InvalidCall, naming the field, for a chat completion that cannot be run."""
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        raise invalid("messages", "must be a list with at least one message")
    for index, message in enumerate(messages):
        _check_message(f"messages.{index}", message)
    for field in ("max_tokens", "max_completion_tokens"):
        _check_number(body, field, 1, _LARGEST_LIMIT, whole=True)
    _check_number(body, "n", 1, MOST_CHOICES, whole=True)
    _check_number(body, "temperature", 0, 2)
    _check_number(body, "top_p", 0, 1)
    _check_number(body, "frequency_penalty", -2, 2)
    _check_number(body, "presence_penalty", -2, 2)
    _check_kind(body, "stream", bool, "true or false")
    _check_objects(body.get("tools"), "tools")
    _check_kind(body, "stream_options", dict, "an object")
    _check_kind(body, "response_format", dict, "an object")
    choice = body.get("tool_choice")
    if choice is not None and not isinstance(choice, str | dict):
        raise invalid("tool_choice", "must be a word or an object")
    stop = body.get("stop")
    if stop is not None and not isinstance(stop, str) and not _texts(stop):
        raise invalid("stop", "must be a text or a list of texts")


def check_embedding(body: Mapping[str, Any]) -> None:
    """Raises InvalidCall, naming the field, for an embedding that cannot be made."""
    given = body.get("input")
    if isinstance(given, str):
        if not given:
            raise invalid("input", "must not be empty")
        return
    if not isinstance(given, list) or not given:
        raise invalid("input", "must be a text, or a list of texts or tokens")
    tokens = all(_whole(item) for item in given)
    if not tokens and len(given) > _MOST_INPUTS:
        raise invalid("input", f"has at most {_MOST_INPUTS} texts")
    lists = all(isinstance(item, list) and item and all(_whole(t) for t in item) for item in given)
    if not (tokens or lists or (_texts(given) and all(given))):
        raise invalid("input", "must be texts that are not empty, or tokens")


def model_of(body: Mapping[str, Any]) -> str:
    """The model a body names. Raises InvalidCall."""
    name = body.get("model")
    if not isinstance(name, str) or not name:
        raise invalid("model", "is missing: name one of the models of GET /v1/models")
    return name[:256]


def asked_limit(body: Mapping[str, Any]) -> int | None:
    """The longest answer the caller asked for, in tokens."""
    limits = [v for f in ("max_tokens", "max_completion_tokens") if (v := body.get(f)) is not None]
    return min(limits, default=None)


def choices_of(body: Mapping[str, Any]) -> int:
    return int(body.get("n") or 1)


def wants_usage(body: Mapping[str, Any]) -> bool:
    """Whether the caller of a stream asked for the usage chunk at its end."""
    return bool((body.get("stream_options") or {}).get("include_usage"))


def invalid(field: str, problem: str) -> InvalidCall:
    return InvalidCall(f"'{field}' {problem}.", errors=[FieldError(field, problem)])


def _check_message(at: str, message: Any) -> None:
    if not isinstance(message, dict):
        raise invalid(at, "must be an object")
    role = message.get("role")
    if not isinstance(role, str) or role not in _ROLES:
        raise invalid(f"{at}.role", f"must be one of {', '.join(sorted(_ROLES))}")
    _check_objects(message.get("tool_calls"), f"{at}.tool_calls")
    content = message.get("content")
    if content is None and role in ("assistant", "function"):
        return
    if isinstance(content, str) or (
        isinstance(content, list) and content and all(isinstance(p, dict) for p in content)
    ):
        return
    raise invalid(f"{at}.content", "must be a text or a list of parts")


def _check_objects(value: Any, at: str) -> None:
    if value is not None and not (isinstance(value, list) and all(isinstance(v, dict) for v in value)):
        raise invalid(at, "must be a list of objects")


def _check_number(
    body: Mapping[str, Any], field: str, least: float, most: float, *, whole: bool = False
) -> None:
    value = body.get(field)
    if value is None:
        return
    fits = _whole(value) if whole else isinstance(value, int | float) and not isinstance(value, bool)
    if not fits or not least <= value <= most:
        kind = "a whole number" if whole else "a number"
        raise invalid(field, f"must be {kind} from {least:g} to {most:.0f}")


def _check_kind(body: Mapping[str, Any], field: str, kind: type, words: str) -> None:
    value = body.get(field)
    if value is not None and not isinstance(value, kind):
        raise invalid(field, f"must be {words}")


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


# ---------------------------------------------------------------- errors

_TYPES = {
    401: "authentication_error",
    402: "insufficient_quota",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
}
_CODES = {
    "model.not_found": "model_not_found",
    "credits.insufficient": "insufficient_quota",
    "keys.budget_spent": "insufficient_quota",
    "limits.exceeded": "rate_limit_exceeded",
    "provider.rate_limited": "rate_limit_exceeded",
    "provider.context_exceeded": "context_length_exceeded",
}
_PARAMS = {"model.not_found": "model", "model.wrong_kind": "model", "keys.model_refused": "model"}


def openai_error(error: AihubError, _request_id: str | None) -> tuple[int, dict[str, Any]]:
    """Status and body of an error as OpenAI's clients expect it."""
    status = 400 if error.status == 422 else error.status
    kind = _TYPES.get(status) or ("invalid_request_error" if status < 500 else "server_error")
    code = "invalid_api_key" if status == 401 else _CODES.get(error.code, error.code)
    param = _PARAMS.get(error.code)
    if isinstance(error, ProviderRejected) and not isinstance(error, ContextExceeded):
        code, param = error.upstream_code or code, error.param
    elif error.errors:
        param = error.errors[0].field
    message = error.detail or error.title
    if error.hint and not isinstance(error, ProviderRejected):
        message = f"{message} {error.hint}"
    return status, {"error": {"message": message, "type": kind, "param": param, "code": code}}
