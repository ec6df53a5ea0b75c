"""A rate limiter for FastAPI: each client has a bucket of tokens, which fills up steadily.

    python examples/fastapi_rate_limiter.py

starts a server of its own, sends requests to the app in this process, and ends. To serve the app
with an ASGI server: ``VALKEY_URL=valkey://localhost?timeout=500 uvicorn
--app-dir examples fastapi_rate_limiter:app``. The script is ``scripts/token_bucket.lua``.

The decision is one round trip and atomic, so that any number of processes share the buckets. A
call is not repeated when its reply was lost, since it may have taken a token: the script is not
idempotent, and the client then raises an error. Such a request is let through.
"""

import asyncio
import logging
import math
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, cast

import httpx
from fastapi import Depends, FastAPI, HTTPException, Request

from glide_scripts import ClosingError, GlideClient, RequestError, ScriptLibrary
from glide_scripts.testing import ValkeyServer

if TYPE_CHECKING:
    from examples.scripts.library import Library

scripts = cast("Library", ScriptLibrary.from_directory(Path(__file__).with_name("scripts")))
logger = logging.getLogger("rate_limiter")


def limit(capacity: int, per_second: float) -> Callable[[Request], Awaitable[None]]:
    """The dependency of a route: `capacity` requests at once, and so many a second after that."""

    async def check(request: Request) -> None:
        client: GlideClient = request.app.state.valkey
        # An app with users would name the user, not the address.
        caller = request.client.host if request.client else "unknown"
        bucket = f"bucket:{request.scope['route'].path}:{caller}"
        try:
            allowed, left, wait_ms = await scripts.token_bucket(
                client, bucket, capacity=capacity, per_second=per_second
            )
        except (RequestError, ClosingError):
            # A limiter that refuses all when it cannot count makes two outages of one.
            logger.exception("the request is not counted")
            return
        if not allowed:
            seconds = math.ceil(wait_ms / 1000)
            raise HTTPException(429, "too many requests", headers={"Retry-After": str(seconds)})
        request.state.calls_left = left

    return check


def create_app(url: str) -> FastAPI:
    """The app, with the server of `url` to count on.

    The URL's timeout is how long a request waits for its decision at most.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with await GlideClient.from_url(url) as client:
            app.state.valkey = client
            yield

    app = FastAPI(lifespan=lifespan)

    @app.get("/search", dependencies=[Depends(limit(capacity=3, per_second=0.1))])
    async def search() -> dict[str, str]:
        return {"found": "it"}

    return app


app = create_app(os.environ.get("VALKEY_URL", "valkey://localhost?timeout=500"))


async def main(url: str) -> None:
    app = create_app(url)
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://app") as browser,
    ):
        for _ in range(5):
            response = await browser.get("/search")
            again = response.headers.get("retry-after")
            print(response.status_code, f"try again in {again} s" if again else response.json())


if __name__ == "__main__":
    with ValkeyServer() as server:
        asyncio.run(main(f"{server.url}?timeout=500"))
