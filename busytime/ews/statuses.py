"""What servers call a status (``LegacyFreeBusyType`` in types.xsd), and what it is here."""

from busytime.model import BusyStatus

FREE = "Free"
NO_DATA = "NoData"

#: Every status that makes a busy interval. A name that is neither here nor above is one that cannot be read.
BUSY: dict[str, BusyStatus] = {
    "Busy": BusyStatus.BUSY,
    "Tentative": BusyStatus.TENTATIVE,
    "OOF": BusyStatus.OUT_OF_OFFICE,
    "WorkingElsewhere": BusyStatus.WORKING_ELSEWHERE,
}

#: Every status that says something; free is ``None``.
ALL: dict[str, BusyStatus | None] = {**BUSY, FREE: None}
