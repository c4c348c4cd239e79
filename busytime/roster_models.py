"""The structure of a roster file: which keys there are, and what each may hold, said in plain words where it is wrong.

Pydantic checks the structure; the rules for one value are in ``roster``. Reads no file.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainValidator, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from busytime import roster
from busytime.bookings import OwnerChanges
from busytime.errors import ConfigurationError
from busytime.model import Role
from busytime.roster import CalendarRef, Hours
from busytime.roster_checks import CalendarLine, Fault, PageLine

_T = TypeVar("_T")
_EXAMPLES = {"owner": "owner: ana@corp.example", "name": "name: intro-call", "main": "main: ana@corp.example"}

#: Keys and positions, outermost first.
Place = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Untyped:
    """A YAML value that is not text though text was meant, as it was written."""

    text: str
    kind: str


@dataclass(slots=True)
class Draft:
    """What was read so far: parts that are right by themselves, and faults.

    ``doubtful`` names pages of which a part is missing here, so that a fault causes no second, false one.
    """

    calendars: list[CalendarLine] = field(default_factory=list)
    pages: list[PageLine] = field(default_factory=list)
    doubtful: set[str] = field(default_factory=set)
    faults: list[Fault] = field(default_factory=list)

    def fault(self, line: int, message: str) -> None:
        """Note a fault."""
        self.faults.append(Fault(line, message))


def _text(parse: Callable[[str], _T]) -> PlainValidator:
    """Make a validator of a function that reads text and says what is wrong with it."""

    def read(value: object) -> _T:
        try:
            return parse(_require_text(value))
        except ConfigurationError as error:
            raise PydanticCustomError("roster", "{message}", {"message": str(error)}) from error

    return PlainValidator(read)


def _require_text(value: object) -> str:
    """Return a value that is text, or say what it is instead."""
    if isinstance(value, str):
        return value
    if value is None:
        raise ConfigurationError("has no value; write one, or leave the key out")
    if isinstance(value, Untyped):
        raise ConfigurationError(f'{value.text[:80]!r} is {value.kind}, not text; write it in quotes: "{value.text[:80]}"')
    raise ConfigurationError("takes one value, not a list or keys; write one text")


def _written(value: object) -> object:
    """Take a truth value as it was written."""
    return value.text if isinstance(value, Untyped) else value


_NONE_IS_EMPTY = BeforeValidator(lambda value: [] if value is None else value)
_Address = Annotated[str, _text(roster.parse_address)]
_Folder = Annotated[str, _text(roster.parse_folder), BeforeValidator(lambda value: "" if value is None else value)]
_PageName = Annotated[str, _text(roster.parse_page_name)]
_Truth = Annotated[bool, _text(roster.parse_truth), BeforeValidator(_written)]
_Ref = Annotated[CalendarRef, _text(roster.parse_calendar_ref)]


class _Model(BaseModel):
    """A part of the file in which unknown keys are faults."""

    model_config = ConfigDict(extra="forbid", strict=True)


class CalendarModel(_Model):
    """An item of ``calendars``."""

    owner: _Address
    folder: _Folder = ""
    connection: _Address | None = None
    pages: list[_PageName] = []


class PageModel(_Model):
    """An item of ``booking_pages``."""

    name: _PageName
    time_zone: Annotated[str, _text(roster.parse_zone)] = "UTC"
    hours: Annotated[Hours, _text(roster.parse_hours)] = Hours()
    require_proof: _Truth = False
    allow_conflicts: _Truth = False
    owner_changes: Annotated[OwnerChanges, _text(roster.parse_owner_changes)] = OwnerChanges.REPORT
    recreate: _Truth = False
    main: _Ref
    additional: Annotated[list[_Ref], _NONE_IS_EMPTY] = []
    busy: Annotated[list[_Ref], _NONE_IS_EMPTY] = []


class FileModel(_Model):
    """The whole of a YAML file."""

    calendars: Annotated[list[Any], _NONE_IS_EMPTY] = []
    booking_pages: Annotated[list[Any], _NONE_IS_EMPTY] = []


class RowModel(_Model):
    """A row of a CSV file."""

    page: Annotated[str, _text(lambda text: roster.parse_page_name(text) if text.strip() else "")]
    role: Annotated[Role | None, _text(roster.parse_role)]
    owner: _Address
    folder: _Folder


_M = TypeVar("_M", bound=_Model)


def validate(model: type[_M], value: object, line_of: Callable[[Place], int], draft: Draft) -> _M | None:
    """Check one part of the file, and note each fault at its line."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        for detail in error.errors(include_url=False):
            draft.fault(line_of(detail["loc"]), _worded(detail, model))
        return None


def _worded(detail: ErrorDetails, model: type[_Model]) -> str:
    """Say in plain words what the model found."""
    name = next((str(step) for step in reversed(detail["loc"]) if isinstance(step, str)), "")
    known = ", ".join(model.model_fields)
    words = {
        "missing": f"{name} is missing; add it, for example {_EXAMPLES.get(name, name)}",
        "extra_forbidden": f"unknown key {name[:80]!r}; known are {known}",
        "list_type": f"{name} must be a list; write it in [ ], or each item on its own line after a dash",
        "model_type": f"keys with values are missing here; known keys are {known}",
    }
    return words.get(detail["type"]) or f"{name}: {detail['msg']}"
