"""Structured logs: one JSON object a line with timestamp, level, message, context, environment, version.

Values under names that look secret, and anything that looks like one of our keys or a bearer token,
never reach a log.
"""

import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any

import orjson
import structlog

from aihub import __version__
from aihub.kernel.config import KernelSettings
from aihub.kernel.settings import MASK
from aihub.kernel.telemetry import context

_SECRET_NAME = re.compile(
    r"pass(word|phrase)?$|secret|token|api_?key|authorization|cookie|credential|dsn|database_url",
    re.IGNORECASE,
)
# Our keys, sessions and share links, providers' keys, bearer tokens, cookies, logins in addresses.
_SECRET_TEXT = re.compile(
    r"\b(?:ahk|ahs|shr)_[\w\-]{8,}|\bsk-[\w\-]{8,}|(?<=Bearer )[\w.\-~+/=]{8,}|(?<=__Host-aihub=)[\w.\-]+"
    r"|(?<=://)[^/@\s:]*:[^/@\s]+(?=@)",
    re.IGNORECASE,
)
# `password=…` of connection strings and addresses, `"password": "…"` of JSON.
_SECRET_PAIR = re.compile(
    r"""(\b\w*(?:password|passphrase|secret|token|api_?key)(?:=|["']\s*:\s*)["']?)[^\s&"',;}]+""",
    re.IGNORECASE,
)


def redact(value: object, name: str = "") -> object:
    """`value` with every secret replaced; containers are walked, numbers (`input_tokens`) are left alone."""
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if isinstance(value, Mapping):
        return {str(k): redact(v, str(k)) for k, v in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [redact(v, name) for v in value]
    if isinstance(value, str):
        if value and name and _SECRET_NAME.search(name):
            return MASK
        return _SECRET_PAIR.sub(rf"\1{MASK}", _SECRET_TEXT.sub(MASK, value))
    return value


def _shape(environment: str, version: str, service: str) -> structlog.types.Processor:
    def shape(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        out: dict[str, Any] = {
            "timestamp": event.pop("timestamp"),
            "level": {"warning": "warn"}.get(event["level"], event["level"]),
            "message": redact(event.pop("event")),
            "environment": environment,
            "version": version,
            "service": service,
        }
        event.pop("level")
        if "exception" in event:
            out["exception"] = redact(event.pop("exception"))
        for name, variable in (
            ("request_id", context.request_id),
            ("actor_id", context.actor_id),
        ):
            if (value := variable.get()) is not None:
                event.setdefault(name, value)
        out["context"] = {k: redact(v, k) for k, v in event.items() if not k.startswith("_")}
        return out

    return shape


def configure(settings: KernelSettings, service: str = "aihub") -> None:
    """Send structlog's and the standard library's records through one JSON pipeline to stderr."""
    level = getattr(logging, settings.log_level.upper())
    shared: list[structlog.types.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    shape = _shape(settings.environment, settings.app_version or __version__, service)
    renderer: structlog.types.Processor = (
        structlog.dev.ConsoleRenderer(event_key="message")
        if settings.debug or sys.stderr.isatty()
        else structlog.processors.JSONRenderer(lambda value, **_: orjson.dumps(value, default=str).decode())
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, shape, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for noisy in ("uvicorn", "httpx", "httpcore", "alembic", "procrastinate"):
        logging.getLogger(noisy).setLevel(max(level, logging.WARNING))


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """A logger; call it with a short sentence and keyword facts."""
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return logger
