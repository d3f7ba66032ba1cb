"""How the commands end: one line for a mistake that a user can mend, and a fixed exit code."""

import sys
from collections.abc import Callable

FAILED = 2
STOPPED = 75  # "try again": what a scheduler expects of a job that can be continued
INTERRUPTED = 130


def report_errors(command: Callable[[], int | None]) -> int:
    """Run a command and return its exit code; a ValueError becomes a line on stderr."""
    try:
        return command() or 0
    except ValueError as error:
        sys.stderr.write(f"error: {error}\n")
        return FAILED
    except OSError as error:
        sys.stderr.write(f"error: {error.filename or 'input or output'}: {error.strerror}\n")
        return FAILED
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        return INTERRUPTED
