"""Whatever is done to a chain of events without its key is found, and the first broken row is the one that is named."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from busytime.chain import FAULT_TEXTS, TRIMMED, ChainVerdict, Fault, Link, chain_hmac, verify_chain

KEY, OTHER_KEY = b"k" * 32, b"o" * 32
AT = "2026-11-23T08:00:00.000000+00:00"

tags = st.sampled_from(["person:roster:imported", "machine:database:restored", "", "ünïcødé\udcff"])
contents = st.tuples(tags, st.just(AT), st.integers(1, 9), st.none() | st.integers(1, 9), st.text(max_size=20))
#: What another program may have written in a column's place, of any type that SQLite keeps.
anything = st.none() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=70) | st.binary(max_size=70)


def chained(rows, key=KEY):
    """The chain that these contents make."""
    links, last = [], ""
    for number, content in enumerate(rows, 1):
        link = Link(number * 10, tuple(content), last, chain_hmac(key, last, tuple(content)))
        links.append(link)
        last = link.hmac
    return links


chains = st.lists(contents, min_size=1, max_size=8).map(chained)


@given(st.lists(contents, max_size=8))
def test_what_was_appended_is_whole(rows):
    links = chained(rows)
    head = links[-1].hmac if links else ""
    assert verify_chain(KEY, links) == ChainVerdict(len(links), head)
    for number, link in enumerate(links, 1):
        assert verify_chain(KEY, links, link.hmac).since_head == len(links) - number


@given(chains, st.data())
def test_a_changed_value_is_found_in_its_row(links, data):
    index = data.draw(st.integers(0, len(links) - 1))
    place = data.draw(st.sampled_from([0, 1, 2, 3, 4, "previous_hmac", "hmac"]))
    row = links[index]
    before = row.content[place] if isinstance(place, int) else getattr(row, place)
    after = data.draw(anything.filter(lambda value: value != before))
    if isinstance(place, int):
        broken = replace(row, content=(*row.content[:place], after, *row.content[place + 1 :]))
    else:
        broken = replace(row, **{place: after})
    verdict = verify_chain(KEY, [*links[:index], broken, *links[index + 1 :]])
    assert (verdict.fault, verdict.broken_id, verdict.events) == (Fault.CHANGED, row.id, index)


@given(chains.filter(lambda links: len(links) > 1), st.data())
def test_a_missing_row_is_found_in_the_one_that_follows(links, data):
    index = data.draw(st.integers(0, len(links) - 2))
    count = data.draw(st.integers(1, len(links) - 1 - index))
    verdict = verify_chain(KEY, links[:index] + links[index + count :])
    assert (verdict.fault, verdict.broken_id, verdict.events) == (Fault.MISSING_BEFORE, links[index + count].id, index)


@given(chains.filter(lambda links: len(links) > 1), st.data())
def test_rows_that_changed_places_are_found(links, data):
    first, second = sorted(data.draw(st.sets(st.integers(0, len(links) - 1), min_size=2, max_size=2)))
    moved = list(links)
    moved[first], moved[second] = replace(links[second], id=links[first].id), replace(links[first], id=links[second].id)
    verdict = verify_chain(KEY, moved)
    assert (verdict.fault, verdict.broken_id, verdict.events) == (Fault.OUT_OF_PLACE, links[first].id, first)


@given(chains, contents, st.data())
def test_a_made_up_row_is_found(links, content, data):
    index = data.draw(st.integers(0, len(links)))
    previous = links[index - 1].hmac if index else ""
    made_up = Link(index * 10 + 5, content, previous, chain_hmac(OTHER_KEY, previous, content))
    verdict = verify_chain(KEY, [*links[:index], made_up, *links[index:]])
    assert (verdict.fault, verdict.broken_id, verdict.events) == (Fault.CHANGED, made_up.id, index)


@given(chains, contents, st.data())
def test_a_fork_is_found_even_where_the_key_made_it(links, content, data):
    index = data.draw(st.integers(0, len(links) - 1))
    previous = links[index].previous_hmac
    second = Link(links[-1].id + 1, content, previous, chain_hmac(KEY, previous, content))
    verdict = verify_chain(KEY, [*links, second])
    assert (verdict.fault, verdict.broken_id, verdict.events) == (Fault.FORKED, second.id, len(links))


@given(chains, st.data())
def test_a_cut_tail_is_found_by_the_head_alone(links, data):
    left = data.draw(st.integers(0, len(links) - 1))
    assert verify_chain(KEY, links[:left]).whole
    verdict = verify_chain(KEY, links[:left], links[-1].hmac)
    assert (verdict.fault, verdict.broken_id, verdict.events) == (Fault.TAIL_MISSING, None, left)


@given(chains)
def test_another_key_opens_no_chain(links):
    verdict = verify_chain(OTHER_KEY, links)
    assert (verdict.fault, verdict.broken_id, verdict.events) == (Fault.CHANGED, links[0].id, 0)


def appended(links, content, key=KEY):
    last = links[-1].hmac if links else ""
    return [*links, Link(links[-1].id + 10 if links else 10, tuple(content), last, chain_hmac(key, last, tuple(content)))]


def trimmed(links, count, key=KEY):
    """The chain as a retention leaves it: a checkpoint at its end, and so many rows less at its beginning."""
    gone = links[count - 1]
    details = json.dumps({"removed": count, "through_id": gone.id, "head": gone.hmac})
    return appended(links, (TRIMMED, AT, 1, None, details), key)[count:]


@st.composite
def trimmed_chains(draw):
    """Chains that were appended to and trimmed, in turns."""
    links = draw(chains)
    for _ in range(draw(st.integers(1, 3))):
        links = trimmed(links, draw(st.integers(1, len(links))))
        for content in draw(st.lists(contents, max_size=3)):
            links = appended(links, content)
    return links


@given(trimmed_chains())
def test_what_a_retention_leaves_is_whole(links):
    assert verify_chain(KEY, links) == ChainVerdict(len(links), links[-1].hmac, trimmed=True)
    for number, link in enumerate(links, 1):
        assert verify_chain(KEY, links, link.hmac).since_head == len(links) - number
    assert verify_chain(KEY, links, links[0].previous_hmac).since_head == len(links)


@given(trimmed_chains(), st.data())
def test_nobody_else_can_remove_the_oldest_rows(links, data):
    index = data.draw(st.integers(1, len(links) - 1)) if len(links) > 1 else 0
    verdict = verify_chain(KEY, links[index:])
    assert (verdict.fault, verdict.broken_id) == ((Fault.MISSING_BEFORE, links[index].id) if index else (None, None))
    forged = trimmed(links, index, OTHER_KEY) if index else []
    assert verify_chain(KEY, forged).fault is (Fault.MISSING_BEFORE if index else None)


@given(trimmed_chains(), contents, st.data())
def test_a_checkpoint_excuses_what_is_before_it_and_nothing_else(links, content, data):
    index = data.draw(st.integers(0, len(links) - 1))
    changed = [*links[:index], replace(links[index], content=("changed", *content[1:])), *links[index + 1 :]]
    last_word = max(number for number, link in enumerate(links) if link.content[0] == TRIMMED)
    verdict = verify_chain(KEY, changed)
    if index == last_word:
        expected = Fault.CHANGED if index == 0 else Fault.MISSING_BEFORE
        assert (verdict.fault, verdict.broken_id, verdict.events) == (expected, links[0].id, 0)
    else:
        assert (verdict.fault, verdict.broken_id, verdict.events) == (Fault.CHANGED, links[index].id, index)


@given(trimmed_chains())
def test_a_cut_tail_takes_the_checkpoint_with_it_or_is_found_by_the_head(links):
    last_word = max(number for number, link in enumerate(links) if link.content[0] == TRIMMED)
    for left in range(1, len(links)):
        verdict = verify_chain(KEY, links[:left], links[-1].hmac)
        assert verdict.fault is (Fault.TAIL_MISSING if left > last_word else Fault.MISSING_BEFORE)


def test_a_long_chain_is_read_once_and_held_nowhere():
    class Counted:
        readings = 0

        def __iter__(self):
            self.readings += 1
            last = ""
            for number in range(1, 2001):
                content = ("machine:test:appended", AT, 1, None, str(number))
                link = Link(number, content, last, chain_hmac(KEY, last, content))
                yield link
                last = link.hmac

    rows = Counted()
    assert verify_chain(KEY, rows).events == 2000
    assert rows.readings == 1


@pytest.mark.parametrize("fault", Fault)
def test_every_fault_has_its_line(fault):
    assert FAULT_TEXTS[fault]
