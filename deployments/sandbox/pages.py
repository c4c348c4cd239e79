"""What is found where EWS was expected: web mail, pages, redirects, and a server that forbids it."""

from __future__ import annotations

from urllib.parse import quote

from deployments.sandbox.answers import Answer
from deployments.sandbox.arrivals import EWS_PATH, OTHER_HOST, Arrival, Entry, Incoming
from deployments.sandbox.limits import Limits

HTML = b"text/html; charset=utf-8"
_LOGON = "/owa/auth/logon.aspx"
_PAGE = b"""<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Transitional//EN"
 "http://www.w3.org/TR/xhtml1/DTD/xhtml1-transitional.dtd">
<html><head><title>Outlook</title></head><body>
<form action="/owa/auth.owa" method="POST" name="logonForm" autocomplete="off">
<label>Domain\\user name: <input name="username"></label>
<label>Password: <input name="password" type="password"></label>
<input type="submit" value="Sign in"></form></body></html>
"""


def is_web_mail(path: str) -> bool:
    """Tell whether a path, in lower case, belongs to the web mail."""
    return path == "/owa" or path.startswith("/owa/")


def web_mail(arrival: Arrival) -> Incoming:
    """Answer a request for the web mail, which sends everybody to its log-on page."""

    def run() -> Answer:
        if arrival.path.lower() == _LOGON:
            return page()
        back = quote(arrival.origin + arrival.path, safe="")
        return moved(f"{arrival.origin}{_LOGON}?replaceCurrent=1&url={back}")

    return Incoming("WebMail", [], Entry(), run)


def page(status: int = 200) -> Answer:
    """Return the log-on page of a web mail."""
    return Answer(status, _PAGE, "WebPage", content_type=HTML)


def moved(target: str) -> Answer:
    """Return a redirect."""
    return Answer(302, b"", "Redirect", [(b"location", target.encode())], content_type=HTML)


def instead_of_ews(limits: Limits) -> Answer | None:
    """Return what stands at the EWS path before anybody's log-on is looked at, or None."""
    if limits.ews_face == "html":
        return page()
    if limits.ews_face == "redirect":
        return moved(limits.ews_redirect or OTHER_HOST + EWS_PATH)
    return None


def blocked() -> Answer:
    """Return what Exchange Online answers, after the log-on, where EWS is switched off: no body, and this header."""
    return Answer(403, b"", "EwsBlocked", [(b"restrict-access-confirm", b"1")])


def not_permitted() -> Answer:
    """Return what Exchange Online answers to an application that was granted too little."""
    reason = b'2000008;reason="The token contains not enough scope to make this call.";error_category="invalid_grant"'
    return Answer(403, b"", "NotPermitted", [(b"x-ms-diagnostics", reason)])
