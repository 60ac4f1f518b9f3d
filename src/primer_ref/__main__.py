"""Run the command line, ``python -m primer_ref``."""

import io
import sys

try:
    from primer_ref.cli import main
except KeyboardInterrupt:  # the first import takes a moment
    print("interrupted", file=sys.stderr)
    sys.exit(130)

if __name__ == "__main__":
    if isinstance(sys.stdout, io.TextIOWrapper):  # what its encoding lacks shows as an escape
        sys.stdout.reconfigure(errors="backslashreplace")
    sys.exit(main())
