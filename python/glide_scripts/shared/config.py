"""The configurations, under the name that GLIDE's module has."""

from ..config import *  # noqa: F403
