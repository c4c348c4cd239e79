"""The master keys of this process, and their rotation.

A rotation moves from one state in which everything opens to the next: the key file holds the new key and the old one,
all keys are wrapped by the new one, the key file holds the new one alone. It can be interrupted between any two.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from busytime.claiming import Desk
from busytime.errors import ConfigurationError, KeyMissingError
from busytime.key_rotation import RotationStep, next_step
from busytime.vault import MasterKey, Vault
from config.keys import KeySource, key_path, key_source, read_key_file, read_keys, rotating, write_key_file
from config.settings import Settings


@dataclass(frozen=True, slots=True)
class Rotation:
    """What a rotation did.

    Args:
        began_with: Its first step; another one than making a key means that an interrupted rotation was finished.
        key_id: Name of the key that everything is under now.
        old_key_ids: Names of the keys that are not needed any more.
        rewrapped: How many keys were wrapped anew.
        source: Where the keys came from.
    """

    began_with: RotationStep
    key_id: str
    old_key_ids: tuple[str, ...]
    rewrapped: int
    source: KeySource


def load_keys(settings: Settings, *, making: bool = False) -> list[MasterKey]:
    """Return the master keys, the active one first.

    Args:
        settings: Where they come from.
        making: Make a key file that is not there: the database is not there either.

    Raises:
        KeyMissingError: There are none, or the source cannot be trusted.
        ConfigurationError: The key file cannot be made.
    """
    found = read_keys(settings)
    if found is not None:
        try:
            keys = [MasterKey.from_text(text) for text in found.texts]
        except KeyMissingError as error:
            raise KeyMissingError(f"{error} It stands in {found.source}; nothing was changed.") from None
        return list({key.key_id: key for key in keys}.values())
    if not making:
        raise KeyMissingError(
            f"The key file {key_path(settings)} is not there, and the database holds secrets that only it opens: "
            "restore it, or set BUSYTIME_KEY or BUSYTIME_KEY_FILE. Nothing was changed."
        )
    key = MasterKey.generate()
    write_key_file(key_path(settings), [key.to_text()])
    return [key]


def rotate_keys(settings: Settings, desk: Desk, keep_old: Path | None = None) -> Rotation:
    """Put everything that is wrapped under a new master key, or finish a rotation that was interrupted.

    Args:
        settings: Where the keys come from.
        desk: The opened database.
        keep_old: A new file for the old keys; default: they are gone from the key file and kept nowhere.

    Raises:
        ConfigurationError: Another rotation is at work, there is nothing to rotate to, or something cannot be written.
        KeyMissingError: Something stored does not open with the keys at hand.
    """
    source = key_source(settings)
    if source is KeySource.FILE:
        with rotating(settings):
            return _rotate_file(settings, desk, keep_old)
    if keep_old is not None:
        raise ConfigurationError(f"--keep-old is for a key file; the old key stays in {source} until you take it out.")
    keys = load_keys(settings)
    step = next_step(_names(keys), _used(desk, keys), source=source, ours=False)
    return Rotation(step, keys[0].key_id, tuple(_names(keys[1:])), _rewrap(desk, keys), source)


def _rotate_file(settings: Settings, desk: Desk, keep_old: Path | None) -> Rotation:
    path, keys = key_path(settings), load_keys(settings)
    step = next_step(_names(keys), _used(desk, keys), source=KeySource.FILE, ours=True)
    if step is RotationStep.MAKE_KEY:
        keys = [MasterKey.generate(), *keys]
    if keep_old is not None:
        _keep(keep_old, keys[1:])
    if step is RotationStep.MAKE_KEY:
        write_key_file(path, _texts(keys), replacing=True)
    try:
        rewrapped = 0 if step is RotationStep.DROP_OLD else _rewrap(desk, keys)
        write_key_file(path, _texts(keys[:1]), replacing=True)
    except (ConfigurationError, KeyMissingError) as error:
        # What became of a commit whose answer was lost cannot be told: both keys have to stay.
        both = "The key file holds the new key and the old one, so everything opens; run `busytime keys rotate` again to finish."
        raise type(error)(f"{error} {both}", reason=error.reason) from None
    return Rotation(step, keys[0].key_id, tuple(_names(keys[1:])), rewrapped, KeySource.FILE)


def _used(desk: Desk, keys: Sequence[MasterKey]) -> frozenset[str]:
    with desk.store.read() as unit:
        return unit.keys.used_ids(Vault(keys))


def _rewrap(desk: Desk, keys: Sequence[MasterKey]) -> int:
    """Wrap everything by the first key, and say so in the audit, in one transaction that has reached the disk."""
    vault, audit_key = Vault(keys), desk.store.audit_key
    with desk.store.write() as unit:
        actor_id = unit.owners.id(desk.actor)
    with desk.store.write(durable=True) as unit:
        rewrapped = unit.keys.rewrap(vault)
        if rewrapped:  # and not by another process meanwhile
            details = {"key_id": vault.key_id, "old_key_ids": _names(keys[1:]), "rewrapped": rewrapped}
            unit.events.append(audit_key, "person:key:rotated", desk.clock.now(), actor_id, details)
    return rewrapped


def _keep(path: Path, keys: Sequence[MasterKey]) -> None:
    kept = read_key_file(path)
    if kept is None:
        write_key_file(path, _texts(keys))
    elif set(kept.texts) != set(_texts(keys)):  # else it is of the run that was interrupted
        raise ConfigurationError(f"{path} is there and holds another key: name a new file with --keep-old. Nothing was changed.")


def _names(keys: Sequence[MasterKey]) -> list[str]:
    return [key.key_id for key in keys]


def _texts(keys: Sequence[MasterKey]) -> list[str]:
    return [key.to_text() for key in keys]
