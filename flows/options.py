"""What may be said to each flow: the form on Prefect's page, checked before anything runs. No secret is ever among it.

The docstrings and titles of these models, and those of their fields, are what the page shows to an admin.
"""

from typing import Annotated, Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, WithJsonSchema

from busytime.model import Trigger, Window
from busytime.scope import Shard

#: An address as the roster writes it. The page and its server are told in a word that both have a message for.
Address = Annotated[
    str,
    Field(max_length=254, pattern=r"^\S+@\S+\.\S+$"),
    WithJsonSchema({"type": "string", "format": "email", "maxLength": 254}),
]
Name = Annotated[str, Field(min_length=1, max_length=200)]
#: What stands on the page where nothing is chosen.
Nothing = Annotated[None, Field(title="As usual")]

#: What programs say of a run and no person is asked for: a page draws `properties`, and the server checks these all the same.
_NOT_ASKED = ("trigger", "shard")


def _leave_out(schema: dict[str, Any]) -> None:
    for name in _NOT_ASKED:
        if (field := schema["properties"].pop(name, None)) is not None:
            schema.setdefault("patternProperties", {})[f"^{name}$"] = field


class Options(BaseModel):
    """Nothing is to be chosen."""

    model_config = ConfigDict(frozen=True, extra="forbid", json_schema_extra=_leave_out)

    trigger: Annotated[Trigger, Field(title="Started by", description="What starts the run; it stands in the audit tables.")] = (
        Trigger.MANUAL
    )


class ScopeOptions(Options):
    """On which calendars it works; all of them where nothing is given."""

    connections: Annotated[
        tuple[Address, ...],
        Field(title="Connections", description="Only through these accounts; none given: through all.", max_length=1000),
    ] = ()
    owners: Annotated[
        tuple[Address, ...],
        Field(title="Owners", description="Only calendars of these owners; none given: of all.", max_length=1000),
    ] = ()
    pages: Annotated[
        tuple[Name, ...],
        Field(title="Booking pages", description="Only calendars of these pages; none given: of all.", max_length=1000),
    ] = ()
    dry_run: Annotated[bool, Field(title="Dry run", description="Only tell what would be done; nothing is sent or written.")] = (
        False
    )


class WindowOptions(BaseModel):
    """From when to when."""

    model_config = ConfigDict(frozen=True, extra="forbid", title="From, to")

    start: Annotated[AwareDatetime, Field(title="From", description="Its first instant.")]
    end: Annotated[AwareDatetime, Field(title="To", description="The instant after its last one.")]

    def as_window(self) -> Window:
        """Return it as a value.

        Raises:
            ConfigurationError: It is none.
        """
        return Window(self.start, self.end)


class ShardOptions(BaseModel):
    """One of several equal parts of the owners, as a harvest of very many calendars makes them by itself."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    index: Annotated[int, Field(title="Which", description="From 0.", ge=0, lt=10_000)]
    count: Annotated[int, Field(title="Of how many", ge=2, le=10_000)]
    parent_run_id: Annotated[int, Field(title="Run", description="The run that cut them.", ge=1)]

    def as_shard(self) -> Shard:
        """Return it as a value.

        Raises:
            ConfigurationError: There is no such part.
        """
        return Shard(self.index, self.count)


class HarvestOptions(ScopeOptions):
    """What to read. Left as it is: all calendars, as the schedule does."""

    window: Annotated[
        WindowOptions | Nothing,
        Field(title="Window", description="As usual: from yesterday on, as far ahead as the settings say."),
    ] = None
    shard: Annotated[
        ShardOptions | None, Field(title="Shard", description="Filled in by the harvest that cuts very many calendars.")
    ] = None


class ValidateOptions(ScopeOptions):
    """What to look at. Left as it is: the rights in all calendars, as the schedule does."""

    probe_write: Annotated[
        bool,
        Field(title="Probe by writing", description="Prove a right that nothing else settles by an item that is taken back."),
    ] = False


class PushOptions(ScopeOptions):
    """What to write. Left as it is: all that bookings want and calendars lack; what waits is tried again."""

    force_pages: Annotated[
        tuple[Name, ...],
        Field(title="Force pages", description="Let these pages pass the gate, whatever their plan changes.", max_length=1000),
    ] = ()
    backfill: Annotated[
        bool,
        Field(title="Backfill", description="Also enter bookings that were made before the mailbox was connected."),
    ] = False


class DiscoverOptions(Options):
    """Where to look. Left as it is: at what all owners share; no invitation is accepted."""

    owners: Annotated[
        tuple[Address, ...],
        Field(title="Owners", description="Only at what these owners share; none given: at all.", max_length=1000),
    ] = ()
    accept_from: Annotated[
        str,
        Field(
            title="Accept invitations from",
            description="Accept the sharing invitations that come from this domain, as partner.example; empty: none.",
            max_length=253,
            pattern=r"^([^\s@]+\.[^\s@]+)?$",
        ),
    ] = ""


class ResyncOptions(Options):
    """What to catch up. Left as it is: what was asked for while nobody could log on."""

    adopt: Annotated[
        bool, Field(title="Adopt", description="Take over what the calendars hold, after the database was restored.")
    ] = False


class WatchOptions(Options):
    """Nothing is to be chosen: who is told of what is said in the settings."""


class MaintainOptions(Options):
    """Nothing is to be chosen: how long things stay is said in the settings."""
