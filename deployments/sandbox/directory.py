"""Accounts and passwords, and the lock that too many wrong ones close."""

from __future__ import annotations

import base64
import binascii
import hmac
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from deployments.sandbox.limits import Limits


class LogOn(StrEnum):
    """How a log-on ended."""

    GOOD = "good"
    REFUSED = "refused"
    LOCKED = "locked"
    ABSENT = "absent"


@dataclass(slots=True)
class Account:
    """One person's password, and what is held against the account."""

    email: str
    password: str
    earlier: list[str] = field(default_factory=list)
    wrong: int = 0
    last_wrong: float = 0.0
    locked_until: float = 0.0


class Directory:
    """The accounts that can log on."""

    def __init__(self, limits: Limits, clock: Callable[[], float] = time.monotonic) -> None:
        self._limits = limits
        self._clock = clock
        self._accounts: dict[str, Account] = {}

    def set_password(self, email: str, password: str) -> None:
        """Give an account a password; it is unlocked by that."""
        account = self._accounts.get(email.lower())
        if account is None:
            self._accounts[email.lower()] = Account(email.lower(), password)
            return
        account.earlier.insert(0, account.password)
        account.password = password
        account.wrong = 0
        account.locked_until = 0.0

    def log_on(self, authorization: str | None) -> tuple[LogOn, str | None]:
        """Check a Basic `Authorization` header.

        Returns:
            How it ended, and the account (None for an unknown one).
        """
        credentials = _read_basic(authorization)
        if credentials is None:
            return LogOn.ABSENT, None
        account = self._find(credentials[0])
        if account is None:
            return LogOn.REFUSED, None
        return self._check(account, credentials[1]), account.email

    def _find(self, user: str) -> Account | None:
        # Three forms are one account: the address, DOMAIN\name, and the bare name.
        name = user.rsplit("\\", 1)[-1].lower()
        if "@" in name:
            return self._accounts.get(name)
        for account in self._accounts.values():
            if account.email.split("@", 1)[0] == name:
                return account
        return None

    def _check(self, account: Account, password: str) -> LogOn:
        now = self._clock()
        if account.locked_until > now:
            return LogOn.LOCKED
        if _same(password, account.password):
            account.wrong = 0
            return LogOn.GOOD
        # Active Directory does not count the last passwords before the present one: clients
        # that were not told of a change yet shall not lock the account.
        history = account.earlier[: self._limits.password_history]
        if not any(_same(password, one) for one in history):
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
