"""`python -m freeride_core`: the same command line where the script is not on the PATH."""

from freeride_core.cli import main

if __name__ == "__main__":
    main()
