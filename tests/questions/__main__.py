"""``python -m tests.questions FILE`` writes the answers into the document anew, as a small world on SQLite gives them."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import Engine

from busytime.store.database import open_engine, upgrade
from tests.questions.document import written_anew
from tests.questions.world import play


@contextmanager
def played() -> Iterator[Engine]:
    """Give a database in which the small world took place."""
    with TemporaryDirectory() as directory:
        engine = open_engine(f"sqlite:///{directory}/busytime.db")
        upgrade(engine)
        play(engine)
        yield engine
        engine.dispose()


def anew(written: str) -> str:
    """Return the document with the answers of the small world."""
    with played() as engine, engine.connect() as connection:
        return written_anew(written, lambda question: question.ask(connection))


if __name__ == "__main__":
    file = Path(sys.argv[1])
    file.write_text(anew(file.read_text(encoding="utf-8")), encoding="utf-8")
