"""A Celery task that calls a partner no more often than it allows, with all workers together.

    python examples/celery_task.py

starts a temporary server and a worker in this process, and sends tasks to it. To run workers with
the server at localhost: ``BROKER_URL=amqp://localhost celery --workdir examples --app celery_task
worker``. The script is ``scripts/token_bucket.lua``.

The client connects with the first task of each process, since Celery forks its workers. A task that
is not allowed yet frees its worker, and Celery runs it again when the next token is there.
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from celery import Celery
from celery.contrib.testing.worker import start_worker

from glide_scripts.sync import GlideClient, ScriptLibrary
from glide_scripts.testing import ValkeyServer

if TYPE_CHECKING:
    from examples.scripts.library import Library

scripts = cast("Library", ScriptLibrary.from_directory(Path(__file__).with_name("scripts")))
app = Celery(
    "celery_task",
    broker=os.environ.get("BROKER_URL", "memory://"),
    backend=os.environ.get("RESULT_URL", "cache+memory://"),
)
client = GlideClient.from_url(os.environ.get("VALKEY_URL", "valkey://localhost?lazy_connect=true"))


@app.task(bind=True, max_retries=None)  # type: ignore[untyped-decorator]
def tell_partner(task: Any, order: str) -> str:
    """Tell the partner of an order: two at once, then 20 a second."""
    allowed, _, wait_ms = scripts.token_bucket(client, "partner", capacity=2, per_second=20.0)
    if not allowed:
        raise task.retry(countdown=wait_ms / 1000)
    return f"the partner knows of {order}"


def main() -> None:
    with start_worker(app, pool="threads", concurrency=4, perform_ping_check=False):
        tasks = [tell_partner.delay(f"order {number}") for number in range(5)]
        for task in tasks:
            print(task.get(timeout=60))


if __name__ == "__main__":
    with ValkeyServer() as server, GlideClient.from_url(server.url) as client:
        main()
