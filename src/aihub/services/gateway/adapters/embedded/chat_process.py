"""`python -m …chat_process`: one chat model behind an OpenAI-compatible server on loopback."""

import os
import threading

from aihub.services.gateway.adapters.embedded import child
from aihub.services.gateway.adapters.embedded.llama import ChatServerConfig, serve


def main() -> None:
    config = ChatServerConfig(**child.begin())
    # Nothing to save: leave at once, without waiting for a running answer.
    child.when_parent_leaves(lambda: os._exit(0))
    address, server = serve(config)
    child.announce(address)
    threading.Event().wait()
    del server


if __name__ == "__main__":
    main()
