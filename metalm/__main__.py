"""`python -m metalm`: the command line."""

import sys

from metalm.cli.main import main

sys.exit(main())
