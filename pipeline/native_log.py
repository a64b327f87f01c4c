"""What native libraries print, kept out of the way.

TensorFlow's C++ code writes to file descriptor 2 and takes no order to be quiet. While a stage
works, that goes to a log in its folder; progress and messages go on to the terminal.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline import progress

LOG = "log.txt"


@contextmanager
def native_log(path: Path) -> Iterator[None]:
    """Append to ``path`` whatever is written to descriptor 2; the console keeps the terminal."""
    sys.stderr.flush()
    terminal = os.dup(2)
    on_terminal = sys.stderr is sys.__stderr__  # not where a test or a notebook listens in
    with path.open("ab") as log, os.fdopen(os.dup(terminal), "w") as direct:
        os.dup2(log.fileno(), 2)
        if on_terminal:
            progress.console.file = direct
        try:
            yield
        finally:
            if on_terminal:
                progress.console.file = sys.stderr
            sys.stderr.flush()
            os.dup2(terminal, 2)
            os.close(terminal)
