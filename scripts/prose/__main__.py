"""`python scripts/prose [FILE...]`: see `prose_check`."""

import sys

from prose_check import main

sys.exit(main(sys.argv[1:]))
