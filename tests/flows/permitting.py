"""What tests of validation share: rights set in the sandbox, and verdicts as the command prints them."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Any

from tests.flows.harness import Home
from tests.sandbox_fixture import RunningSandbox

#: Since when a verdict stands and what stood before it, for the data team.
HISTORY = """
SELECT verdict, observed, reason, valid_from, valid_to,
       LAG(verdict) OVER standing AS verdict_before, LAG(observed) OVER standing AS observed_before
FROM audit_permissions
WHERE owner = :owner AND folder = :folder AND need = :need
WINDOW standing AS (PARTITION BY connection, owner, folder, need ORDER BY valid_from)
ORDER BY valid_from
"""


def grant(exchange: RunningSandbox, owner: str, level: str, folder: str = "", *, everybody: str | None = None) -> None:
    """Give the dedicated mailbox a level, and everybody else another one."""
    for grantee, its_level in ((exchange.email, level), ("Default", everybody)):
        if its_level is not None:
            order = {"owner": owner, "folder": folder, "grantee": grantee, "level": its_level}
            exchange.control("POST", "/permission", order)


def revoke(exchange: RunningSandbox, owner: str, folder: str = "") -> None:
    """Take every right away, everybody's too."""
    grant(exchange, owner, "None", folder, everybody="None")


def tomorrow(hour: int = 0) -> datetime:
    return datetime.combine(datetime.now(UTC).date() + timedelta(days=1), time(hour), UTC)


def page(name: str, main: str, *busy: str, proof: bool = False) -> list[str]:
    """Return the YAML of a booking page."""
    lines = [f"  - name: {name}", f"    main: {main}", f"    busy: [{', '.join(busy)}]"]
    return [*lines, "    require_proof: true"] if proof else lines


def validate(home: Home, status: int, *args: str, **more: Any) -> dict[tuple[str, str, str], dict[str, Any]]:
    """Validate inside this process; return what was printed, by owner, folder and need."""
    printed = home.call("validate", "--json", *args, **more).ended(status).json
    return {(it["owner"], it["folder"], it["need"]): it for it in printed["permissions"]}


def verdicts(found: dict[tuple[str, str, str], dict[str, Any]]) -> dict[tuple[str, str, str], tuple[str, str | None]]:
    """Keep verdict and reason."""
    return {place: (it["verdict"], it["reason"]) for place, it in found.items()}


def free(home: Home, name: str, status: int, **more: Any) -> Any:
    """Ask for a page's free hours of tomorrow."""
    window = ("--from", f"{tomorrow():%Y-%m-%d}", "--to", f"{tomorrow() + timedelta(days=1):%Y-%m-%d}")
    arguments = ("free", "--page", name, *window, "--duration", "1h", "--step", "1h", "--json")
    return home.call(*arguments, **more).ended(status).json
