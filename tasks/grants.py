"""What there is to grant: findings of a validation, with the account that gets the right and the last word before silence.

It must not know Prefect: the command line writes advice with it.
"""

from collections.abc import Sequence

from busytime.granting import Finding as Grant
from busytime.granting import with_ways
from busytime.permissions import Conclusion, Need, Verdict, required_level
from busytime.store.permissions import StoredVerdict
from busytime.validating import Candidate
from busytime.verdicts import Finding
from tasks.workspace import workspace


def grants_of(findings: Sequence[Finding]) -> list[Grant]:
    """Return what there is to grant for each finding of a validation, in their order; also of what is granted."""
    office = workspace()
    with office.store.read() as unit:
        emails = {connection.id: connection.email for connection in unit.connections.all_open()}
        serving = unit.roster.serving()
        stored = unit.permissions.current()
    grants = [
        grant_of(it.candidate, it.need, it.conclusion, _email(it.candidate, serving, emails), _last_known(it, stored))
        for it in findings
    ]
    return with_ways(grants)


def _email(candidate: Candidate, serving: dict[int, int | None], emails: dict[int, str]) -> str:
    connection_id = serving.get(candidate.calendar.id)
    return emails.get(connection_id, "") if connection_id is not None else ""


def _last_known(finding: Finding, stored: dict[tuple[int, Need], StoredVerdict]) -> StoredVerdict | None:
    unreachable = finding.conclusion.verdict is Verdict.UNREACHABLE
    return stored.get((finding.candidate.calendar.id, finding.need)) if unreachable and finding.before else None


def grant_of(
    candidate: Candidate, need: Need, conclusion: Conclusion | None, grantee: str, last: StoredVerdict | None = None
) -> Grant:
    """Return what there is to grant in one calendar.

    Args:
        candidate: The calendar.
        need: What the product needs there.
        conclusion: What was concluded; ``None`` before anybody has looked.
        grantee: The account that gets the right.
        last: The verdict before the calendar became unreachable.
    """
    calendar = candidate.calendar
    return Grant(
        owner=calendar.owner,
        folder=calendar.folder,
        kind=calendar.kind,
        need=need,
        verdict=conclusion.verdict if conclusion else None,
        required=required_level(need, calendar.kind),
        observed=conclusion.observed if conclusion else None,
        reason=conclusion.reason if conclusion else None,
        grantee=grantee,
        pages=candidate.pages,
        last_known=last.conclusion.verdict if last else None,
        last_known_at=last.valid_from if last else None,
    )
