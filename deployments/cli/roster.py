"""`busytime roster`: imports and lists the calendars and booking pages."""

from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from busytime.counting import several
from busytime.errors import UnsafePlanError
from busytime.model import RequestKind
from busytime.roster import BookingPage, Roster, retirement_gate
from busytime.roster_file import read_roster
from busytime.store.roster import RosterChanges
from deployments.announcing import announce_here
from deployments.cli.output import JsonOption, messages, output, plain_table, print_json, show_help, shown
from deployments.cli.running import waiting
from tasks.announcing import Happening
from tasks.groups import look_for_groups
from tasks.workspace import Workspace, open_workspace

commands = typer.Typer(
    help="The calendars and booking pages that busytime looks after.", invoke_without_command=True, callback=show_help
)


@commands.command("import")
def import_roster(
    file: Annotated[Path, typer.Argument(help="YAML or CSV file: the whole truth, replaces what is stored.")],
    force: Annotated[bool, typer.Option("--force", help="Retire more than 20 % of the calendars.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Take a roster file as a whole, or refuse it as a whole with the line of each fault.

    Example: busytime roster import roster.yaml
    """
    roster = read_roster(file)  # a bad file is refused before anything is opened
    with closing(open_workspace()) as office:
        _refuse_groups(office, file, roster, quiet=as_json)
        changes = _replace(office, file, roster, force=force)
    if as_json:
        calendars = {"added": changes.added, "kept": changes.kept, "retired": changes.retired}
        print_json({"calendars": calendars, "booking_pages": changes.pages})
        return
    screen = output()
    screen.print(
        f"[green]Imported[/] {file.name}: {changes.added} calendars added, {changes.kept} kept, {changes.retired} retired; "
        f"{several(changes.pages, 'booking page')}."
    )
    screen.print("With the corporate connection, any page may use any of them; `pages: [...]` at a calendar limits it.")
    screen.print("Next: [bold]busytime harvest[/].")


def _refuse_groups(office: Workspace, file: Path, roster: Roster, *, quiet: bool) -> None:
    """Refuse the file if it names a distribution list: one that a validation found, or one that the server tells of now."""
    with office.store.read() as unit:
        known = unit.permissions.groups()
    with waiting("Looking for distribution lists among new owners ...", quiet=quiet):
        search = look_for_groups(office, roster)
    if groups := known | search.groups:
        read_roster(file, groups)
    if search.error is not None:
        messages().print(
            f"[yellow]Distribution lists were not looked for[/] among {several(search.unasked, 'new owner')}; "
            "`busytime validate` will tell. "
            f"Why: {escape(str(search.error))}",
            soft_wrap=True,
        )


def _replace(office: Workspace, file: Path, roster: Roster, *, force: bool) -> RosterChanges:
    with office.store.write() as unit:
        before = len(unit.roster.calendars())
        changes = unit.roster.replace(roster, office.clock.now())
        if retirement_gate(before, changes.retired) and not force:
            raise UnsafePlanError(
                f"{file} lacks {changes.retired} of {before} calendars, which would be retired. Nothing was changed. "
                "If that is meant, run the command again with --force."
            )
        actor_id = unit.owners.id(office.desk.actor)
        unit.requests.ask(RequestKind.VALIDATE, actor_id, office.clock.now())
    details = {"added": changes.added, "kept": changes.kept, "retired": changes.retired, "pages": changes.pages}
    office.store.append_event("person:roster:imported", actor_id, details)
    announce_here(office, Happening.ROSTER_IMPORTED, "roster")
    return changes


@commands.command("list")
def list_roster(as_json: JsonOption = False) -> None:
    """Show the calendars and booking pages in use.

    Example: busytime roster list
    """
    office = open_workspace()
    with office.store.read() as unit:
        calendars, pages = unit.roster.calendars(), unit.roster.pages()
        emails: dict[int | None, str] = {connection.id: connection.email for connection in unit.connections.all_open()}
        serving = {key: emails.get(connection_id) for key, connection_id in unit.roster.serving().items()}
    office.close()
    if as_json:
        rows = [{"owner": it.owner, "folder": it.folder, "kind": it.kind, "connection": serving.get(it.id)} for it in calendars]
        print_json({"calendars": rows, "booking_pages": [_page(page) for page in pages]})
        return
    screen = output()
    if not calendars:
        screen.print("The roster is empty. Next: [bold]busytime roster import FILE[/].")
        return
    table = plain_table("Calendar", "Kind", "Read through", title=f"{len(calendars)} calendars")
    for it in calendars:
        table.add_row(shown(it.label), it.kind, serving.get(it.id) or "[yellow]no connection[/]")
    screen.print(table)
    table = plain_table("Page", "Role", "Calendar", title=f"\n{several(len(pages), 'booking page')}")
    for page in pages:
        table.add_row(f"[bold]{shown(page.name)}[/]", "", f"{page.hours} {page.time_zone}")
        for role, ref in page.associated():
            table.add_row("", role, shown(str(ref)))
    screen.print(table)


def _page(page: BookingPage) -> dict[str, object]:
    return {
        "name": page.name,
        "time_zone": page.time_zone,
        "hours": str(page.hours),
        "main": str(page.main),
        "additional": [str(ref) for ref in page.additional],
        "busy": [str(ref) for ref in page.busy],
    }
