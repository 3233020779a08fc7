"""How the scripts speak to a person: errors as one message, warnings as one line."""

import logging
import sys
import warnings
from collections.abc import Callable

from keras_regnet.optional import require
from keras_regnet.training.epoch import NonFiniteLossError
from keras_regnet.training.interruption import TerminatedError
from keras_regnet.training.rendezvous import LostWorkerError
from keras_regnet.training.watchdog import LOST_WORKER_EXIT_CODE


def run(program: Callable[[], None], after_interrupt: str = "") -> None:
    """Runs a script's work, and turns what can go wrong into a message and exit code.

    Exit codes: 2 for a wrong argument, a missing package or a file that cannot be read
    or written; 3 where the loss is not finite; 4 where another worker is gone; 130
    after Ctrl-C; 143 after SIGTERM.

    Args:
        program: Does the work. Its ValueError, ImportError and OSError are messages to
            the user; anything else is a bug and keeps its traceback.
        after_interrupt: What to say after Ctrl-C, SIGTERM or the loss of another
            worker: how to go on.
    """
    # TensorFlow tells through absl which files of a SavedModel it writes.
    absl_logging = require("absl.logging", "train")
    absl_logging.set_verbosity(absl_logging.WARNING)
    logging.getLogger("tensorflow").addFilter(_not_retracing)
    with warnings.catch_warnings():
        warnings.showwarning = _show_warning
        try:
            program()
        except (ValueError, ImportError, OSError) as error:
            # An OSError of ours has its whole message, without a number, there.
            ours = isinstance(error, OSError) and error.strerror and not error.filename
            _leave(f"Error: {error.strerror if ours else error}", 2)
        except NonFiniteLossError as error:
            _leave(f"Stopped: {error}", 3)
        except LostWorkerError as error:
            _leave(f"Stopped: {error} {after_interrupt}", LOST_WORKER_EXIT_CODE)
        except KeyboardInterrupt:
            _leave(f"\nStopped by Ctrl-C. {after_interrupt}", 130)
        except TerminatedError:
            _leave(f"Stopped by SIGTERM. {after_interrupt}", 143)


def _not_retracing(record: logging.LogRecord) -> bool:
    """Whether it is no warning of many traces: each new network has one of its own."""
    return "tf.function retracing" not in record.getMessage()


def _leave(message: str, code: int) -> None:
    print(message, file=sys.stderr, flush=True)
    sys.exit(code)


def _show_warning(message: Warning | str, *_: object, **__: object) -> None:
    print(f"Warning: {message}", file=sys.stderr, flush=True)
