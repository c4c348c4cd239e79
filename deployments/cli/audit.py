"""`busytime audit`: whether what was written down about who did what is still as it was written."""

import re
from typing import Annotated, Any

import typer

from busytime.chain import FAULT_TEXTS, ChainVerdict, Fault, verify_chain
from busytime.counting import several
from busytime.errors import ConfigurationError
from deployments.cli.output import ExitStatus, JsonOption, finish, output, print_json, show_help
from tasks.workspace import open_workspace

commands = typer.Typer(help="The audit tables.", invoke_without_command=True, callback=show_help)

HeadOption = Annotated[
    str | None, typer.Option("--head", metavar="HASH", help="A head that was noted earlier: finds an end that was cut off.")
]

#: An HMAC-SHA-256, in hexadecimal.
_HASH = re.compile(r"[0-9a-f]{64}")


@commands.command("verify")
def verify(head: HeadOption = None, as_json: JsonOption = False) -> None:
    """Check that no audit event was changed, added, removed or moved since busytime wrote it.

    Note the head that it prints somewhere else, and give it back with --head next time: only so can rows that were cut
    off at the end be missed. Exit status 0: whole; 1: broken.

    Example: busytime audit verify
    """
    head = _checked(head)
    office = open_workspace()
    try:
        with office.store.read() as unit:
            verdict = verify_chain(office.store.audit_key, unit.events.chain(), head)
    finally:
        office.close()
    if as_json:
        print_json(_as_object(verdict))
    else:
        for line in _told(verdict):
            output().print(line, soft_wrap=True, markup=False)
    finish(ExitStatus.DONE if verdict.whole else ExitStatus.FAILED)


def _checked(head: str | None) -> str | None:
    if head is None:
        return None
    if not _HASH.fullmatch(head.strip().lower()):
        raise ConfigurationError("--head takes the 64 hexadecimal digits that an earlier `busytime audit verify` printed.")
    return head.strip().lower()


def _as_object(verdict: ChainVerdict) -> dict[str, Any]:
    return {
        "whole": verdict.whole,
        "events": verdict.events,
        "head": verdict.head or None,
        "since_head": verdict.since_head,
        "trimmed": verdict.trimmed,
        "broken_id": verdict.broken_id,
        "fault": verdict.fault,
    }


def _told(verdict: ChainVerdict) -> list[str]:
    count = several(verdict.events, "event")
    head = f"head {verdict.head}" if verdict.head else "no head yet"
    if verdict.fault is None:
        since = "" if verdict.since_head is None else f" {several(verdict.since_head, 'event')} since the given head."
        before = " Older ones were removed by `busytime maintain`, as one of these says." if verdict.trimmed else ""
        return [f"whole: {count}, {head}.{since}{before}"]
    if verdict.fault is Fault.TAIL_MISSING:
        lines = [f"broken at the end: {FAULT_TEXTS[verdict.fault]}.", f"What is there is whole: {count}, {head}."]
        if verdict.trimmed:
            lines.append(
                "A head that was noted before the oldest event that is left went with the older ones: then nothing is wrong."
            )
    else:
        lines = [
            f"broken at event {verdict.broken_id}: {FAULT_TEXTS[verdict.fault]}.",
            f"Before it is whole: {count}, {head}.",
        ]
    return [*lines, "Next: keep a copy of this database as it is, and compare it with your backups; see docs/audit-tables.md."]
