"""An endpoint that charges an account, and may be called again with the same Idempotency-Key.

    python examples/payment_endpoint.py

starts a server of its own, charges an account through a connection that breaks, repeats the
request as a browser would, and ends. To serve the app with an ASGI server:
``VALKEY_URL=valkey://localhost uvicorn --app-dir examples payment_endpoint:app``. The script is
``scripts/charge.lua``; its head declares that the request's id is the id of ``once``.

The account and the answer to the request are written in one step. So a request that is repeated,
by the client library, by this process after a restart or by the browser, gets the first answer.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import httpx
from fastapi import FastAPI, Header, HTTPException, Request

from glide_scripts import (
    ClosingError,
    GlideClient,
    OnceConflictError,
    RequestError,
    ScriptError,
    ScriptLibrary,
)
from glide_scripts.testing import FaultProxy, ValkeyServer

if TYPE_CHECKING:
    from examples.scripts.library import Library

scripts = cast("Library", ScriptLibrary.from_directory(Path(__file__).with_name("scripts")))


@scripts.error("TOO_LITTLE")
class TooLittle(ScriptError):
    """The account has less than what is to be charged."""


def create_app(url: str) -> FastAPI:
    """The app, with the accounts on the server of `url`."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with await GlideClient.from_url(url) as client:
            app.state.valkey = client
            yield

    app = FastAPI(lifespan=lifespan)

    @app.post("/accounts/{account}/charges")
    async def charge(
        account: str,
        cents: int,
        idempotency_key: Annotated[str, Header(min_length=1, max_length=200)],
        request: Request,
    ) -> dict[str, int]:
        client: GlideClient = request.app.state.valkey
        try:
            left = await scripts.charge(
                client, f"account:{account}", request=idempotency_key, cents=cents
            )
        except TooLittle as error:
            raise HTTPException(402, error.message) from error
        except OnceConflictError as error:
            raise HTTPException(422, "this key was used for another request") from error
        except (RequestError, ClosingError) as error:
            # Whether the charge was made is unknown. Repeating the request is safe, and shows it.
            raise HTTPException(503, "try again", headers={"Retry-After": "1"}) from error
        return {"cents_left": left}

    return app


app = create_app(os.environ.get("VALKEY_URL", "valkey://localhost"))


async def main(server: ValkeyServer) -> None:
    with FaultProxy(server.host, server.port) as proxy:
        app = create_app(f"valkey://{proxy.host}:{proxy.port}")
        transport = httpx.ASGITransport(app)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://app") as browser,
        ):
            client: GlideClient = app.state.valkey
            await client.set("account:ann", "100")

            async def charge(key: str, cents: int) -> None:
                response = await browser.post(
                    "/accounts/ann/charges",
                    params={"cents": cents},
                    headers={"Idempotency-Key": key},
                )
                print(response.status_code, response.json())

            proxy.drop_replies(1)
            await charge("order-7731", 30)
            print("replies lost:", proxy.counts["dropped"])
            await charge("order-7731", 30)
            await charge("order-7731", 50)
            await charge("order-7732", 500)


if __name__ == "__main__":
    with ValkeyServer() as server:
        asyncio.run(main(server))
