"""The names of GLIDE's package ``glide_shared.commands``."""
