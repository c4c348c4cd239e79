"""What holds for verdicts, whatever the server says."""

from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta

from hypothesis import assume, given
from hypothesis import strategies as st

from busytime.errors import Reason
from busytime.judging import judge
from busytime.model import CalendarKind
from busytime.permissions import (
    BADNESS,
    WRITING_LEVELS,
    Conclusion,
    Evidence,
    Findings,
    ItemRights,
    Need,
    NoAnswer,
    PermissionLevel,
    Rights,
    Rung,
    Subject,
    Verdict,
)

NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)
GRACE = timedelta(hours=48)

definite = st.builds(
    NoAnswer,
    st.sampled_from([Reason.NO_ACCESS, Reason.FOLDER_NOT_FOUND, Reason.MAILBOX_NOT_FOUND, Reason.NO_CALENDAR, Reason.NO_DATA]),
)
passing = st.builds(
    NoAnswer, st.sampled_from([Reason.TIMED_OUT, Reason.SERVER_ERROR, Reason.MAILBOX_UNAVAILABLE]), transient=st.just(True)
)
silences = definite | passing
rights = st.builds(Rights, *[st.booleans()] * 5)
items = st.builds(ItemRights, rights, st.booleans()) | st.builds(ItemRights, rights, marked=st.just(True), ours=st.just(True))
levels = st.none() | st.sampled_from([level for level in PermissionLevel if level is not PermissionLevel.NONE])
answered = st.builds(
    Findings,
    folder=rights | silences,
    items=st.lists(items, max_size=4).map(tuple) | silences,
    permission_list=st.tuples(levels) | silences,
    availability=st.just(True) | silences,
    group=st.booleans() | silences,
    calendar_view=st.just(True) | silences,
)
#: A folder that is shown, on a server that answers, with no more proof than rights.
shown = st.builds(
    Findings,
    # No right at all is what one server tells the folder's owner: it is not less than any.
    folder=rights.filter(lambda it: not it.none),
    items=st.lists(items, max_size=4).map(tuple),
    permission_list=definite,
    availability=st.just(True) | definite,
    calendar_view=st.just(True) | definite,
)
probed = st.builds(lambda found, probe: replace(found, probe=probe), answered, st.none() | st.just(True) | silences)
subjects = st.builds(Subject, st.sampled_from(CalendarKind), st.sampled_from([NOW - GRACE * 2, NOW - GRACE / 2]), st.booleans())
needs = st.sampled_from(Need)
FIELD = {Rung.FOLDER_RIGHTS: "folder", Rung.ITEM_RIGHTS: "items"}


def judged(need, subject, found):
    return judge(need, subject, found, now=NOW, grace=GRACE)


def climb(need, subject, server):
    """Ask a server's evidence rung by rung; return the conclusion and the rungs."""
    found, climbed = Findings(), []
    while isinstance(rung := judged(need, subject, found), Rung):
        assert rung not in climbed, f"{rung} is asked twice"
        climbed.append(rung)
        name = FIELD.get(rung, rung.value)
        found = replace(found, **{name: getattr(server, name)})
    return rung, climbed


@given(needs, subjects, answered)
def test_the_ladder_ends_and_asks_no_rung_twice(need, subject, server):
    conclusion, climbed = climb(need, subject, server)
    assert len(climbed) <= len(Rung)
    assert climbed[0] is Rung.FOLDER_RIGHTS
    assert conclusion == judged(need, subject, server)


@given(needs, subjects, probed)
def test_a_verdict_that_is_not_granted_has_a_reason_and_a_granted_one_evidence(need, subject, found):
    told = judged(need, subject, found)
    assert isinstance(told, Conclusion)
    assert (told.reason is None) is (told.verdict is Verdict.GRANTED)
    assert told.evidence is not None or told.verdict in {Verdict.UNREACHABLE, Verdict.UNPROVEN}
    assert told.observed is not PermissionLevel.NONE


@given(subjects, probed)
def test_write_is_never_granted_without_proof(subject, found):
    told = judged(Need.WRITE, subject, found)
    assume(told.verdict is Verdict.GRANTED)
    foreign = [it.rights for it in found.items if not it.marked] if isinstance(found.items, tuple) else []
    proofs = {
        Evidence.PROBE_WRITE: found.probe is True,
        Evidence.FOLDER_RIGHTS: isinstance(found.folder, Rights) and found.folder.modify and found.folder.delete,
        Evidence.ITEM_RIGHTS: bool(foreign) and all(it.modify and it.delete for it in foreign),
        Evidence.PERMISSION_LIST: isinstance(found.permission_list, tuple) and found.permission_list[0] in WRITING_LEVELS,
    }
    assert proofs[told.evidence]


@given(subjects, shown)
def test_own_items_alone_never_prove_the_right_to_write(subject, found):
    own = tuple(replace(it, marked=True, ours=True) for it in found.items)
    told = judged(Need.WRITE, subject, replace(found, folder=replace(found.folder, modify=False), items=own))
    assert told.verdict is not Verdict.GRANTED


def raised(draw, given_rights):
    """Add rights to some."""
    names = [it.name for it in fields(Rights)]
    return replace(given_rights, **dict.fromkeys(draw(st.sets(st.sampled_from(names))), True))


@given(needs, subjects, shown, st.data())
def test_more_rights_never_make_a_verdict_worse(need, subject, found, data):
    more = replace(
        found,
        folder=raised(data.draw, found.folder),
        items=tuple(replace(it, rights=raised(data.draw, it.rights)) for it in found.items),
    )
    before, after = judged(need, subject, found), judged(need, subject, more)
    assert badness(after.verdict) <= badness(before.verdict)


def badness(verdict):
    """A grant that is awaited is none yet: what is seen and too low is said at once, and is better than nothing."""
    return BADNESS[Verdict.MISSING if verdict is Verdict.PENDING else verdict]


LADDER = [
    PermissionLevel.NONEDITING_AUTHOR,
    PermissionLevel.AUTHOR,
    PermissionLevel.EDITOR,
    PermissionLevel.PUBLISHING_EDITOR,
    PermissionLevel.OWNER,
]


@given(subjects, st.tuples(st.sampled_from(LADDER), st.sampled_from(LADDER)))
def test_a_higher_level_in_the_list_never_makes_a_verdict_worse(subject, pair):
    lower, higher = sorted(pair, key=LADDER.index)
    folder = Rights(read=True, create=True)
    verdicts = [judged(Need.WRITE, subject, Findings(folder=folder, items=(), permission_list=(it,))) for it in (lower, higher)]
    assert BADNESS[verdicts[1].verdict] <= BADNESS[verdicts[0].verdict]


@given(needs, subjects, answered)
def test_throttling_and_transport_give_no_verdict(need, subject, found):
    silence = NoAnswer(Reason.TIMED_OUT, transient=True)
    told = judged(need, subject, replace(found, folder=silence))
    assert (told.verdict, told.reason, told.evidence) == (Verdict.UNREACHABLE, Reason.TIMED_OUT, None)


@given(needs, subjects, answered)
def test_only_what_may_still_arrive_is_awaited(need, subject, found):
    told = judged(need, subject, found)
    late = judged(need, replace(subject, added_at=NOW - GRACE), found)
    assert (told.verdict is Verdict.PENDING) is (told.reason is Reason.GRANT_AWAITED)
    if told.verdict is Verdict.PENDING:
        assert not subject.arrived
        assert late.verdict is Verdict.MISSING
        assert late.reason in {Reason.NO_ACCESS, Reason.FOLDER_NOT_FOUND}
    else:
        assert late == told
