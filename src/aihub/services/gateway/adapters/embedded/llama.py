"""llama.cpp's own HTTP server, started inside this process. The only file that knows xllamacpp."""

from dataclasses import dataclass
from typing import Any

import xllamacpp


@dataclass(frozen=True, slots=True)
class ChatServerConfig:
    """`context` is in tokens for each of the `slots` conversations served at the same time."""

    model: str
    name: str
    api_key: str
    threads: int
    context: int
    slots: int
    calm: bool


def serve(config: ChatServerConfig) -> tuple[str, object]:
    """Load the model and serve it on a free loopback port; returns the address and what keeps it alive."""
    params: Any = xllamacpp.CommonParams()
    params.model.path = config.model
    params.model_alias = {config.name}
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.api_keys = [config.api_key]
    params.ui = False
    params.endpoint_slots = True  # answered by the model's own loop: tells a hang from a long answer
    params.cors_origins = ""
    params.offline = True
    params.verbosity = 1
    for cpu in (params.cpuparams, params.cpuparams_batch):
        cpu.n_threads = config.threads
        cpu.poll = 0  # waiting threads sleep: they would otherwise take the core of the HTTP server
    params.n_gpu_layers = 0
    params.fit_params = False
    params.n_parallel = config.slots
    params.n_ctx = config.context * config.slots
    params.n_batch = 512
    params.n_ubatch = 128
    # Flash attention is made for graphics processors: on this side it halves the speed of long answers.
    params.flash_attn_type = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
    params.cache_ram_mib = 0  # the default keeps up to 8 GB of finished conversations in memory
    params.n_threads_http = 64  # one per waiting caller, so that health checks are never queued behind them
    if config.calm:
        # What the authors of SmolLM2 recommend; requests may still set their own values.
        params.sampling.temp = 0.2
        params.sampling.top_p = 0.9
        params.sampling.penalty_repeat = 1.1
    server = xllamacpp.Server(params)
    return str(server.listening_address), server
