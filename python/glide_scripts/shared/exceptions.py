"""The exceptions, under the name that GLIDE's module has."""

from ..exceptions import *  # noqa: F403
