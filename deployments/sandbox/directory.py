"""Accounts, their names and passwords, and the lock that too many wrong ones close."""

from __future__ import annotations

import base64
import binascii
import hmac
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from deployments.sandbox.limits import Limits
from deployments.sandbox.ntlm import DNS_DOMAIN, DOMAIN

# What may stand before the backslash; a client that names no domain means the server's own.
_DOMAINS = frozenset({"", ".", DOMAIN.lower(), DNS_DOMAIN, "corp.example"})


class LogOn(StrEnum):
    """How a log-on ended."""

    GOOD = "good"
    REFUSED = "refused"
    LOCKED = "locked"
    # The password was right; it is not enough, or not any more.
    SECOND_STEP = "second_step"
    EXPIRED = "expired"
    DISABLED = "disabled"
    # No password was looked at.
    ABSENT = "absent"
    CHALLENGED = "challenged"
    NOT_OFFERED = "not_offered"
    BAD_TOKEN = "bad_token"  # noqa: S105 (a name)


class AccountState(StrEnum):
    """What an administrator, or time, did to an account."""

    NORMAL = "normal"
    EXPIRED = "expired"
    DISABLED = "disabled"


@dataclass(slots=True)
class Account:
    """One person's password, and what is held against the account."""

    email: str
    password: str
    earlier: list[str] = field(default_factory=list)
    wrong: int = 0
    last_wrong: float = 0.0
    locked_until: float = 0.0
    state: AccountState = AccountState.NORMAL
    # Whether the password alone does not suffice; the app password always does.
    two_step: bool = False
    app_password: str | None = None
    has_mailbox: bool = True

    @property
    def name(self) -> str:
        """The name by itself, as it stands behind the domain's name and before the @."""
        return self.email.split("@", 1)[0]


class Directory:
    """The accounts that can log on."""

    def __init__(self, limits: Limits, clock: Callable[[], float] = time.monotonic) -> None:
        self._limits = limits
        self._clock = clock
        self._ahead = 0.0
        self._accounts: dict[str, Account] = {}

    def pass_time(self, seconds: float) -> None:
        """Let so much time pass for the lock, all at once."""
        self._ahead += seconds

    def held_against(self, account: Account) -> tuple[int, bool]:
        """Return how many refused log-ons count now, and whether the account is locked."""
        now = self._now()
        is_over = now - account.last_wrong >= self._limits.lockout_window_s
        return 0 if is_over else account.wrong, account.locked_until > now

    def _now(self) -> float:
        return self._clock() + self._ahead

    def account(self, email: str) -> Account | None:
        """Return the account of an address, if it has a password."""
        return self._accounts.get(email.lower())

    def set_password(self, email: str, password: str) -> None:
        """Give an account a password; it is unlocked by that, and its password is not expired any more."""
        account = self._accounts.get(email.lower())
        if account is None:
            self._accounts[email.lower()] = Account(email.lower(), password)
            return
        account.earlier.insert(0, account.password)
        account.password = password
        if account.state is AccountState.EXPIRED:
            account.state = AccountState.NORMAL
        self.unlock(account)

    def lock(self, account: Account) -> None:
        """Lock an account for a whole window."""
        account.locked_until = self._now() + self._limits.lockout_window_s

    def unlock(self, account: Account) -> None:
        """Forget what is held against an account."""
        account.wrong = 0
        account.locked_until = 0.0

    def log_on(self, authorization: str | None) -> tuple[LogOn, Account | None]:
        """Check a Basic `Authorization` header.

        Returns:
            How it ended, and the account (None for an unknown one).
        """
        credentials = _read_basic(authorization)
        if credentials is None:
            return LogOn.ABSENT, None
        user, password = credentials
        domain, _, name = user.rpartition("\\")
        return self.judge(name, domain, lambda known: _same(password, known))

    def judge(self, name: str, domain: str, proves: Callable[[str], bool]) -> tuple[LogOn, Account | None]:
        """Decide about a log-on, whatever way its password came.

        Args:
            name: The name as it was sent, without a domain before it.
            domain: What stood before the backslash, if anything.
            proves: Tells whether a password is the one that was used.

        Returns:
            How it ended, and the account (None for an unknown one, against which nothing can count).
        """
        account = self._find(name.lower(), domain.lower())
        if account is None:
            return LogOn.REFUSED, None
        return self._check(account, proves), account

    def _find(self, name: str, domain: str) -> Account | None:
        if domain not in _DOMAINS:
            return None
        forms = self._limits.logon_names
        if "@" not in name:
            return self._named(name) if "domain" in forms else None
        if "email" in forms and name in self._accounts:
            return self._accounts[name]
        prefix, _, suffix = name.partition("@")
        return self._named(prefix) if "upn" in forms and suffix == DNS_DOMAIN else None

    def _named(self, name: str) -> Account | None:
        return next((one for one in self._accounts.values() if one.name == name), None)

    def _check(self, account: Account, proves: Callable[[str], bool]) -> LogOn:
        now = self._now()
        if account.locked_until > now:
            return LogOn.LOCKED
        by_app = account.app_password is not None and proves(account.app_password)
        if by_app or proves(account.password):
            account.wrong = 0
            if account.state is not AccountState.NORMAL:
                return LogOn(account.state.value)
            return LogOn.SECOND_STEP if account.two_step and not by_app else LogOn.GOOD
        # Active Directory does not count the last passwords before the present one: clients
        # that were not told of a change yet shall not lock the account.
        history = account.earlier[: self._limits.password_history]
        if not any(proves(one) for one in history):
            self._count(account, now)
        return LogOn.REFUSED

    def _count(self, account: Account, now: float) -> None:
        window = self._limits.lockout_window_s
        account.wrong = account.wrong + 1 if now - account.last_wrong < window else 1
        account.last_wrong = now
        if self._limits.lock_after and account.wrong >= self._limits.lock_after:
            account.locked_until = now + window
            account.wrong = 0


def _read_basic(authorization: str | None) -> tuple[str, str] | None:
    scheme, _, value = (authorization or "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        raw = base64.b64decode(value.strip(), validate=True)
    except binascii.Error:
        return "", ""
    try:
        user, _, password = raw.decode().partition(":")
    except UnicodeDecodeError:
        user, _, password = raw.decode("latin-1").partition(":")
    return user, password


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())
