"""The names of GLIDE's package ``async_commands``, whose modules programs import from."""

import glide_scripts  # noqa: F401 - waits until the package is there
