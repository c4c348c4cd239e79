"""What a refused request for a token means: the numbers of Microsoft's sign-in, and the words of OAuth.

Numbers as in "Microsoft Entra authentication and authorization error codes", words as in RFC 6749, 5.2. Of what the
sign-in wrote, nothing but a number passes.
"""

import re
from dataclasses import dataclass
from typing import Any

from busytime.errors import AuthenticationError, BusyTimeError, Reason, ServerUnavailableError, UnsupportedServerError
from busytime.ews.failures import Request, make_error

_NUMBER = re.compile(r"AADSTS([0-9]{4,9})\b")

_RENEW = "then run `busytime password {account}`"
_RECONNECT = "then run `busytime connect {account} --auth oauth`"


@dataclass(frozen=True, slots=True)
class _Refusal:
    """What a number or a word means."""

    said: str
    step: str
    error: type[BusyTimeError] = AuthenticationError
    reason: Reason = Reason.LOGON_REFUSED


_NO_APPLICATION = _Refusal(
    "the sign-in knows no such application in this tenant",
    f"check --client-id and --tenant, and whether the admin has consented to the application, {_RECONNECT}",
)
_NO_TENANT = _Refusal("the sign-in knows no such tenant", f"check --tenant, {_RECONNECT}")
_NO_CONSENT = _Refusal(
    "the sign-in gives this application no tokens for this server",
    f"let the tenant's admin grant it the permission full_access_as_app, {_RECONNECT}",
    UnsupportedServerError,
    Reason.NO_LOGON_METHOD,
)
_OUTAGE = _Refusal("the sign-in has an outage", "the next run tries again", ServerUnavailableError, Reason.SERVER_ERROR)
_POLICY = _Refusal(
    "a policy of the tenant forbids this application to log on from here",
    f"ask the tenant's admin about the policy (Conditional Access), {_RENEW}",
)
_REFUSED = _Refusal("the sign-in refused the application", f"check --client-id, --tenant and the client secret, {_RECONNECT}")
_NOT_THIS_WAY = _Refusal(
    "the sign-in does not give tokens in this way (client credentials)",
    "check --tenant, or the token's address",
    UnsupportedServerError,
    Reason.NO_LOGON_METHOD,
)

_NUMBERS = {
    7000215: _Refusal(
        "the client secret is wrong", f"take the secret's value, not its id, from the application's registration, {_RENEW}"
    ),
    7000222: _Refusal("the client secret has expired", f"make a new one in the application's registration, {_RENEW}"),
    7000112: _Refusal(
        "the application is disabled",
        "ask the tenant's admin to enable it, then run `busytime resync {account} --same-password`",
        reason=Reason.ACCOUNT_DISABLED,
    ),
    700016: _NO_APPLICATION,
    7000229: _NO_APPLICATION,
    90002: _NO_TENANT,
    900023: _NO_TENANT,
    500011: _NO_CONSENT,
    65001: _NO_CONSENT,
    53003: _POLICY,
    530035: _POLICY,
    90033: _OUTAGE,
    90006: _OUTAGE,
}
_WORDS = {
    "invalid_client": _REFUSED,
    "unauthorized_client": _REFUSED,
    "access_denied": _REFUSED,
    "invalid_grant": _REFUSED,
    "invalid_scope": _NO_CONSENT,
    "invalid_resource": _NO_CONSENT,
    "invalid_target": _NO_CONSENT,
    "temporarily_unavailable": _OUTAGE,
    "server_error": _OUTAGE,
}


def refusal_error(answer: dict[str, Any], request: Request) -> BusyTimeError:
    """Translate a refusal.

    Args:
        answer: With ``error``, and perhaps ``error_codes`` or a number at the start of ``error_description``.
        request: What was asked.
    """
    number = _number_in(answer)
    refusal = _NUMBERS.get(number or 0) or _WORDS.get(answer["error"], _NOT_THIS_WAY)
    detail = f"AADSTS{number}" if number else None
    return make_error(refusal.error, refusal.reason, request, said=refusal.said, step=refusal.step, detail=detail)


def _number_in(answer: dict[str, Any]) -> int | None:
    codes = answer.get("error_codes")
    first = codes[0] if isinstance(codes, list) and codes else None
    if isinstance(first, int) and not isinstance(first, bool) and 0 < first < 10**9:
        return first
    found = _NUMBER.search(str(answer.get("error_description", ""))[:1000])
    return int(found[1]) if found else None
