"""`busytime keys`: the master key that everything stored is under."""

from pathlib import Path
from typing import Annotated

import typer

from busytime.counting import several
from busytime.key_rotation import RotationStep
from config.keys import KeySource
from deployments.cli.output import JsonOption, output, print_json, show_help
from tasks.keys import Rotation, rotate_keys
from tasks.workspace import open_workspace

commands = typer.Typer(help="The master key.", invoke_without_command=True, callback=show_help)

KeepOldOption = Annotated[
    Path | None, typer.Option("--keep-old", metavar="FILE", help="A new file (mode 0600) for the old key; old backups need it.")
]


@commands.command("rotate")
def rotate(keep_old: KeepOldOption = None, as_json: JsonOption = False) -> None:
    """Put all that is stored encrypted under a new master key, or finish a rotation that was interrupted.

    Backups made before need the old key: keep it apart with --keep-old, or make a new backup afterwards.

    Example: busytime keys rotate --keep-old /media/safe/old-key
    """
    workspace = open_workspace()
    try:
        rotation = rotate_keys(workspace.settings, workspace.desk, keep_old)
    finally:
        workspace.close()
    if as_json:
        print_json(
            {
                "key_id": rotation.key_id,
                "old_key_ids": rotation.old_key_ids,
                "rewrapped": rotation.rewrapped,
                "source": rotation.source,
                "began_with": rotation.began_with,
            }
        )
        return
    for line in _told(rotation, keep_old):
        output().print(line, soft_wrap=True, markup=False)


def _told(rotation: Rotation, keep_old: Path | None) -> list[str]:
    finished = rotation.source is KeySource.FILE and rotation.began_with is not RotationStep.MAKE_KEY
    lines = ["An interrupted rotation was finished."] if finished else []
    lines.append(f"Everything is under the key {rotation.key_id} now; {several(rotation.rewrapped, 'key')} wrapped anew.")
    old = ", ".join(rotation.old_key_ids)
    if rotation.source is not KeySource.FILE:
        lines.append(f"Next: take {old} out of {rotation.source}, once every process has the new key.")
    where = f"It is in {keep_old}: move it away from here" if keep_old else "Keep it apart from them, or make a new backup now"
    if rotation.source is KeySource.FILE and not keep_old:
        where = "It is gone from the key file: make a new backup now"
    lines.append(f"Database backups made before now open with the old key only ({old}). {where}.")
    lines.append("Who has a copy of the old key and of an old database still reads the password: changing that ends it.")
    return lines
