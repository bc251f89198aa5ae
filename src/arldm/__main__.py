"""`python -m arldm` is the command `arldm`."""

import sys

from arldm.cli import main

sys.exit(main())
