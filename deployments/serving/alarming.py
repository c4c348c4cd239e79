"""The look for alarms: every few seconds, beside Prefect, so that a run that is missing is told even when Prefect is broken."""

import logging
import threading

from busytime.errors import BusyTimeError
from tasks.receivers import open_receivers
from tasks.telling import look_and_tell
from tasks.workspace import Workspace

_LOG = logging.getLogger("busytime.alarms")

LOOK_EVERY_SECONDS = 20.0
#: Who stops the service waits no longer for a receiver.
_SENDING_SECONDS = 15.0


class Alarms:
    """Looks what is wrong, and tells the receivers that the settings name."""

    def __init__(self, office: Workspace) -> None:
        """Open the receivers.

        Raises:
            ConfigurationError: An address in the settings is none.
        """
        self._office = office
        self._receivers = open_receivers(office.settings)

    def run(self, stopping: threading.Event) -> None:
        """Look again and again, until told to stop; a look that fails is made again."""
        while not stopping.is_set():
            try:
                look_and_tell(self._office, self._receivers, _SENDING_SECONDS)
            except BusyTimeError as error:
                _LOG.warning("%s", error)
            except Exception as error:  # noqa: BLE001 -- nobody would be told that this thread has ended
                _LOG.warning("A look for alarms failed (%s); the next one follows.", type(error).__name__)
            stopping.wait(LOOK_EVERY_SECONDS)
