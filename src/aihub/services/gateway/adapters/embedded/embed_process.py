"""`python -m …embed_process`: the embedding model behind an OpenAI-compatible server on loopback.

It serves a socket that its parent holds open, and leaves with exit code 0 when nobody asked for a
while; the parent starts it again at the next connection.
"""

import asyncio
import socket
import time
from pathlib import Path

import uvicorn

from aihub.services.gateway.adapters.embedded import child
from aihub.services.gateway.adapters.embedded.embed_app import EmbeddingsApp
from aihub.services.gateway.adapters.embedded.encoder import Encoder


async def _serve(listener: socket.socket, app: EmbeddingsApp, idle_seconds: float) -> None:
    config = uvicorn.Config(
        app, lifespan="off", log_level="warning", access_log=False, ws="none", timeout_keep_alive=75
    )
    server = uvicorn.Server(config)

    def leave() -> None:
        server.should_exit = True

    loop = asyncio.get_running_loop()
    child.when_parent_leaves(lambda: loop.call_soon_threadsafe(leave))

    async def watch() -> None:
        while not server.should_exit:
            since = app.idle_since
            left = idle_seconds if since is None else since + idle_seconds - time.monotonic()
            if left <= 0:
                leave()
            await asyncio.sleep(min(max(left, 0.05), 5.0))

    watching = asyncio.create_task(watch())
    await server.serve(sockets=[listener])
    watching.cancel()


def main() -> None:
    config = child.begin()
    encoder = Encoder(Path(config["folder"]), int(config["threads"]))
    listener = socket.socket(fileno=int(config["listener"]))
    host, port = listener.getsockname()
    app = EmbeddingsApp(encoder, config["api_key"], config["name"])
    # The socket already takes connections; they wait for us in its queue.
    child.announce(f"http://{host}:{port}")
    asyncio.run(_serve(listener, app, float(config["idle_seconds"])))


if __name__ == "__main__":
    main()
