"""What saq's tests import from their helpers, which its sdist lacks."""

from __future__ import annotations

import os
from typing import Any

from saq.queue import Queue


async def create_redis_queue(url: str = os.environ["REDIS_URL"], **options: Any) -> Queue:
    queue = Queue.from_url(url, **options)
    await queue.connect()
    return queue


async def cleanup_queue(queue: Any) -> None:
    await queue.redis.flushdb()
    await queue.disconnect()


async def _no_postgres(**options: Any) -> None:
    raise NotImplementedError("only the tests on Redis run here")


create_postgres_queue = setup_postgres = teardown_postgres = _no_postgres
