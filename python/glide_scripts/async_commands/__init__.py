"""The names of GLIDE's package ``async_commands``, whose modules programs import from."""
