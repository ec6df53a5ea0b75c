"""The routes, under the name that GLIDE's module has."""

from ..routes import *  # noqa: F403
