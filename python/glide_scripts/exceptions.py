"""The exceptions, under the name that GLIDE's module has."""

import glide_scripts  # noqa: F401 - waits until the package is there

from .errors import *  # noqa: F403
from .errors import __all__  # noqa: F401 - of this module, too
