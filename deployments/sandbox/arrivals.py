"""A request on its way in: what arrived, who sent it, and what will answer it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from deployments.sandbox.answers import Answer, Headers
from deployments.sandbox.connection import Connection
from deployments.sandbox.directory import LogOn

EWS_PATH = "/EWS/Exchange.asmx"
# What redirects lead to unless they are told otherwise. It answers nobody: the name is reserved.
OTHER_HOST = "https://mail.other.example"


@dataclass(frozen=True, slots=True)
class Arrival:
    """An HTTP request, read to its end."""

    method: str
    path: str
    headers: Headers
    body: bytes
    connection: Connection
    port: int

    def header(self, name: bytes) -> str:
        """Return a header by its name in lower case, or an empty text."""
        return next((value.decode("latin-1") for key, value in self.headers if key == name), "")

    @property
    def is_ews(self) -> bool:
        """Whether it came to the EWS path."""
        return self.path.lower() == EWS_PATH.lower()

    @property
    def scheme(self) -> str | None:
        """How this request itself logs on, in lower case."""
        return self.header(b"authorization").partition(" ")[0].lower() or None

    @property
    def url(self) -> str:
        """The address as the client wrote it."""
        return f"https://{self.header(b'host')}{self.path}"

    @property
    def origin(self) -> str:
        """The server's own address, as its certificate has it."""
        return f"https://localhost:{self.port}"


@dataclass(slots=True)
class Entry:
    """Who stands at the door, and whether they may come in."""

    logon: LogOn = LogOn.GOOD
    # The account; with an application's token the mailbox that it impersonates.
    caller: str | None = None
    has_mailbox: bool = True
    application: str | None = None
    # Whether the application was granted access to mailboxes.
    permitted: bool = True
    # What a refusal offers, and the log's code for it, where they are not the usual ones.
    challenges: Headers = field(default_factory=list)
    code: str | None = None


@dataclass(slots=True)
class Incoming:
    """A request before it is answered."""

    operation: str | None
    mailboxes: list[str]
    entry: Entry
    run: Callable[[], Answer]
