"""`python -m ramify.planner.cli`: the same as the `ramify` command."""

import sys

from . import main

sys.exit(main())
