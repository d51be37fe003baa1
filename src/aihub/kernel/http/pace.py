"""Bodies arrive at some pace, or the request ends: nobody holds a connection with a byte a minute."""

import asyncio
import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from aihub.kernel.errors import AihubError

PATIENCE = 30.0
"""Seconds that we wait for a body altogether, beside those its size allows it."""
SLOWEST = 4096
"""Bytes a second; each that has arrived gives the next ones time."""


class BodyTooSlow(AihubError):
    code = "request.body_too_slow"
    status = 408
    title = "The body took too long to arrive"
    remedy = "Send the request again over a faster connection, or send less."


class BodyPace:
    """Ends requests whose body is late. Only waiting for the client counts, not what is done meanwhile."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        waited, arrived, arriving = 0.0, 0, True

        async def at_pace() -> Message:
            nonlocal waited, arrived, arriving
            if not arriving:  # what comes now is that the client went away
                return await receive()
            began = time.monotonic()
            try:
                async with asyncio.timeout(PATIENCE + arrived / SLOWEST - waited):
                    message = await receive()
            except TimeoutError as exc:
                raise BodyTooSlow(headers={"Connection": "close"}) from exc
            waited += time.monotonic() - began
            arrived += len(message.get("body", b""))
            arriving = message["type"] == "http.request" and message.get("more_body", False)
            return message

        await self.app(scope, at_pace, send)
