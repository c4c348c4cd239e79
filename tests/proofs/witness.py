"""A witness in PostgreSQL: triggers note which run's lock each transaction held, and of which calendars it wrote the coverage.

What the product says of itself is not asked: a process that writes beside another one cannot but leave its traces here.
"""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise

from sqlalchemy import create_engine

from busytime.scope import Shard
from tests.flows.harness import Home

_MAKE = """
CREATE TABLE witness_written (tx xid8 NOT NULL, calendar_id bigint NOT NULL);
CREATE TABLE witness_held (tx xid8 NOT NULL, name text NOT NULL, run_id bigint NOT NULL, at timestamptz NOT NULL);
CREATE FUNCTION witness_write() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO witness_written SELECT pg_current_xact_id(), calendar_id FROM changed; RETURN NULL;
END $$;
CREATE FUNCTION witness_hold() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO witness_held SELECT pg_current_xact_id(), name, run_id, clock_timestamp() FROM changed; RETURN NULL;
END $$;
CREATE TRIGGER inserted AFTER INSERT ON coverage REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION witness_write();
CREATE TRIGGER updated AFTER UPDATE ON coverage REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION witness_write();
CREATE TRIGGER beaten AFTER UPDATE ON locks REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION witness_hold();
"""
_WRITTEN_WITHOUT_A_LOCK = """
SELECT count(*) FROM witness_written w WHERE NOT EXISTS (SELECT FROM witness_held h WHERE h.tx = w.tx)
"""
_BY_LOCK = """
SELECT h.name, o.address, count(*) FROM witness_written w
JOIN (SELECT DISTINCT tx, name FROM witness_held) h ON h.tx = w.tx
JOIN calendars c ON c.id = w.calendar_id JOIN owners o ON o.id = c.owner_id
GROUP BY h.name, o.address
"""
_SPANS = """
SELECT h.name, h.run_id, min(h.at) AS first_at, max(h.at) AS last_at FROM witness_held h
WHERE h.tx IN (SELECT tx FROM witness_written) GROUP BY h.name, h.run_id ORDER BY h.name, first_at
"""


def add_witness(home: Home) -> None:
    """Put the triggers in place."""
    engine = create_engine(home.database_address)
    try:
        with engine.begin() as connection:
            connection.exec_driver_sql(_MAKE)
    finally:
        engine.dispose()


def assert_no_two_wrote_at_once(home: Home) -> dict[str, int]:
    """Check what was witnessed; return how many runs wrote under each shard's lock.

    Each calendar was written under the lock of its own shard alone, and what one run of a shard wrote lies wholly before
    what the next one wrote.
    """
    assert home.query(_WRITTEN_WITHOUT_A_LOCK) == [(0,)]
    for name, owner, _ in home.query(_BY_LOCK):
        index, _, count = name.rpartition(":")[2].partition("/")
        assert Shard(int(index), int(count)).holds(owner), f"{owner} was written under {name}"
    spans = defaultdict(list)
    for name, run_id, first_at, last_at in home.query(_SPANS):
        spans[name].append((first_at, last_at, run_id))
    for name, found in spans.items():
        for (_, ended, before), (began, _, after) in pairwise(found):
            assert ended < began, f"runs {before} and {after} wrote under {name} at once"
    return {name: len(found) for name, found in spans.items()}


def written(home: Home) -> int:
    """Return how many calendars have been written by now."""
    return int(home.query("SELECT count(DISTINCT calendar_id) FROM witness_written")[0][0])
