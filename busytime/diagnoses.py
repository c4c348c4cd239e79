"""Where the documentation says more: the section for each reason that keeps an account from being connected.

Pure. A test compares it with the sections that there are.
"""

from busytime.errors import Reason

_PAGE = "docs/connecting.md"

#: Where people find what the prompts ask for.
EWS_URL = f"{_PAGE}#ews-url"
USER_NAME = f"{_PAGE}#user-name"
AUTODISCOVER = f"{_PAGE}#autodiscover"
SAFE_TRIES = f"{_PAGE}#locked"
OAUTH = f"{_PAGE}#oauth"

SECTIONS: dict[Reason, str] = {
    Reason.LOGON_REFUSED: f"{_PAGE}#password-refused",
    Reason.BREAKER_OPEN: f"{_PAGE}#password-refused",
    Reason.ALLOWANCE_USED_UP: SAFE_TRIES,
    Reason.PASSWORD_EXPIRED: f"{_PAGE}#expired-or-disabled",
    Reason.ACCOUNT_DISABLED: f"{_PAGE}#expired-or-disabled",
    Reason.PASSWORDS_ENDED: OAUTH,
    Reason.IMPERSONATION_DENIED: f"{_PAGE}#impersonation",
    Reason.NO_LOGON_METHOD: f"{_PAGE}#log-on-method",
    Reason.EWS_BLOCKED: f"{_PAGE}#ews-blocked",
    Reason.NOT_AN_EWS_SERVER: f"{_PAGE}#wrong-url",
    Reason.REDIRECTED: f"{_PAGE}#wrong-url",
    Reason.CERTIFICATE_NOT_TRUSTED: f"{_PAGE}#certificate",
    Reason.TLS_TOO_OLD: f"{_PAGE}#tls",
    Reason.NO_MAILBOX: f"{_PAGE}#no-mailbox",
    Reason.SERVER_UNREACHABLE: f"{_PAGE}#not-reachable",
}


def with_section(message: str, reason: Reason | None) -> str:
    """Return a message with the section that says more, unless it names one already."""
    section = SECTIONS.get(reason) if reason else None
    return f"{message} See {section}." if section and _PAGE not in message else message
