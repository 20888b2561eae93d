"""`python -P -m freeride_core`: the same command line where the script is not on the PATH."""

import sys

if __name__ == "__main__":
    if not sys.flags.safe_path:  # without -P, the working folder comes first
        del sys.path[0]

    from freeride_core.cli import main

    main()
