"""``python -m jdl.cli``: the command ``jdl`` where it is not on the path."""

import sys

from jdl.cli import main

sys.exit(main())
