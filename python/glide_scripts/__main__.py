"""``python -m glide_scripts``: the command line."""

import sys

from .cli import main

sys.exit(main())
