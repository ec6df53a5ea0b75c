"""valkey-py's exceptions."""

from valkey.exceptions import *  # noqa: F403
