"""Why a receiver of alarms did not take a message: a kind from a closed list, and nothing that somebody else has said.

The library that sends says no more than that it failed. It logs while it still handles what went wrong, so the type of that
tells the kind; its words, which hold addresses and answers, are looked at for a status of HTTP alone, and dropped.
"""

import logging
import re
import smtplib
import socket
import ssl
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus
from typing import Literal


class FaultKind(StrEnum):
    """What was in the way."""

    NAME_NOT_RESOLVED = "name_not_resolved"
    CONNECTION_REFUSED = "connection_refused"
    CERTIFICATE_NOT_TRUSTED = "certificate_not_trusted"
    LOGON_REFUSED = "logon_refused"
    HTTP_STATUS = "http_status"
    NO_ANSWER_IN_TIME = "no_answer_in_time"
    NOT_TAKEN = "not_taken"


_WORDS = {
    FaultKind.NAME_NOT_RESOLVED: "its name cannot be resolved",
    FaultKind.CONNECTION_REFUSED: "it refused the connection",
    FaultKind.CERTIFICATE_NOT_TRUSTED: "its certificate is not trusted",
    FaultKind.LOGON_REFUSED: "it refused the log-on",
    FaultKind.HTTP_STATUS: "it answered with HTTP status {http_status}",
    FaultKind.NO_ANSWER_IN_TIME: "it did not answer in time",
    FaultKind.NOT_TAKEN: "it did not take the message",
}
_NEXT = {
    FaultKind.NAME_NOT_RESOLVED: "Check the host in alarm_urls, and whether this machine resolves names.",
    FaultKind.CONNECTION_REFUSED: "Check host and port in alarm_urls, and that it runs.",
    FaultKind.CERTIFICATE_NOT_TRUSTED: (
        "Check the host's name in alarm_urls. The file of a private authority is named by SSL_CERT_FILE for mail, "
        "by REQUESTS_CA_BUNDLE for all else."
    ),
    FaultKind.LOGON_REFUSED: "Check user and password in alarm_urls; @, / and ? in a password are written %40, %2F and %3F.",
    FaultKind.HTTP_STATUS: "Check the path of its address in alarm_urls; its own log says more.",
    FaultKind.NO_ANSWER_IN_TIME: "Check host and port in alarm_urls, and whether a firewall keeps this machine from it.",
    FaultKind.NOT_TAKEN: "Check its address in alarm_urls, its password, and whether it answers from this machine.",
}
#: The first that is found in an error or in what led to it.
_KINDS: tuple[tuple[type[BaseException], FaultKind], ...] = (
    (smtplib.SMTPAuthenticationError, FaultKind.LOGON_REFUSED),
    (ssl.SSLCertVerificationError, FaultKind.CERTIFICATE_NOT_TRUSTED),
    (socket.gaierror, FaultKind.NAME_NOT_RESOLVED),
    (ConnectionRefusedError, FaultKind.CONNECTION_REFUSED),
    (TimeoutError, FaultKind.NO_ANSWER_IN_TIME),
)
_NO_LOGON = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})
_STATUS = re.compile(r"\berror=([1-5][0-9]{2})\b")


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a message was not taken.

    Args:
        kind: What was in the way.
        http_status: What it answered with, under HTTP.
    """

    kind: FaultKind = FaultKind.NOT_TAKEN
    http_status: int | None = None

    def __str__(self) -> str:
        """Say it in words."""
        return _WORDS[self.kind].format(http_status=self.http_status)

    @property
    def next(self) -> str:
        """What helps."""
        return _NEXT[self.kind]


def fault_of(error: BaseException | None) -> Fault | None:
    """Return the fault that an error means by its type and the types of what led to it; ``None`` where these tell nothing."""
    found = list(_chain(error))
    kind = next((kind for type_, kind in _KINDS if any(isinstance(it, type_) for it in found)), None)
    return Fault(kind) if kind else None


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and what led to it; whoever raised it may have hidden that, or only put it into its arguments."""
    seen: set[int] = set()
    left = [error]
    while left:
        it = left.pop()
        if it is not None and id(it) not in seen:
            seen.add(id(it))
            yield it
            left += [it.__cause__, it.__context__, *(part for part in it.args if isinstance(part, BaseException))]


class _Heard(threading.local):
    fault: Fault | None = None


class FaultFilter(logging.Filter):
    """Drops every record, and keeps for each thread the last fault that one of its records told."""

    _heard = _Heard()

    def filter(self, record: logging.LogRecord) -> Literal[False]:
        """Take a record in."""
        self._heard.fault = fault_of(sys.exc_info()[1]) or _answered(record) or self._heard.fault
        return False

    def heard(self) -> Fault | None:
        """Return what this thread has heard since it was asked last."""
        fault, self._heard.fault = self._heard.fault, None
        return fault


def _answered(record: logging.LogRecord) -> Fault | None:
    status = _STATUS.search(record.getMessage())
    if status is None:
        return None
    number = int(status[1])
    return Fault(FaultKind.LOGON_REFUSED if number in _NO_LOGON else FaultKind.HTTP_STATUS, number)
