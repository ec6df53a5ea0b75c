"""``OK`` and the types of replies and arguments, under the name that GLIDE's module has."""

from ..constants import *  # noqa: F403
