"""The control interface: JSON over plain HTTP, for tests and curious people. No log-on."""

from __future__ import annotations

import json
import secrets
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from deployments.sandbox import appointments, sharing
from deployments.sandbox.directory import AccountState
from deployments.sandbox.fields import Fields
from deployments.sandbox.model import MailboxKind
from deployments.sandbox.organisation import DEFAULT, UnknownError
from deployments.sandbox.paths import split_path
from deployments.sandbox.rights import FOLDER_VISIBLE, LEVELS, Rights, custom_rights
from deployments.sandbox.state import State
from deployments.sandbox.tokens import TENANT, TENANT_ID, Application

Json = Any
_LONGEST_PASS_SECONDS = 10_000_000


@dataclass(frozen=True, slots=True)
class Control:
    """What the control interface changes."""

    state: State

    def app(self) -> Starlette:
        """Return the interface as an application."""
        one = "/appointments/{id:path}"
        return Starlette(
            routes=[
                _route("GET", "/log", self.log),
                _route("POST", "/password", self.password),
                _route("POST", "/account", self.account),
                _route("GET", "/lockout", self.held_against),
                _route("POST", "/lockout", self.pass_time),
                _route("POST", "/application", self.application),
                _route("GET", "/tokens", self.tokens),
                _route("POST", "/permission", self.permission),
                _route("POST", "/calendars", self.create_calendar),
                _route("PATCH", "/calendars", self.change_calendar),
                _route("DELETE", "/calendars", self.remove_calendar),
                _route("GET", "/appointments", self.list_appointments),
                _route("POST", "/appointments", self.create_appointment),
                _route("POST", one + "/copy", self.copy_appointment),
                _route("PATCH", one, self.change_appointment),
                _route("DELETE", one, self.remove_appointment),
                _route("POST", "/faults", self.add_fault),
                _route("DELETE", "/faults", self.clear_faults),
                _route("POST", "/mailbox", self.mailbox),
                _route("POST", "/invitations", self.invite),
                _route("GET", "/limits", self.show_limits),
                _route("POST", "/limits", self.change_limits),
            ]
        )

    def log(self, fields: Fields) -> Json:
        """Return the log entries after a number."""
        since = fields.text("since", "0")
        if not since.isdecimal():
            raise ValueError("since must be a whole number")
        return self.state.journal.since(int(since))

    def password(self, fields: Fields) -> Json:
        """Change or give a password; the account is unlocked by that."""
        email = fields.text("email").lower()
        if self.state.organisation.mailbox(email) is None:
            self.state.organisation.create_mailbox(email, email.split("@", 1)[0])
        self.state.directory.set_password(email, fields.text("password"))
        return {}

    def account(self, fields: Fields) -> Json:
        """Change what is true of an account; what is not named stays as it is."""
        account = self.state.directory.account(fields.text("email"))
        if account is None:
            raise UnknownError(f"{fields.text('email')} has no password; POST /password gives one")
        # All is read before anything is changed: a call is carried out whole or not at all.
        state = AccountState(fields.choice("state", tuple(AccountState), account.state))
        two_step = fields.flag("two_step", otherwise=account.two_step)
        has_mailbox = fields.flag("mailbox", otherwise=account.has_mailbox)
        app_password = fields.text("app_password", account.app_password or "") or None
        locked = fields.flag("locked", otherwise=False)
        account.state, account.two_step, account.has_mailbox = state, two_step, has_mailbox
        account.app_password = app_password
        if "locked" in fields.values:
            (self.state.directory.lock if locked else self.state.directory.unlock)(account)
        return {}

    def held_against(self, fields: Fields) -> Json:
        """Tell what is held against an account."""
        account = self.state.directory.account(fields.text("email"))
        if account is None:
            raise UnknownError(f"{fields.text('email')} has no password; POST /password gives one")
        refused, is_locked = self.state.directory.held_against(account)
        return {"refused": refused, "locked": is_locked}

    def pass_time(self, fields: Fields) -> Json:
        """Let time pass for the lock of accounts, and for nothing else."""
        seconds = fields.values.get("pass_s")
        if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds <= _LONGEST_PASS_SECONDS:
            raise ValueError(f"pass_s must be a number from 0 to {_LONGEST_PASS_SECONDS}")
        self.state.directory.pass_time(seconds)
        return {}

    def application(self, fields: Fields) -> Json:
        """Register an application or give it another secret; what is not given is made up."""
        application = Application(
            fields.text("client_id", "") or str(uuid.uuid4()),
            fields.text("client_secret", "") or secrets.token_urlsafe(30),
            expired=fields.flag("expired", otherwise=False),
            permitted=fields.flag("permitted", otherwise=True),
        )
        self.state.tokens.register(application)
        return {
            "client_id": application.client_id,
            "client_secret": application.secret,
            "tenant": TENANT,
            "tenant_id": TENANT_ID,
            "token_path": f"/{TENANT}/oauth2/v2.0/token",
        }

    def tokens(self, _fields: Fields) -> Json:
        """Return every token that was issued, the expired ones too."""
        return self.state.tokens.issued()

    def permission(self, fields: Fields) -> Json:
        """Set one person's level in one calendar, or at the root of the mailbox (`..`), where it only shows the root."""
        folder = self.state.organisation.folder(fields.text("owner"), fields.text("folder", ""))
        grantee = fields.text("grantee").lower()
        level = fields.text("level")
        spelled_out = _custom(fields, level)
        if level == FOLDER_VISIBLE:
            # PowerShell grants it by this name; a permission list shows it as a level without a name.
            level, spelled_out = "Custom", Rights(visible=True)
        if level not in LEVELS:
            raise ValueError(f"level must be one of {', '.join([*LEVELS, FOLDER_VISIBLE])}")
        folder.custom.pop(grantee, None)
        if spelled_out is not None:
            folder.custom[grantee] = spelled_out
        if level == "None" and grantee != DEFAULT:
            folder.permissions.pop(grantee, None)
        else:
            folder.permissions[grantee] = level
        folder.change += 1
        return {}

    def create_calendar(self, fields: Fields) -> Json:
        """Make a sub-calendar."""
        folder = self.state.organisation.create_folder(fields.text("owner"), fields.text("folder"))
        return {"id": folder.id}

    def change_calendar(self, fields: Fields) -> Json:
        """Rename or move a sub-calendar."""
        owner = fields.text("owner")
        folder = self.state.organisation.folder(owner, fields.text("folder"))
        if folder.distinguished and "parent" in fields.values:
            raise ValueError("a well-known folder cannot be moved")
        if "parent" in fields.values:
            parent = self.state.organisation.folder(owner, fields.text("parent"))
            below = self.state.organisation.owner(owner).children(folder, deep=True)
            if parent is folder or parent in below:
                raise ValueError("a calendar cannot be moved below itself")
            folder.parent = parent
        if "name" in fields.values:
            folder.name = fields.text("name")
        folder.change += 1
        return {"id": folder.id}

    def remove_calendar(self, fields: Fields) -> Json:
        """Remove a sub-calendar with all in it."""
        if not split_path(fields.text("folder")):
            raise ValueError("folder must name a sub-calendar")
        folder = self.state.organisation.folder(fields.text("owner"), fields.text("folder"))
        self.state.organisation.remove_folder(folder)
        return {}

    def list_appointments(self, fields: Fields) -> Json:
        """Return the truth about a calendar."""
        return appointments.listing(self.state.organisation, fields)

    def create_appointment(self, fields: Fields) -> Json:
        """The owner makes an appointment."""
        return {"id": appointments.create(self.state.organisation, fields)}

    def change_appointment(self, fields: Fields) -> Json:
        """The owner changes an appointment or one occurrence."""
        return {"id": appointments.change(self.state.organisation, fields)}

    def remove_appointment(self, fields: Fields) -> Json:
        """The owner removes an appointment or one occurrence."""
        appointments.remove(self.state.organisation, fields)
        return {}

    def copy_appointment(self, fields: Fields) -> Json:
        """The owner copies an appointment, all its properties included."""
        return {"id": appointments.copy(self.state.organisation, fields)}

    def add_fault(self, fields: Fields) -> Json:
        """Order a fault."""
        return {"id": self.state.faults.add(fields.values)}

    def clear_faults(self, _fields: Fields) -> Json:
        """Let everything go well again."""
        self.state.faults.clear()
        return {}

    def mailbox(self, fields: Fields) -> Json:
        """Make a mailbox of a special kind."""
        kind = fields.choice("kind", tuple(MailboxKind))
        members = fields.values.get("members", [])
        if not isinstance(members, list) or not all(isinstance(one, str) for one in members):
            raise ValueError("members must be a list of addresses")
        everybody = tuple(str(one).lower() for one in members)
        self.state.organisation.set_kind(fields.text("owner"), MailboxKind(kind), everybody)
        return {}

    def invite(self, fields: Fields) -> Json:
        """A sharing invitation from another organisation arrives in the dedicated mailbox."""
        sender = fields.text("from")
        if "@" not in sender:
            raise ValueError("from must be an address")
        title = fields.text("name", sender.split("@", 1)[0])
        level = fields.text("level", "Reviewer")
        if level not in LEVELS:
            raise ValueError(f"level must be one of {', '.join(LEVELS)}")
        name = fields.text("folder", "") or "Calendar"
        return {"id": sharing.invite(self.state.organisation, sender, name, title, level).id}

    def show_limits(self, _fields: Fields) -> Json:
        """Return the policy in force."""
        return self.state.limits.as_dict()

    def change_limits(self, fields: Fields) -> Json:
        """Change the policy."""
        self.state.limits.update(fields.values)
        return self.state.limits.as_dict()


def _custom(fields: Fields, level: str) -> Rights | None:
    """Return the rights that were spelled out, if any."""
    given = fields.values.get("rights")
    if given is None:
        return None
    if level != "Custom" or not isinstance(given, dict):
        raise ValueError("rights must be an object and go with the level Custom")
    return custom_rights(given)


def _route(method: str, path: str, handler: Callable[[Fields], Json]) -> Route:
    async def endpoint(request: Request) -> Response:
        try:
            fields = await _fields(request)
            return JSONResponse(handler(fields))
        except UnknownError as error:
            return JSONResponse({"error": f"{error}."}, status_code=404)
        except ValueError as error:
            return JSONResponse({"error": f"{error}."}, status_code=400)

    # Starlette answers 405 for a path whose methods are spread over several routes only if none
    # of them fits, which is what is wanted here.
    return Route(path, endpoint, methods=[method])


async def _fields(request: Request) -> Fields:
    """Gather what the caller gave: JSON body, query, and the id in the path."""
    values: dict[str, object] = dict(request.query_params)
    body = await request.body()
    if body:
        try:
            given = json.loads(body)
        except ValueError:
            raise ValueError("the body is not valid JSON") from None
        if not isinstance(given, dict):
            raise ValueError("the body must be a JSON object")
        values.update(given)
    return Fields(values, request.path_params.get("id", ""))
