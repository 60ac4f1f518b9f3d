"""Run the command line, ``python -m primer_ref``."""

import sys

from primer_ref.cli import main

if __name__ == "__main__":
    sys.exit(main())
