"""The twenty questions: each gives the truth on both databases, to a reader who may see the views alone."""

import re
from datetime import datetime, timedelta

import pytest
from psycopg.sql import SQL, Identifier
from sqlalchemy import make_url, text

from busytime.store.database import open_engine
from busytime.store.reading_views import open_reader
from busytime.store.views import VIEWS
from tests.integration.store.conftest import BACKENDS, migrated
from tests.questions.document import DOCUMENT, END, questions, written_anew
from tests.questions.truth import Truth
from tests.questions.world import DEE, hour, play

QUESTIONS = {question.number: question for question in questions()}
WRITTEN = DOCUMENT.read_text(encoding="utf-8")


def asked(number, **values):
    return pytest.param(number, values, id=f"{number}-{'-'.join(map(str, values.values())) or 'as written'}")


def a_day(question):
    """A narrower span than the document asks with: a day of what is looked at."""
    first = hour(30, 0) + timedelta(days=2) if question.number == 11 else hour(24, 0)
    return {"from": first, "to": first + timedelta(days=7 if question.number == 7 else 1)}


#: Questions that are asked otherwise, too: the truth must not hang on what the document happens to ask.
OTHERWISE = [
    *(asked(it.number, **a_day(it)) for it in QUESTIONS.values() if it.values.keys() >= {"from", "to"}),
    *(
        asked(number, **{"from": first, "to": last})
        for first, last in ((hour(23, 0), hour(23, 12)), (hour(25, 0), hour(26, 0)))
        for number in (3, 12, 13, 15, 16, 18, 19, 20)
    ),
    *(asked(number, **{"from": hour(23, 0), "to": hour(24, 0)}) for number in (10, 17)),
    asked(4, **{"from": hour(24, 12, 40)}),
    asked(4, at=hour(24, 9, 10), fresh_since=hour(24, 8, 10)),
    asked(4, at=hour(24, 20, 5), fresh_since=hour(24, 19, 35)),
    asked(4, **{"from": hour(24, 20)}, at=hour(25, 12, 10), fresh_since=hour(25, 11, 40)),
    asked(11, **{"from": hour(30, 0) + timedelta(days=3), "to": hour(30, 0) + timedelta(days=9)}),
    asked(1, at=hour(25, 21, 10), fresh_since=hour(25, 20, 40)),
    asked(4, **{"from": hour(24, 0)}, at=hour(24, 3, 10), fresh_since=hour(24, 2, 40)),
    asked(4, **{"from": hour(24, 0)}, at=hour(24, 9, 40), fresh_since=hour(24, 9, 10)),
    asked(6, at=hour(23, 20, 10), fresh_since=hour(23, 19, 40)),
    asked(6, owner=DEE, at=hour(25, 15, 10), fresh_since=hour(25, 14, 40), to=hour(29, 0)),
    asked(6, at=hour(24, 3, 10), fresh_since=hour(24, 2, 40)),
    asked(6, at=hour(24, 9, 10), fresh_since=hour(24, 8, 10)),
    asked(8, at=hour(24, 16)),
    asked(8, booking_key="BK-1004", at=hour(25, 8)),
    asked(8, booking_key="BK-1004", at=hour(25, 12)),
    asked(8, booking_key="BK-1003", at=hour(25, 12)),
    asked(8, booking_key="BK-1005", at=hour(25, 12)),
    asked(9, at=hour(30, 0) + timedelta(days=5)),
    asked(14, run=1),
    asked(14, run=2),
    asked(14, run=60),
]


@pytest.fixture(scope="module")
def played(tmp_path_factory, postgresql):
    """The same three days on both databases: for each a reader's engine and the diary."""
    path = tmp_path_factory.mktemp("questions") / "busytime.db"
    name = postgresql.create()
    urls = {"sqlite": f"sqlite:///{path}", "postgresql": postgresql.url(name)}
    engines, diaries = {}, {}
    for backend, url in urls.items():
        migrated(url)
        engine = open_engine(url)
        diaries[backend] = play(engine)
        engine.dispose()
        engines[backend] = open_reader(url if backend == "sqlite" else as_reader(postgresql, url))
    yield engines, diaries
    for engine in engines.values():
        engine.dispose()
    postgresql.drop(name)
    postgresql.execute(SQL("DROP ROLE {}").format(Identifier(f"asking_{name}")))


def as_reader(postgresql, url):
    """Make a role that may read the views and nothing else, and return its address."""
    role = f"asking_{make_url(url).database}"
    postgresql.execute(SQL("CREATE ROLE {} LOGIN").format(Identifier(role)))
    engine = open_engine(url)
    with engine.connect() as connection, connection.begin():
        for view in VIEWS:
            connection.connection.cursor().execute(SQL("GRANT SELECT ON {} TO {}").format(Identifier(view), Identifier(role)))
    engine.dispose()
    return make_url(url).set(username=role).render_as_string(hide_password=False)


def to_the_second(rows):
    """Transactions of one moment are told apart by a microsecond each, which is no part of the truth."""
    return [tuple(value.replace(microsecond=0) if isinstance(value, datetime) else value for value in row) for row in rows]


def answers(played, backend, question, values=None):
    with played[0][backend].connect() as connection:
        return question.ask(connection, values)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("number", "otherwise"), [*(asked(number) for number in QUESTIONS), *OTHERWISE])
def test_the_answer_is_what_really_happened(played, backend, number, otherwise):
    question = QUESTIONS[number]
    values = question.values | otherwise
    _, rows = answers(played, backend, question, values)
    assert to_the_second(rows) == Truth(played[1][backend]).answer(number, values)
    assert rows or otherwise


@pytest.mark.parametrize("number", QUESTIONS)
def test_both_databases_give_the_same_rows(played, number):
    sqlite, postgresql = (answers(played, backend, QUESTIONS[number]) for backend in BACKENDS)
    assert sqlite == postgresql


def test_the_answers_in_the_document_are_up_to_date(played):
    assert written_anew(WRITTEN, lambda question: answers(played, "sqlite", question)) == WRITTEN, "run `make docs`"


def test_there_are_twenty_and_each_says_its_span_and_has_one_query():
    assert list(QUESTIONS) == list(range(1, 21))
    parts = re.split(r"^## (?=\d+\.)", WRITTEN, flags=re.MULTILINE)[1:]
    assert len(parts) == 20
    for part in parts:
        by_hand = part.partition("<!-- answer")[0]
        assert by_hand.count("```sql") == 1
        assert by_hand.splitlines()[1].startswith("**Span:** ")
        assert part.count(END) == 1


@pytest.mark.parametrize("number", QUESTIONS)
def test_a_query_names_views_and_its_own_parts_alone(number):
    query = QUESTIONS[number].query
    own = set(re.findall(r"(\w+)(?: \([\w, ]+\))? AS \(", query))
    named = set(re.findall(r"\b(?:FROM|JOIN)\s+([a-z_]+)", re.sub(r"epoch FROM", "", query)))
    assert named - own <= set(VIEWS)
    assert named & set(VIEWS)


@pytest.mark.parametrize("number", QUESTIONS)
def test_the_document_says_what_every_parameter_is(number):
    question = QUESTIONS[number]
    used = set(re.findall(r"(?<![\w:]):([a-z_]+)", question.query))
    assert used == set(question.values)
    assert all(f"`:{name}`" in WRITTEN for name in used)


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_reader_may_see_nothing_else(played, backend):
    with played[0][backend].connect() as connection, pytest.raises(Exception, match=r"(?i)permission denied|attempt to write"):
        connection.execute(text("DELETE FROM runs"))


def test_the_two_forms_differ_only_where_time_is_reckoned_with():
    two = {number for number, question in QUESTIONS.items() if question.query_for("sqlite") != question.query}
    assert two == {5, 7, 10, 17}
    for number in two:
        assert f"```sql\n{QUESTIONS[number].query_for('sqlite')};\n```" in WRITTEN
