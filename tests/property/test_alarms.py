"""Whatever comes and goes, and however often a message is lost: all that stays is told, no flood, and an end for each begin."""

from collections import defaultdict
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from busytime.alarms import Word
from tests.unit.alarms.desk import BREAKER, COVERAGE, HARVEST, AlarmDesk

SUBJECTS = (BREAKER, COVERAGE, HARVEST)
HOLD_DOWN_MINUTES = 15

#: How long until the look, what stands then and how large it is, and whether the receiver answers.
looks = st.lists(
    st.tuples(
        st.sampled_from([1, 1, 2, 5, 14, 16, 61, 700, 2000]),
        st.dictionaries(st.sampled_from(SUBJECTS), st.integers(1, 9)),
        st.sampled_from([True, True, True, False]),
    ),
    max_size=40,
)


def played(steps):
    desk, minute = AlarmDesk(), 0
    for wait, standing, answers in steps:
        minute += wait
        desk.look(minute, standing, answers=answers)
    return desk, minute


@given(looks)
def test_each_end_follows_a_begin_and_what_is_over_is_told_to_be_over_in_the_end(steps):
    desk, minute = played(steps)
    for later in range(minute + 1, minute + 2 * HOLD_DOWN_MINUTES):
        desk.look(later, {})
    words = defaultdict(list)
    for _, subject, word in desk.sent:
        words[subject].append(word)
    for told in words.values():
        assert told[0] is Word.STANDS
        assert told[-1] is Word.OVER
        assert (Word.OVER, Word.OVER) not in pairwise(told)


@given(looks, st.sampled_from(SUBJECTS))
def test_one_that_stays_is_told(steps, subject):
    desk, minute = played(steps)
    for later in range(minute + 1, minute + 2 * HOLD_DOWN_MINUTES):
        desk.look(later, {subject: 1})
    assert [word for _, about, word in desk.sent if about == subject][-1] is Word.STANDS


@given(looks, st.booleans())
def test_nothing_is_told_faster_than_the_rhythm(steps, often):
    desk, minute = played(steps)
    for later in range(minute + 1, minute + 180):
        desk.look(later, dict.fromkeys(SUBJECTS if later % 7 or not often else (), 1))
    for subject in SUBJECTS:
        begins = [at for at, about, word in desk.sent if about == subject and word is Word.STANDS]
        assert all(later - before >= HOLD_DOWN_MINUTES for before, later in pairwise(begins))
        ends = [at for at, about, word in desk.sent if about == subject and word is Word.OVER]
        assert len(ends) <= len(begins)
