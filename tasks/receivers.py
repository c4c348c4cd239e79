"""The receivers of alarms: mailboxes, webhooks and whatever else Apprise can reach.

Their addresses hold passwords, so a receiver is called by its position and its kind alone, and what libraries log while they
send is dropped: it shows addresses and answers.
"""

import logging
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from busytime.alarm_words import Message
from busytime.errors import ConfigurationError
from config.settings import Settings
from tasks.receiver_faults import Fault, FaultFilter, FaultKind, fault_of

if TYPE_CHECKING:
    from apprise import NotifyBase

#: One message to one receiver; less than a claim on a telling lasts.
DEADLINE_SECONDS = 30.0
_FAULTS = FaultFilter()
_SENDER = "sends an alarm"


@dataclass(frozen=True, slots=True)
class Receiver:
    """One that alarms are sent to.

    Args:
        position: Its place in `alarm_urls`, from 1.
        kind: How it is reached, for example ``mailto``.
    """

    position: int
    kind: str
    _service: "NotifyBase" = field(repr=False, compare=False)

    def __str__(self) -> str:
        """Call it as messages do."""
        return f"receiver {self.position} ({self.kind})"

    def send(self, message: Message) -> Fault | None:
        """Send a message, and return why it was not taken; ``None`` where it was."""
        _FAULTS.heard()
        try:
            if self._service.notify(body=message.body, title=message.title):
                return None
        except Exception as error:  # noqa: BLE001 -- its words may show the address; its type tells enough
            return fault_of(error) or Fault()
        return _FAULTS.heard() or Fault()


def open_receivers(settings: Settings) -> list[Receiver]:
    """Return the receivers that the settings name.

    Raises:
        ConfigurationError: An address is none; it is named by its position.
    """
    return [_open(position, url.get_secret_value()) for position, url in enumerate(settings.alarm_urls, start=1)]


def _open(position: int, url: str) -> Receiver:
    from apprise import Apprise, AppriseAsset, NotifyFormat, OverflowMode  # noqa: PLC0415 -- slow to import, and seldom used

    library = logging.getLogger("apprise")
    library.setLevel(logging.WARNING)
    library.addFilter(_FAULTS)
    asset = AppriseAsset(
        app_id="busytime", app_desc="busytime", app_url="", image_url_mask="", image_url_logo="", http_redirects=False
    )
    service = Apprise.instantiate(url, asset=asset)
    if service is None:
        raise ConfigurationError(
            f"alarm_urls: address {position} is none that alarms can be sent to. It is not shown here, because it may hold a "
            "password; docs/operations.md, section Alarms, has examples."
        )
    service.notify_format = NotifyFormat.TEXT
    service.overflow_mode = OverflowMode.SPLIT
    return Receiver(position, url.partition("://")[0].lower(), service)


def send(messages: Mapping[Receiver, Message], seconds: float = DEADLINE_SECONDS) -> dict[Receiver, Fault | None]:
    """Send to each receiver its message, to all at once, and tell why it was not taken; ``None`` where it was, in time.

    Args:
        messages: What each is sent.
        seconds: How long they have; who takes longer may yet get it, and counts as not told.
    """
    ended: dict[Receiver, Fault | None] = {}
    _silence_senders()

    def send_one(receiver: Receiver, message: Message) -> None:
        ended[receiver] = receiver.send(message)

    threads = [threading.Thread(target=send_one, args=it, name=_SENDER, daemon=True) for it in messages.items()]
    deadline = time.monotonic() + seconds
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    in_time = dict(ended)
    return {receiver: in_time.get(receiver, Fault(FaultKind.NO_ANSWER_IN_TIME)) for receiver in messages}


class _Silence(logging.Filter):
    """Drops what threads that send would log: a webhook's path is as good as a password."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether somebody else logs it."""
        return record.threadName != _SENDER


_SILENCE = _Silence()


def _silence_senders() -> None:
    """Silence every logger there is; the libraries of all kinds of receivers are imported by now."""
    for logger in list(logging.root.manager.loggerDict.values()):
        if isinstance(logger, logging.Logger):
            logger.addFilter(_SILENCE)
