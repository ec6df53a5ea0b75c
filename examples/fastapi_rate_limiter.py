"""A rate limiter for FastAPI: each client has a bucket of tokens that refills steadily.

    python examples/fastapi_rate_limiter.py

starts a temporary server and sends requests to the app in this process. To serve the app with an
ASGI server: ``VALKEY_URL=valkey://localhost?timeout=500 uvicorn --app-dir examples
fastapi_rate_limiter:app``. The script is ``scripts/token_bucket.lua``.

Each decision is one atomic round trip, so any number of processes can share the buckets. The script
is not idempotent: if a reply is lost, the client raises an error instead of repeating the call,
because a token may be taken. The app then allows the request.
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
    """Return a dependency for a route: `capacity` requests at once, then `per_second`."""

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
            # A limiter that refuses everything when it cannot count turns one outage into two.
            logger.exception("the request is not counted")
            return
        if not allowed:
            seconds = math.ceil(wait_ms / 1000)
            raise HTTPException(429, "too many requests", headers={"Retry-After": str(seconds)})
        request.state.calls_left = left

    return check


def create_app(url: str) -> FastAPI:
    """Return the app, which counts on the server of `url`.

    The URL's timeout limits how long a request waits for its decision.
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
