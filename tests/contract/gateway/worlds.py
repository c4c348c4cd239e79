"""The worlds that the contract suite is played in: the fake, and the sandbox in both styles of rights."""

import itertools
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import pytest
from lxml import etree

from busytime.errors import AuthenticationError, Reason, ServerBusyError, TooManyMailboxesError, UnsupportedServerError
from busytime.ews import EWSCalendarGateway, envelopes, envelopes_looking, envelopes_writing
from busytime.model import AuthType, BusyStatus, Endpoint, Secret, Unanswered, Window
from tests.contract.gateway.counting_guard import CountingGuard
from tests.fakes.folders import CONNECTION, OWNER
from tests.fakes.in_memory_gateway import InMemoryCalendarGateway

SCHEMA = Path(__file__).resolve().parents[4] / "shared" / "ews-schema" / "messages.xsd"

#: Far from everything that the sandbox generates.
MONDAY = datetime(2031, 6, 2, tzinfo=UTC)
WEEK = Window(MONDAY, MONDAY + timedelta(days=7))


def at(day: int, hour: int, minute: int = 0) -> datetime:
    return MONDAY + timedelta(days=day, hours=hour, minutes=minute)


NINE, TEN = at(0, 9), at(0, 10)
#: What the sandbox calls each status.
STATUSES = {
    None: "Free",
    BusyStatus.BUSY: "Busy",
    BusyStatus.TENTATIVE: "Tentative",
    BusyStatus.OUT_OF_OFFICE: "OOF",
    BusyStatus.WORKING_ELSEWHERE: "WorkingElsewhere",
}


@cache
def schema():
    """Return the schema of requests, or ``None`` where it is not at hand."""
    return etree.XMLSchema(etree.parse(SCHEMA)) if SCHEMA.is_file() else None


class FakeWorld:
    """The fake."""

    def __init__(self, style="exchange"):
        self.style = style
        self.guard = CountingGuard()
        self.gateway = InMemoryCalendarGateway(self.guard)
        self.gateway.rights_style = style
        self._numbers = itertools.count(1)

    def owner(self):
        address = f"person{next(self._numbers):04}@corp.example"
        self.gateway.add_owner(address)
        return address

    def add(self, owner, start, end, status=BusyStatus.BUSY, folder=""):
        return self.gateway.add(owner, start, end, status, folder)

    def add_folder(self, owner, path):
        self.gateway.add_folder(owner, path)

    def close_root(self):
        self.gateway.root_visible = False

    def show_root(self, owner):
        self.gateway.owners[owner].root_shown = True

    def forbid(self, owner, folder=""):
        self.gateway.owners[owner].folders[folder].level = "None"

    def sub_calendar(self, owner, level, name="Projects"):
        folder = self.gateway.add_folder(owner, name)
        folder.level = level
        return folder.folder_id

    def grant(self, owner, level, folder=""):
        self.gateway.owners[owner].folders[folder].level = level

    def unlist(self, owner, folder):
        self.gateway.owners[owner].folders[folder].listed = False

    def show_permission_lists(self, how):
        self.gateway.permission_lists = how

    def put(self, owner, folder, *, own=False, marker_key=None, start=NINE, end=TEN):
        maker = CONNECTION if own else OWNER
        return self.gateway.add_item(owner, folder, maker=maker, marker_key=marker_key, start=start, end=end)

    def copy(self, item_id, start=None):
        return self.gateway.copy_item(item_id, start)

    def change(self, item_id, status):
        item = self.gateway.item(item_id)
        item.status, item.version = status, item.version + 1

    def cancel(self, item_id):
        self.gateway.item(item_id).cancelled = True

    def remove(self, item_id):
        self.gateway.remove_item(item_id)

    def texts(self, item_id):
        item = self.gateway.item(item_id)
        return item.title, item.location, item.body

    def truth(self, owner, folder=""):
        """Return times, status, marker, revision and whether the connection made it, of each item."""
        items = self.gateway.owners[owner].folders[folder].items.values()
        return [(it.start, it.end, it.status, it.marker_key, it.revision, it.maker == CONNECTION) for it in items]

    def own_items(self):
        return []

    def refuse_more_mailboxes(self):
        self.gateway.fail("*", lambda: TooManyMailboxesError("too many"))

    def limit_pages(self, most):
        pass

    def markers(self, owner, folder):
        return [item.marker_key for item in self.gateway.owners[owner].folders[folder].items.values()]

    def lose_answer(self, operation):
        self.gateway.lose_answers(
            {"CreateItem": "create_item", "UpdateItem": "update_item", "DeleteItem": "delete_item"}[operation]
        )

    def invite(self, sender, name):
        self.gateway.invite(sender, name)

    def hide_foreign_addresses(self):
        self.gateway.foreign_addresses = False

    def remove_message(self, invitation_id):
        self.gateway.invitations = [one for one in self.gateway.invitations if one.invitation_id != invitation_id]

    def make_merged_only(self, owner):
        self.gateway.owners[owner].merged_only = True

    def make_no_data(self, owner):
        self.gateway.owners[owner].answer = Unanswered(Reason.NO_DATA)

    def make_no_calendar(self, owner):
        self.gateway.owners[owner].answer = Unanswered(Reason.NO_CALENDAR, "ErrorNoCalendar")

    def make_group(self, owner):
        self.gateway.owners[owner].group = True

    def make_sick(self, owner):
        self.gateway.owners[owner].sick = True

    def make_busy(self, seconds):
        self.gateway.fail("*", lambda: ServerBusyError("busy", back_off_seconds=seconds))

    def block(self):
        self.gateway.fail("*", lambda: UnsupportedServerError("blocked", reason=Reason.EWS_BLOCKED))

    @contextmanager
    def wrong_password(self):
        self.gateway.fail("*", lambda: AuthenticationError("refused"))
        yield self.gateway

    def mend(self):
        self.gateway.mend()

    def close(self):
        self.gateway.close()


class SandboxWorld:
    """The sandbox, through the real adapter; every request is held against the schema."""

    def __init__(self, sandbox, numbers, style="exchange", auth_type=AuthType.BASIC):
        self.style = style
        self.auth_type = auth_type
        self._sandbox = sandbox
        self._numbers = numbers
        self._schema = schema()
        self.sent = []
        self.guard = CountingGuard(each_logs_on=auth_type is AuthType.BASIC)
        self.gateway = self._open(sandbox.password)
        self.mend()
        if auth_type is AuthType.OAUTH:
            self.gateway._transport._log_on._tokens.get()  # before any fault is ordered: it would strike this request

    def _open(self, password):
        username, token_url = self._sandbox.email, None
        if self.auth_type is AuthType.OAUTH:
            username, password, token_url = self._register(password)
        ca_pem = Path(self._sandbox.ca_file).read_text()
        endpoint = Endpoint(self._sandbox.email, self._sandbox.ews_url, self.auth_type, ca_pem, token_url)
        gateway = EWSCalendarGateway(endpoint, Secret(username, password), self.guard, request_deadline_seconds=10)
        transport = gateway._transport
        send = transport.send

        def recorded(envelope, what, read):
            self._check(envelope)
            return send(envelope, what, read)

        transport.send = recorded
        return gateway

    def _register(self, password):
        """Register an application; what it logs on with is wrong where the account's password would be."""
        application = self._sandbox.control("POST", "/application", {"client_id": "0b5e7a1c-contract"})
        secret = application["client_secret"] if password == self._sandbox.password else password
        token_url = self._sandbox.ews_url.replace("/EWS/Exchange.asmx", application["token_path"])
        return application["client_id"], secret, token_url

    def _check(self, envelope):
        self.sent.append(envelope)
        if self._schema is not None:
            body = etree.fromstring(envelope).find("{http://schemas.xmlsoap.org/soap/envelope/}Body")
            self._schema.assertValid(etree.fromstring(etree.tostring(body[0])))

    def owner(self):
        return f"owner{next(self._numbers):04}@corp.example"

    def add(self, owner, start, end, status=BusyStatus.BUSY, folder=""):
        body = {"owner": owner, "folder": folder, "start": start.isoformat(), "end": end.isoformat(), "subject": "A secret"}
        return self._sandbox.control("POST", "/appointments", {**body, "status": STATUSES[status]})["id"]

    def add_folder(self, owner, path):
        self._sandbox.control("POST", "/calendars", {"owner": owner, "folder": path})
        if path.startswith("../"):  # one beside the calendar inherits nothing from it
            order = {"owner": owner, "folder": path, "grantee": self._sandbox.email, "level": "Editor"}
            self._sandbox.control("POST", "/permission", order)

    def close_root(self):
        self._sandbox.control("POST", "/limits", {"root_visible": False})

    def show_root(self, owner):
        self.grant(owner, "FolderVisible", "..")

    def forbid(self, owner, folder=""):
        for grantee in (self._sandbox.email, "Default"):
            order = {"owner": owner, "folder": folder, "grantee": grantee, "level": "None"}
            self._sandbox.control("POST", "/permission", order)

    def sub_calendar(self, owner, level, name="Projects"):
        folder_id = self._sandbox.control("POST", "/calendars", {"owner": owner, "folder": name})["id"]
        self.grant(owner, level, name)
        return folder_id

    def grant(self, owner, level, folder=""):
        order = {"owner": owner, "folder": folder, "grantee": self._sandbox.email, "level": level}
        self._sandbox.control("POST", "/permission", order)

    def unlist(self, owner, folder):
        """Give everybody the level instead of the connection."""
        everybody = {"owner": owner, "folder": folder, "grantee": "Default", "level": "Editor"}
        self._sandbox.control("POST", "/permission", everybody)
        self.grant(owner, "None", folder)

    def show_permission_lists(self, how):
        self._sandbox.control("POST", "/limits", {"permission_set": how})

    def put(self, owner, folder, *, own=False, marker_key=None, start=NINE, end=TEN):
        maker = self._sandbox.email if own else owner
        body = {"owner": owner, "folder": folder, "start": start.isoformat(), "end": end.isoformat()}
        more = {"subject": "A secret", "creator": maker, "marker": marker_key or ""}
        return self._sandbox.control("POST", "/appointments", body | more)["id"]

    def copy(self, item_id, start=None):
        body = {} if start is None else {"start": start.isoformat()}
        return self._sandbox.control("POST", f"/appointments/{item_id}/copy", body)["id"]

    def change(self, item_id, status):
        self._sandbox.control("PATCH", f"/appointments/{item_id}", {"status": STATUSES[status]})

    def cancel(self, item_id):
        self._sandbox.control("PATCH", f"/appointments/{item_id}", {"is_cancelled": True})

    def remove(self, item_id):
        self._sandbox.control("DELETE", f"/appointments/{item_id}")

    def texts(self, item_id):
        item = self.details(item_id)
        return tuple(item.findtext(f"{{*}}{name}") or "" for name in ("Subject", "Location", "Body"))

    def details(self, item_id):
        """Return an item as the server shows it to somebody who asks for its details."""
        wanted = envelopes.item_fields("subject", "location", "body", "reminder_is_set", "_start_timezone", "_end_timezone")
        envelope = envelopes_looking.get_items([item_id], wanted)
        return self.gateway._transport.send(envelope, "looking", lambda answer: answer.find(".//{*}CalendarItem"))

    def truth(self, owner, folder=""):
        statuses = {name: status for status, name in STATUSES.items()}
        found = []
        for it in self.items(owner, folder):
            start, end = (datetime.fromisoformat(it[name]) for name in ("start", "end"))
            revision = None if it["revision"] is None else int(it["revision"])
            mine = it["creator"] == self._sandbox.email
            found.append((start, end, statuses[it["status"]], it["marker"], revision, mine))
        return found

    def refuse_more_mailboxes(self):
        self._fault("too_many_objects", count=1)

    def own_items(self):
        return self.items(self._sandbox.email, "")

    def limit_pages(self, most):
        self._sandbox.control("POST", "/limits", {"find_items": most})

    def items(self, owner, folder):
        window = "start=2000-01-01T00:00:00%2B00:00&end=2040-01-01T00:00:00%2B00:00"
        return self._sandbox.control("GET", f"/appointments?owner={owner}&folder={folder}&{window}")

    def markers(self, owner, folder):
        return [item["marker"] for item in self.items(owner, folder)]

    def lose_answer(self, operation):
        order = {"kind": "drop_after", "operation": operation, "share": 1.0, "count": 1}
        self._sandbox.control("POST", "/faults", order)

    def invite(self, sender, name):
        self._sandbox.control("POST", "/invitations", {"from": sender, "folder": name})

    def hide_foreign_addresses(self):
        self._sandbox.control("POST", "/limits", {"foreign_address": False})

    def remove_message(self, invitation_id):
        self.gateway._transport.send(envelopes_writing.delete_entries([invitation_id]), "clearing up", lambda _answer: None)

    def _kind(self, owner, kind):
        self._sandbox.control("POST", "/mailbox", {"owner": owner, "kind": kind})

    def make_merged_only(self, owner):
        self._kind(owner, "merged_only")

    def make_no_data(self, owner):
        self._kind(owner, "no_data")

    def make_no_calendar(self, owner):
        self._kind(owner, "no_calendar")

    def make_group(self, owner):
        self._kind(owner, "group")

    def _fault(self, kind, **more):
        self._sandbox.control("POST", "/faults", {"kind": kind, "operation": "*", "share": 1.0, **more})

    def make_sick(self, owner):
        self._fault("sick_mailbox", mailbox=owner)

    def make_busy(self, seconds):
        self._fault("server_busy", count=1, back_off_ms=int(seconds * 1000))

    def block(self):
        self._fault("http_403", count=1)

    @contextmanager
    def wrong_password(self):
        gateway = self._open("not the password")
        try:
            yield gateway
        finally:
            gateway.close()

    def mend(self):
        self._sandbox.control("DELETE", "/faults")
        usual = {"root_visible": True, "permission_set": "omitted", "foreign_address": True, "find_items": 1000}
        usual["auth"] = ["bearer" if self.auth_type is AuthType.OAUTH else str(self.auth_type)]
        self._sandbox.control("POST", "/limits", usual)

    def close(self):
        self.gateway.close()


def skip_without_schema():
    """Return the schema, or skip."""
    found = schema()
    if found is None:
        pytest.skip("../shared/ews-schema is not there: requests cannot be validated")
    return found
