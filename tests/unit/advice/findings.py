"""Findings for tests: one calendar of Ana's, wanted by the dedicated mailbox."""

from busytime.granting import Finding
from busytime.model import CalendarKind
from busytime.permissions import Need, Verdict, required_level

OWNER = "ana@corp.example"
GRANTEE = "busytime@corp.example"


def finding(verdict=Verdict.MISSING, reason=None, *, need=Need.WRITE, folder="", owner=OWNER, kind=None, **others):
    kind = kind or (CalendarKind.SUB if folder else CalendarKind.DEFAULT)
    fields = {"required": required_level(need, kind), "observed": None, "grantee": GRANTEE, "pages": ("intro-call",)}
    return Finding(owner=owner, folder=folder, kind=kind, need=need, verdict=verdict, reason=reason, **fields | others)
