"""The server's policy: every number and switch that `POST /limits` can change."""

from __future__ import annotations

from dataclasses import dataclass, fields

from deployments.sandbox.rights import RightsStyle

_ENORMOUS = 1e9
_CHOICES: dict[str, tuple[str, ...]] = {
    "rights_style": tuple(RightsStyle),
    "private_items": ("masked", "hidden", "visible"),
    "not_found_code": ("ErrorItemNotFound", "ErrorFolderNotFound", "ErrorAccessDenied"),
    "window_error": ("fault", "mailbox"),
    "permission_set": ("omitted", "refused", "shown"),
    "account_refusal": ("fault", "401"),
    "no_mailbox_code": ("ErrorMissingEmailAddress", "ErrorNonExistentMailbox"),
    "ews_face": ("ews", "html", "blocked", "redirect"),
    "autodiscover": ("served", "absent", "html", "redirect", "redirect_after_logon", "redirect_url", "redirect_address"),
}
# Lists: each value once, in the order given.
_LISTS: dict[str, tuple[str, ...]] = {
    "auth": ("basic", "ntlm", "bearer"),
    "logon_names": ("email", "upn", "domain"),
}


@dataclass(slots=True)
class Limits:
    """What this server allows, and which of the known deviations it shows."""

    # Requests at once; more are answered with ErrorExceededConnectionCount. 0: no limit.
    connections: int = 0
    # Wrong passwords until the account is locked. 0: never.
    lock_after: int = 0
    lockout_window_s: float = 1800.0
    # The log-ons that are accepted, and offered in this order.
    auth: tuple[str, ...] = ("basic",)
    # The forms of a name that the directory knows: the address, name@corp.local, CORP\name.
    logon_names: tuple[str, ...] = ("email", "upn", "domain")
    # So many earlier passwords do not count as wrong ones (Active Directory: two).
    password_history: int = 2
    # Whether an expired password or a disabled account is a SOAP fault at the EWS path, or 401 as everywhere else.
    account_refusal: str = "fault"
    # What is answered to an account without a mailbox that asks for a folder of its own.
    no_mailbox_code: str = "ErrorMissingEmailAddress"
    # How long an access token is good for.
    token_life_s: float = 3600.0
    # What is found at the EWS path, and where it redirects to (empty: another host).
    ews_face: str = "ews"
    ews_redirect: str = ""
    # Whether there is a web mail at /owa.
    web_mail: bool = False
    autodiscover: str = "served"
    # The URL or address that Autodiscover redirects to (empty: another host), and the EWS URL that it names
    # (empty: the right one).
    autodiscover_target: str = ""
    autodiscover_ews_url: str = ""
    window_days: float = 62.0
    # Whether a window that is too long is a SOAP fault or an error of each mailbox.
    window_error: str = "fault"
    mailboxes_per_request: int = 100
    availability_items: int = 1000
    view_items: int = 1000
    latency_ms: float = 0.0
    # Answers are packed for clients that accept it.
    gzip: bool = False
    # Details and subjects are sent although only free/busy was asked, as one server does.
    send_details: bool = False
    # Appointments that only touch the window's edge come too.
    inclusive_edges: bool = True
    # One appointment from beyond the window comes too.
    beyond_window: bool = False
    rights_style: str = RightsStyle.EXCHANGE.value
    # Whether FindItem tells an item's real EffectiveRights, or all false.
    find_item_rights: bool = True
    # What is answered for a folder that the caller may not see.
    not_found_code: str = "ErrorItemNotFound"
    # Whether the root of another person's mailbox can be addressed.
    root_visible: bool = True
    # What a stranger who asks for a permission list gets: nothing, a refusal, or the list.
    permission_set: str = "omitted"
    private_items: str = "masked"
    # Items of one page of FindItem.
    find_items: int = 1000
    # Whether a search compares without regard to upper and lower case.
    restriction_ignores_case: bool = True
    # A property, like calendar:Location, that UpdateItem forgets while it answers NoError.
    update_ignores: str = ""
    # Whether a delegate may use MoveToDeletedItems.
    delegate_move_to_deleted: bool = True
    # How long after its invitation was accepted a foreign calendar appears.
    invitation_delay_s: float = 0.0
    # Whether the folder of a foreign calendar tells its owner's address.
    foreign_address: bool = True
    server_time_zones: bool = True
    # Whether a calendar view expands recurring series (some servers do not).
    expand_series: bool = True

    def update(self, changes: dict[str, object]) -> None:
        """Take new values, all or none.

        Args:
            changes: Field names and their new values, as JSON gave them.

        Raises:
            ValueError: A name is unknown or a value does not fit; nothing was changed.
        """
        known = {field.name: getattr(self, field.name) for field in fields(self)}
        checked = {name: _checked(name, value, known) for name, value in changes.items()}
        for name, value in checked.items():
            setattr(self, name, value)

    def as_dict(self) -> dict[str, object]:
        """Return all values, ready for JSON."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


def _checked(name: str, value: object, known: dict[str, object]) -> object:
    if name not in known:
        raise ValueError(f"unknown limit {name!r}; known are {', '.join(known)}")
    current = known[name]
    if name in _CHOICES:
        if value not in _CHOICES[name]:
            raise ValueError(f"{name} must be one of {', '.join(_CHOICES[name])}")
        return value
    if name in _LISTS:
        return _list(name, value)
    if isinstance(current, bool | str):
        if not isinstance(value, type(current)):
            kind = "text" if isinstance(current, str) else "true or false"
            raise ValueError(f"{name} must be {kind}")  # noqa: TRY004 (one error for all bad JSON)
        return value
    return _number(name, value, whole=isinstance(current, int))


def _list(name: str, value: object) -> tuple[str, ...]:
    known = _LISTS[name]
    # Compared and not hashed, because JSON's lists can hold objects.
    if not isinstance(value, list | tuple) or any(one not in known for one in value) or len(set(value)) < len(value):
        raise ValueError(f"{name} must be a list of some of {', '.join(known)}")
    return tuple(value)


def _number(name: str, value: object, *, whole: bool) -> float:
    # JSON's null switches a limit off; a boolean is an int in Python and must not pass as one.
    number = 0 if value is None else value
    if isinstance(number, bool) or not isinstance(number, int | float) or not 0 <= number < _ENORMOUS:
        raise ValueError(f"{name} must be a number from 0 on")
    if whole:
        if number != int(number):
            raise ValueError(f"{name} must be a whole number")
        return int(number)
    return float(number)
