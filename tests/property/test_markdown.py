"""Markdown of texts from outside: whatever they hold, a page that renders it shows text, and tables keep their shape."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from busytime.markdown import code, prose, table

#: The letters that markup is made of, among others, and pieces that would become something.
LETTERS = st.text(st.sampled_from("ab1 |`\\*_[]()<>#~&!$@:/.-+=\n\t\u202e"), max_size=30)
PIECES = st.lists(
    st.sampled_from(
        [
            "[a](http://evil.example)",
            "<img src=x>",
            "![i](//evil.example/i)",
            "www.evil.example",
            "a@b.example",
            "&lt;",
            "```",
            "|",
            "\\",
            " ",
        ]
    ),
    max_size=8,
).map("".join)
OUTSIDE = LETTERS | PIECES | st.text(max_size=20)
#: What stands where no link, image, markup or HTML is.
PLAIN = {"text", "code_inline", "softbreak", "text_special"}


def tokens(markdown):
    return MarkdownIt("commonmark").enable("table").parse(markdown)


def inline(markdown):
    return [child for token in tokens(markdown) for child in token.children or ()]


def free_text(markdown):
    """Return what is read outside code: there, addresses become links by themselves."""
    return "".join(it.content if it.type.startswith("text") else "\0" for it in inline(markdown))


@given(OUTSIDE)
def test_a_name_is_one_piece_of_code_that_reads_as_it_was(text):
    (found,) = inline(f"x {code(text)}")[1:]
    assert found.type == "code_inline"
    if text.isprintable() and text.strip():
        assert found.content == " ".join(text.split())


@given(OUTSIDE)
def test_a_sentence_makes_nothing_but_text_and_code(text):
    written = prose(text) or "-"
    assert {it.type for it in inline(written)} <= PLAIN
    assert not re.search(r"@|://|\bwww\.", free_text(written), re.IGNORECASE)
    if prose(text):
        assert [it.type for it in tokens(written)] == ["paragraph_open", "inline", "paragraph_close"]


@given(st.lists(st.tuples(OUTSIDE, OUTSIDE), min_size=1, max_size=4))
def test_a_table_keeps_its_shape(rows):
    found = tokens(table(("Name", "Why"), [(code(name), prose(why) or "-") for name, why in rows]))
    assert [it.type for it in found].count("td_open") == 2 * len(rows)
    assert found[-1].type == "table_close"


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("run `busytime push` again", "run `busytime push` again"),
        ("share it with (bo@corp.example).", "share it with (`bo@corp.example`)."),
        ('the calendar "https://evil.example" below', 'the calendar "`https://evil.example`" below'),
        ("3 rows of busy_intervals", r"3 rows of busy\_intervals"),
    ],
)
def test_our_own_sentences_stay_easy_to_read(text, written):
    assert prose(text) == written
