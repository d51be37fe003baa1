"""The kernel's own settings."""

import os
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import quote, urlsplit

from pydantic import AfterValidator, BeforeValidator, Field

from aihub.kernel.settings import SettingsGroup, setting


def default_home() -> Path:
    """Where the hub keeps its data unless AIHUB_HOME says otherwise.

    Root gets a folder that an unprivileged database account can reach; home folders often cannot be.
    """
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        return Path("/var/lib/aihub")
    base = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(base) / "aihub"


def _split(value: object) -> object:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


CommaList = Annotated[tuple[str, ...], BeforeValidator(_split)]


def _origins(value: tuple[str, ...]) -> tuple[str, ...]:
    for origin in value:
        parts = urlsplit(origin)
        if parts.scheme not in ("http", "https") or not parts.netloc or parts.path or parts.query:
            raise ValueError(f"'{origin}' is not an origin such as https://app.example.org")
    return value


Origins = Annotated[CommaList, AfterValidator(_origins)]


def _bytes(value: object) -> object:
    """`10MB`, `512 KB`, `1048576`: sizes as people write them (1 KB = 1,024 bytes)."""
    if isinstance(value, str):
        text = value.strip().upper().removesuffix("B").strip()
        for unit, factor in (("K", 1024), ("M", 1024**2), ("G", 1024**3)):
            if text.endswith(unit):
                return round(float(text.removesuffix(unit)) * factor)
        return text
    return value


ByteSize = Annotated[int, BeforeValidator(_bytes), Field(gt=0)]


def _lower(value: object) -> object:
    return value.strip().lower() if isinstance(value, str) else value


class KernelSettings(SettingsGroup):
    home: Path = setting(
        default_factory=default_home,
        env="AIHUB_HOME",
        section="Basics",
        description="Folder for the database, secrets, models and logs of this hub.",
        example="/var/lib/aihub",
    )
    host: str = setting("127.0.0.1", env="HOST", section="Basics", description="Address to listen on.")
    port: int = setting(
        8000, env="PORT", section="Basics", description="TCP port to listen on.", ge=0, le=65535
    )
    environment: Annotated[
        Literal["development", "staging", "production", "test"], BeforeValidator(_lower)
    ] = setting(
        "development",
        env="ENVIRONMENT",
        aliases=("NODE_ENV",),
        section="Basics",
        description="What this installation is for. Production and staging switch on HSTS.",
    )
    debug: bool = setting(
        False,
        env="DEBUG",
        section="Basics",
        description="Human-readable logs, also where no terminal is. Never changes what an answer contains.",
    )
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"],
        BeforeValidator(lambda v: {"warn": "warning"}.get(str(v).lower(), str(v).lower())),
    ] = setting("info", env="LOG_LEVEL", section="Basics", description="Least level that is logged.")
    app_version: str | None = setting(
        None,
        env="APP_VERSION",
        section="Basics",
        description="Version shown in logs; the installed version unless set.",
    )
    public_url: str | None = setting(
        None,
        env="AIHUB_PUBLIC_URL",
        aliases=("NEXT_PUBLIC_APP_URL", "VITE_API_URL"),
        section="Basics",
        description="Address people use to reach the hub, for links; derived from HOST and PORT unless set.",
        example="https://hub.example.org",
    )
    allowed_origins: Origins = setting(
        (),
        env="ALLOWED_ORIGINS",
        section="Security",
        description="Other web origins that may call the API from a browser, comma-separated. Never '*'.",
        example="https://app.example.org",
    )
    max_body: ByteSize = setting(
        "10MB",
        env="AIHUB_MAX_BODY",
        aliases=("MAX_FILE_SIZE",),
        section="Limits",
        description="Largest request body.",
        validate_default=True,
    )
    max_json: ByteSize = setting(
        "1MB",
        env="AIHUB_MAX_JSON",
        section="Limits",
        description="Largest JSON request body.",
        validate_default=True,
    )
    trusted_proxies: CommaList = setting(
        (),
        env="AIHUB_TRUSTED_PROXIES",
        section="Security",
        description="Addresses or networks of reverse proxies whose X-Forwarded-* headers are believed.",
        example="10.0.0.0/8",
    )
    database_url: str | None = setting(
        None,
        env="DATABASE_URL",
        section="Database",
        secret=True,
        description="External PostgreSQL (15 or newer, with pgvector). Unset: the embedded server.",
        example="postgresql://aihub@db.example.org/aihub",
    )
    database_url_replica: str | None = setting(
        None,
        env="DATABASE_URL_REPLICA",
        section="Database",
        secret=True,
        description="Read replica for analytics. Unset: the primary answers.",
    )
    db_pool_size: int = setting(
        20,
        env="DB_POOL_SIZE",
        section="Database",
        description="Connections a process keeps open.",
        ge=1,
        le=500,
    )
    db_max_overflow: int = setting(
        30,
        env="DB_MAX_OVERFLOW",
        section="Database",
        description="Connections a process may open beyond the pool at a peak.",
        ge=0,
        le=500,
    )
    db_pool_timeout: float = setting(
        30,
        env="DB_POOL_TIMEOUT",
        section="Database",
        description="Seconds to wait for a free connection.",
        gt=0,
    )
    db_pool_recycle: int = setting(
        3600,
        env="DB_POOL_RECYCLE",
        section="Database",
        description="Seconds after which a connection is replaced.",
        gt=0,
    )
    db_pool_pre_ping: bool = setting(
        True,
        env="DB_POOL_PRE_PING",
        section="Database",
        description="Test a pooled connection before use.",
    )
    db_statement_timeout: float = setting(
        30,
        env="DB_STATEMENT_TIMEOUT",
        section="Database",
        description="Seconds a statement of a request may take; 0 is without end. Jobs have no limit.",
        ge=0,
        le=3600,
    )
    db_ssl_mode: Literal["disable", "prefer", "require", "verify-ca", "verify-full"] | None = setting(
        None,
        env="DB_SSL_MODE",
        section="Database",
        description="TLS to an external database. Unset: what DATABASE_URL says.",
    )
    db_ssl_cert: Path | None = setting(
        None, env="DB_SSL_CERT", section="Database", description="Client certificate (PEM) for the database."
    )
    db_ssl_key: Path | None = setting(
        None, env="DB_SSL_KEY", section="Database", description="Private key (PEM) of that certificate."
    )
    db_ssl_root_cert: Path | None = setting(
        None,
        env="DB_SSL_ROOT_CERT",
        section="Database",
        description="Authority that signed the database's certificate.",
    )
    redis_url: str | None = setting(
        None,
        env="REDIS_URL",
        section="Redis",
        secret=True,
        description="Redis or Valkey; needed as soon as more than one process serves requests.",
        example="redis://redis:6379/0",
    )
    redis_host: str | None = setting(
        None, env="REDIS_HOST", section="Redis", description="Host, when REDIS_URL is not set."
    )
    redis_port: int = setting(
        6379,
        env="REDIS_PORT",
        section="Redis",
        description="Port, when REDIS_URL is not set.",
        ge=1,
        le=65535,
    )
    redis_password: str | None = setting(
        None,
        env="REDIS_PASSWORD",
        section="Redis",
        secret=True,
        description="Password of Redis; 32 characters or more.",
    )
    redis_ssl: bool = setting(
        False, env="REDIS_SSL", section="Redis", description="TLS to Redis, when REDIS_URL is not set."
    )
    redis_max_connections: int = setting(
        100, env="REDIS_MAX_CONNECTIONS", section="Redis", description="Connections a process may open.", ge=1
    )
    encryption_key: str | None = setting(
        None,
        env="ENCRYPTION_KEY",
        section="Security",
        secret=True,
        description="Master key: 32 random bytes as base64 or 64 hex digits, or a passphrase of at least "
        "20 characters. Unset: generated once and kept in the hub's home.",
    )
    previous_encryption_keys: CommaList = setting(
        (),
        env="AIHUB_PREVIOUS_ENCRYPTION_KEYS",
        section="Security",
        secret=True,
        description="Older master keys that data may still be wrapped with, comma-separated; for rotation.",
    )
    session_secret: str | None = setting(
        None,
        env="SESSION_SECRET",
        aliases=("JWT_SECRET_KEY", "JWT_SECRET"),
        section="Security",
        secret=True,
        description="Signs CSRF tokens and links; 64 random bytes as base64. Unset: generated once.",
    )
    workers: int = setting(
        1,
        env="WORKERS",
        section="Processes",
        description="Serving processes. More than one needs Redis.",
        ge=1,
        le=64,
    )
    job_concurrency: int = setting(
        4,
        env="AIHUB_JOB_CONCURRENCY",
        section="Processes",
        description="Jobs one worker runs at a time.",
        ge=1,
        le=100,
    )
    limits: CommaList = setting(
        (),
        env="AIHUB_LIMITS",
        section="Limits",
        description="Named limits to change, comma-separated; the names are in the reference.",
        example="edge.api=20/1s burst 40,ai.query=30/1m",
    )
    metrics_token: str | None = setting(
        None,
        env="AIHUB_METRICS_TOKEN",
        section="Monitoring",
        secret=True,
        description="Bearer token with which a scraper reads the metrics. "
        "Unset: only people with monitoring:read.",
    )

    @property
    def is_production(self) -> bool:
        return self.environment in ("production", "staging")

    def redis(self) -> str | None:
        """The effective Redis URL, put together from REDIS_HOST and friends when REDIS_URL is unset."""
        if self.redis_url or not self.redis_host:
            return self.redis_url
        scheme = "rediss" if self.redis_ssl else "redis"
        login = f":{quote(self.redis_password, safe='')}@" if self.redis_password else ""
        return f"{scheme}://{login}{self.redis_host}:{self.redis_port}/0"

    def base_url(self) -> str:
        """The address for links, without a trailing slash."""
        host = "127.0.0.1" if self.host in ("0.0.0.0", "::") else self.host  # noqa: S104
        return (self.public_url or f"http://{host}:{self.port}").rstrip("/")
