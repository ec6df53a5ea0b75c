"""redis-py's exceptions."""

from redis.exceptions import *  # noqa: F403
