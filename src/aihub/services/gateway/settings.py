"""The gateway's settings."""

from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator

from aihub.kernel.config import ByteSize
from aihub.kernel.settings import SettingsGroup, setting

OPENAI_URL = "https://api.openai.com/v1"
ANTHROPIC_URL = "https://api.anthropic.com"


def _switch(value: object) -> object:
    return {"on": True, "off": False}.get(str(value).strip().lower(), value)


Switch = Annotated[bool, BeforeValidator(_switch)]


class GatewaySettings(SettingsGroup):
    openai_api_key: str | None = setting(
        None,
        env="OPENAI_API_KEY",
        section="Models",
        secret=True,
        description="Adds the provider 'openai' at the next start; wins over a key stored for it.",
    )
    openai_base_url: str = setting(
        OPENAI_URL,
        env="OPENAI_BASE_URL",
        section="Models",
        description="Address of the OpenAI-compatible API that OPENAI_API_KEY belongs to.",
        pattern=r"^https?://",
    )
    openai_model: str = setting(
        "gpt-4",
        env="OPENAI_MODEL",
        section="Models",
        description="Chat model at 'openai'; the default model when OPENAI_API_KEY is set.",
        min_length=1,
        max_length=128,
    )
    openai_embedding_model: str = setting(
        "text-embedding-ada-002",
        env="OPENAI_EMBEDDING_MODEL",
        section="Models",
        description="Embedding model at 'openai'.",
        min_length=1,
        max_length=128,
    )
    max_tokens: int = setting(
        1000,
        env="OPENAI_MAX_TOKENS",
        section="Models",
        description="Longest answer, in tokens, of a call to a priced or embedded model that names no limit.",
        ge=1,
        le=1_000_000,
    )
    temperature: float = setting(
        0.7,
        env="OPENAI_TEMPERATURE",
        section="Models",
        description="Temperature of the hub's own assistants, 0 to 1. Calls to /v1 are never changed.",
        ge=0,
        le=1,
    )
    anthropic_api_key: str | None = setting(
        None,
        env="ANTHROPIC_API_KEY",
        section="Models",
        secret=True,
        description="Adds the provider 'anthropic' at the next start; wins over a key stored for it.",
    )
    anthropic_base_url: str = setting(
        ANTHROPIC_URL,
        env="ANTHROPIC_BASE_URL",
        section="Models",
        description="Address of the Anthropic API that ANTHROPIC_API_KEY belongs to.",
        pattern=r"^https?://",
    )
    default_model: str | None = setting(
        None,
        env="AIHUB_DEFAULT_MODEL",
        section="Models",
        description="Chat model where none is named. Unset: OPENAI_MODEL with a key, else an embedded one.",
    )
    embedded: Switch = setting(
        True,
        env="AIHUB_EMBEDDED",
        section="Models",
        description="Whether models run on this machine: on or off.",
    )
    embedded_gguf: Path | None = setting(
        None,
        env="AIHUB_EMBEDDED_GGUF",
        section="Models",
        description="A GGUF chat model of yours for the embedded engine; wins over what is chosen in the "
        "web app. Unset: what is chosen there, else the demonstration model.",
    )
    max_gguf: ByteSize = setting(
        "20GB",
        env="AIHUB_MAX_GGUF",
        section="Limits",
        description="Largest GGUF file that can be uploaded.",
        validate_default=True,
    )
    embedded_threads: int | None = setting(
        None,
        env="AIHUB_EMBEDDED_THREADS",
        section="Models",
        description="Processor threads of the embedded chat model. Unset: half of the cores, at most 4.",
        ge=1,
        le=256,
    )
    connect_timeout: float = setting(
        5,
        env="AIHUB_PROVIDER_CONNECT_TIMEOUT",
        section="Models",
        description="Seconds to connect to a provider.",
        gt=0,
    )
    first_byte_timeout: float = setting(
        60,
        env="AIHUB_PROVIDER_FIRST_BYTE_TIMEOUT",
        section="Models",
        description="Seconds until a provider starts to answer a streamed call.",
        gt=0,
    )
    gap_timeout: float = setting(
        60,
        env="AIHUB_PROVIDER_GAP_TIMEOUT",
        section="Models",
        description="Longest pause, in seconds, inside a streamed answer.",
        gt=0,
    )
    total_timeout: float = setting(
        600,
        env="AIHUB_PROVIDER_TOTAL_TIMEOUT",
        section="Models",
        description="Longest duration of a call to a provider, in seconds.",
        gt=0,
    )
    drain_timeout: float = setting(
        30,
        env="AIHUB_DRAIN_TIMEOUT",
        section="Models",
        description="Seconds a priced answer is still read after its caller left, to charge what it took.",
        ge=0,
    )
    max_calls: int = setting(
        1000,
        env="AIHUB_MAX_CALLS",
        section="Models",
        description="Model calls one process runs at a time; more are refused with 503 and Retry-After.",
        ge=1,
    )
