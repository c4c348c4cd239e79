"""Stopping: threads that wait for a server or for their turn end with the run, instead of keeping the process for minutes."""

import threading

from busytime.errors import FatalError, Reason

#: Set while this process ends a run that broke off.
STOPPING = threading.Event()


class StoppedError(FatalError):
    """The run was stopped; nothing more is asked or written."""


def pause(seconds: float) -> None:
    """Wait, but not for a run that is being stopped.

    Raises:
        StoppedError: It is.
    """
    if STOPPING.wait(seconds):
        raise StoppedError("The run was stopped while it waited.", reason=Reason.STOPPED)
