"""The EWS endpoint: from the SOAP request and who sent it to the operation and its answer."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from deployments.sandbox import pages
from deployments.sandbox.answers import Answer, faulty
from deployments.sandbox.arrivals import Arrival, Entry, Incoming
from deployments.sandbox.directory import Directory, LogOn
from deployments.sandbox.door import Door
from deployments.sandbox.limits import Limits
from deployments.sandbox.operations import OPERATIONS
from deployments.sandbox.operations.context import Context, named_mailboxes
from deployments.sandbox.organisation import Organisation
from deployments.sandbox.soap import Request, SoapFault, envelope, parse, schema_fault
from deployments.sandbox.zones import zone_of

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Ews:
    """What answers at the EWS path."""

    organisation: Organisation
    directory: Directory
    door: Door
    limits: Limits

    def receive(self, arrival: Arrival) -> Incoming:
        """Read a request and look at its log-on."""
        request, fault = _parse(arrival)
        instead = pages.instead_of_ews(self.limits)
        entry = self.door.enter(arrival) if instead is None else Entry()
        if instead is None and entry.logon is LogOn.GOOD:
            instead = self._stopped(entry, request)
        operation = "" if request is None else request.operation
        mailboxes = [] if request is None else named_mailboxes(request.element, entry.caller)

        def run() -> Answer:
            if instead is not None:
                return instead
            if fault is not None:
                return faulty(fault)
            return Answer(405, b"", "MethodNotAllowed") if request is None else self._operate(entry, request)

        return Incoming(operation, mailboxes, entry, run)

    def _stopped(self, entry: Entry, request: Request | None) -> Answer | None:
        """Return why somebody whose log-on was good gets no further; as a side effect, say who is impersonated."""
        if self.limits.ews_face == "blocked":
            return pages.blocked()
        if not entry.permitted:
            return pages.not_permitted()
        if request is None:
            return None
        if entry.application is not None:
            return self._impersonate(entry, request.impersonated)
        if request.impersonated is not None:
            message = "The account does not have permission to impersonate the requested user."
            return faulty(SoapFault("ErrorImpersonateUserDenied", message))
        return None

    def _impersonate(self, entry: Entry, address: str | None) -> Answer | None:
        if not address:
            message = "ExchangeImpersonation SOAP header must be present for this type of OAuth token."
            return faulty(SoapFault("ErrorInvalidExchangeImpersonationHeaderData", message))
        account = self.directory.account(address)
        mailbox = self.organisation.mailbox(address)
        if mailbox is None or (account is not None and not account.has_mailbox):
            return faulty(SoapFault("ErrorNonExistentMailbox", "The SMTP address has no mailbox associated with it."))
        # Any mailbox may be impersonated, as in the cloud; the log says who was.
        entry.caller = mailbox.address
        entry.has_mailbox = True
        return None

    def _operate(self, entry: Entry, request: Request) -> Answer:
        operation = OPERATIONS.get(request.operation)
        if operation is None or entry.caller is None:
            return faulty(schema_fault(f"{request.operation} is not an operation of this server."))
        context = Context(
            self.organisation,
            self.limits,
            entry.caller,
            zone_of(request.time_zone_id),
            request.time_zone_id,
            has_mailbox=entry.has_mailbox,
        )
        try:
            return Answer(200, envelope(operation(context, request.element)), context.code)
        except SoapFault as fault:
            return faulty(fault)
        except Exception:  # noqa: BLE001 (the last resort of a server; it is logged)
            # A client gets what Exchange would send; whoever runs the sandbox sees the cause.
            _log.exception("%s failed", request.operation)
            return faulty(SoapFault("ErrorInternalServerError", "An internal server error occurred."))


def _parse(arrival: Arrival) -> tuple[Request | None, SoapFault | None]:
    if arrival.method != "POST":
        return None, None
    try:
        return parse(arrival.body), None
    except SoapFault as fault:
        return None, fault
