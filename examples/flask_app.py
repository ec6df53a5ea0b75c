"""A poll in Flask, in which each person votes once.

    python examples/flask_app.py

starts a temporary server and sends requests to the app from several threads of this process. To
serve it with the server at localhost: ``gunicorn --chdir examples 'flask_app:create_app()'``. The
script is ``scripts/vote.lua``.

All threads of a process share one client. It connects with the first request of each process, since
gunicorn forks its workers.
"""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, cast

from flask import Flask, abort, request

from glide_scripts.sync import ClosingError, GlideClient, RequestError, ScriptLibrary
from glide_scripts.testing import ValkeyServer

if TYPE_CHECKING:
    from examples.scripts.library import Library

scripts = cast("Library", ScriptLibrary.from_directory(Path(__file__).with_name("scripts")))


URL = os.environ.get("VALKEY_URL", "valkey://localhost?lazy_connect=true")


def create_app(url: str = URL) -> Flask:
    """Return the app, which keeps the votes on the server of `url`."""
    app = Flask(__name__)
    client = app.extensions["valkey"] = GlideClient.from_url(url)

    def votes(poll: str) -> dict[str, int]:
        counts = client.hgetall(f"votes:{{{poll}}}")
        return {choice.decode(): int(count) for choice, count in sorted(counts.items())}

    @app.get("/polls/<poll>")
    def show(poll: str) -> dict[str, int]:
        return votes(poll)

    @app.post("/polls/<poll>")
    def vote(poll: str) -> dict[str, int]:
        # An app with users would take the voter from the session.
        voter, choice = request.form["voter"], request.form["choice"]
        keys = f"votes:{{{poll}}}", f"voters:{{{poll}}}"
        try:
            counts = scripts.vote(client, *keys, voter=voter, choice=choice)
        except (RequestError, ClosingError) as error:
            # Whether the vote was counted is unknown. Sending it again is safe.
            abort(503, f"try again: {error}")
        if not counts:
            abort(409, "you have voted")
        return votes(poll)

    return app


def main(app: Flask) -> None:
    def vote(number: int) -> int:
        form = {"voter": f"person {number % 6}", "choice": "yes" if number % 3 else "no"}
        return app.test_client().post("/polls/tabs", data=form).status_code

    with ThreadPoolExecutor(8) as threads:
        codes = list(threads.map(vote, range(12)))
    print(f"{codes.count(200)} votes count, {codes.count(409)} came twice")
    print(app.test_client().get("/polls/tabs").json)


if __name__ == "__main__":
    with ValkeyServer() as server:
        app = create_app(server.url)
        with app.extensions["valkey"]:
            main(app)
