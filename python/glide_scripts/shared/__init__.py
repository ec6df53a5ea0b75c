"""The names of GLIDE's package ``glide_shared``, whose modules programs import from."""

from glide_scripts import *  # noqa: F403
