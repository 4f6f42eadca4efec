"""`python -m funnelkit` is the command line."""

import sys

from funnelkit.cli import main

sys.exit(main())
