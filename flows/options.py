"""What may be said to each flow: the form on Prefect's page, checked before anything runs. No secret is ever among it."""

from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from busytime.model import Trigger, Window
from busytime.scope import Shard

#: An address as the roster writes it; the form refuses what is none.
Address = Annotated[str, Field(max_length=254, pattern=r"^\S+@\S+\.\S+$")]
Name = Annotated[str, Field(min_length=1, max_length=200)]


class Options(BaseModel):
    """What may be said to every flow."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    trigger: Annotated[Trigger, Field(title="Started by", description="What starts the run; it stands in the audit tables.")] = (
        Trigger.MANUAL
    )


class ScopeOptions(Options):
    """What may be said to a flow that works on calendars."""

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
    """A window with both its ends."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    start: Annotated[AwareDatetime, Field(title="Start")]
    end: Annotated[AwareDatetime, Field(title="End", description="After the start.")]

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
    """What may be said to a harvest."""

    window: Annotated[
        WindowOptions | None,
        Field(title="Window", description="What to read; default: from yesterday on, as far as the settings say."),
    ] = None
    shard: Annotated[
        ShardOptions | None, Field(title="Shard", description="Filled in by the harvest that cuts very many calendars.")
    ] = None


class ValidateOptions(ScopeOptions):
    """What may be said to a validation."""

    probe_write: Annotated[
        bool,
        Field(title="Probe by writing", description="Prove a right that nothing else settles by an item that is taken back."),
    ] = False


class PushOptions(ScopeOptions):
    """What may be said to a push."""

    force_pages: Annotated[
        tuple[Name, ...],
        Field(title="Force pages", description="Let these pages pass the gate, whatever their plan changes.", max_length=1000),
    ] = ()
    backfill: Annotated[
        bool,
        Field(title="Backfill", description="Also enter bookings that were made before the mailbox was connected."),
    ] = False


class DiscoverOptions(Options):
    """What may be said to a discovery."""

    owner: Annotated[Address | None, Field(title="Owner", description="Only this owner; none given: all.")] = None
    accept_from: Annotated[
        Annotated[str, Field(max_length=253, pattern=r"^[^\s@]+\.[^\s@]+$")] | None,
        Field(title="Accept invitations from", description="Accept sharing invitations that come from this domain."),
    ] = None


class ResyncOptions(Options):
    """What may be said to a re-sync."""

    trigger: Annotated[Trigger, Field(title="Started by", description="What starts the run; it stands in the audit tables.")] = (
        Trigger.REQUEST
    )
    adopt: Annotated[
        bool, Field(title="Adopt", description="Take over what the calendars hold, after the database was restored.")
    ] = False


class WatchOptions(Options):
    """What may be said to a watch."""


class MaintainOptions(Options):
    """What may be said to a maintenance."""
