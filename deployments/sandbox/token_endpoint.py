"""The token endpoint: OAuth's client credentials over HTTP, as the cloud's sign-in speaks it."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import parse_qsl, unquote_plus

from deployments.sandbox.answers import Answer
from deployments.sandbox.arrivals import Arrival, Entry, Incoming
from deployments.sandbox.limits import Limits
from deployments.sandbox.tokens import TokenError, Tokens

_JSON = b"application/json; charset=utf-8"


def receive(arrival: Arrival, tenant: str, tokens: Tokens, limits: Limits) -> Incoming:
    """Read a token request. The log has no caller for it, but the application that asks."""
    form = _form(arrival)

    def run() -> Answer:
        if arrival.method != "POST":
            return Answer(405, b"", "MethodNotAllowed")
        try:
            value = tokens.issue(tenant, form)
        except TokenError as error:
            return _refusal(error)
        seconds = int(limits.token_life_s)
        fields = {"token_type": "Bearer", "expires_in": seconds, "ext_expires_in": seconds, "access_token": value}
        return _answer(200, fields)

    return Incoming("token", [], Entry(application=form.get("client_id")), run)


def _form(arrival: Arrival) -> dict[str, str]:
    form = dict(parse_qsl(arrival.body.decode("utf-8", "replace"), keep_blank_values=True))
    if arrival.scheme == "basic":
        # The other way of OAuth to send both; they are quoted as in a form.
        try:
            pair = base64.b64decode(arrival.header(b"authorization").partition(" ")[2], validate=True)
        except binascii.Error:
            return form
        name, _, secret = pair.decode("utf-8", "replace").partition(":")
        form |= {"client_id": unquote_plus(name), "client_secret": unquote_plus(secret)}
    return form


def _refusal(error: TokenError) -> Answer:
    number = int(error.message.partition(":")[0].removeprefix("AADSTS"))
    moment = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    fields = {
        "error": error.error,
        "error_description": f"{error.message} Timestamp: {moment}",
        "error_codes": [number],
        "timestamp": moment,
    }
    answer = _answer(error.status, fields)
    answer.code = error.error
    answer.refused_logon = error.is_logon
    return answer


def _answer(status: int, fields: Mapping[str, object]) -> Answer:
    headers = [(b"cache-control", b"no-store, no-cache")]
    return Answer(status, json.dumps(fields).encode(), headers=headers, content_type=_JSON)
