"""The exceptions, under the name that GLIDE's module has."""

from .errors import *  # noqa: F403
from .errors import __all__  # noqa: F401 - of this module, too
