"""`busytime audit report` as people type it: what it prints, how it ends, and what stands in the page."""

import json
import re
import stat
import subprocess
import sys
from html.parser import HTMLParser

import matplotlib as mpl
import pytest

from busytime.report.charts import Bar, Frame, bars
from busytime.report.page import page
from busytime.report.svg import Role
from busytime.store.database import open_engine, upgrade
from busytime.store.reading_views import open_reader, snapshot
from busytime.store.report_facts import gather
from deployments.cli import audit_report
from deployments.cli.main import main
from tests.integration.store import report_world
from tests.integration.store.report_world import ATTACKS, NOW, PERIOD, SECRETS


@pytest.fixture
def office(tmp_path, monkeypatch):
    """Make a database of a world, named as a reader does it: without a key. The clock stands."""

    class Standing:
        @staticmethod
        def now(_zone):
            return NOW

    def make(name):
        url = f"sqlite:///{tmp_path / 'busytime.db'}"
        engine = open_engine(url)
        upgrade(engine)
        getattr(report_world, name)().fill(engine)
        engine.dispose()
        monkeypatch.setenv("BUSYTIME_DATABASE_URL", url)
        monkeypatch.setattr(audit_report, "datetime", Standing)
        return tmp_path / "report.html"

    return make


def ended(capsys, *arguments):
    status = main(["audit", "report", *map(str, arguments)])
    told = capsys.readouterr()
    return status, " ".join(told.out.split()), " ".join(told.err.split())


class Reader(HTMLParser):
    """Goes through a page: its elements with their attributes, and its text."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.text = [], ""
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_data(self, data):
        self.text += data


def test_what_needs_attention_is_told_and_the_page_is_there(office, capsys):
    out = office("troubled")
    status, said, err = ended(capsys, "--out", out)
    assert (status, err) == (3, "")
    assert "3 rights lost. Next: busytime advise --out DIR" in said
    assert said.endswith(f"Written to {out}. 14 things to look at.")
    text = out.read_text()
    assert "14 things need attention" in text
    assert 'As of <time datetime="2026-11-23T14:05:00+00:00">2026-11-23 14:05 UTC</time>' in text
    assert stat.S_IMODE(out.stat().st_mode) == 0o600


def test_where_all_is_well_it_says_so(office, capsys):
    out = office("well")
    assert ended(capsys, "--out", out) == (0, f"Written to {out}. Nothing needs attention.", "")
    assert '<h1 id="attention-title">Nothing needs attention</h1>' in out.read_text()


def test_one_object_tells_the_same(office, capsys):
    out = office("stopped")
    status = main(["audit", "report", "--out", str(out), "--from", "2026-11-20", "--to", "2027-01-01", "--json"])
    told = json.loads(capsys.readouterr().out)
    first, *_ = told.pop("attention")
    assert (status, first["kind"], first["next"]) == (3, "breaker_open", "busytime password busytime@corp.example")
    times = {"as_of": NOW.isoformat(), "from": "2026-11-20T00:00:00+00:00", "to": NOW.isoformat()}
    assert told == {"out": str(out), "bytes": out.stat().st_size} | times


def test_a_long_span_is_told_in_weeks(office, capsys):
    out = office("well")
    ended(capsys, "--out", out, "--from", "2026-08-24")
    text = out.read_text()
    assert "How much of every 7 days" in text
    assert text.count('<th scope="col">2026-') == 14


def test_the_same_database_gives_the_same_bytes(office, capsys):
    out = office("troubled")
    ended(capsys, "--out", out)
    again = out.with_name("again.html")
    ended(capsys, "--out", again)
    assert out.read_bytes() == again.read_bytes()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--out", "report.txt"], "does not end in .html"),
        (["--out", "report.html", "--from", "2026-12-01"], "give an earlier --from"),
        (["--out", "report.html", "--from", "2026-11-20", "--to", "2026-11-20"], "give an earlier --from"),
        (["--out", "report.html", "--from", "yesterday"], "--from 'yesterday' is no time"),
        (["--out", "/proc/none/report.html"], "cannot be written"),
        (["--out", "busytime.db/report.html"], "cannot be written"),
    ],
)
def test_wrong_use_is_refused_and_writes_nothing(office, capsys, monkeypatch, arguments, said):
    folder = office("World").parent
    monkeypatch.chdir(folder)
    before = sorted(folder.iterdir())
    status, out, err = ended(capsys, *arguments)
    assert (status, out) == (2, "")
    assert said in err
    assert sorted(folder.iterdir()) == before


@pytest.fixture(scope="module")
def attacked(tmp_path_factory):
    """The page of a database in which every name attacks."""
    url = f"sqlite:///{tmp_path_factory.mktemp('attacked') / 'busytime.db'}"
    engine = open_engine(url)
    upgrade(engine)
    report_world.hostile().fill(engine)
    engine.dispose()
    reader = open_reader(url)
    with snapshot(reader) as views:
        text = page(gather(views, PERIOD)).decode()
    reader.dispose()
    return text


def test_no_name_becomes_a_part_of_the_page(attacked):
    read = Reader(attacked)
    tags = {tag for tag, _ in read.elements}
    assert not tags & {"script", "iframe", "img", "object", "embed", "form", "base", "image", "foreignobject", "animate"}
    for tag, attributes in read.elements:
        assert not [name for name in attributes if name.startswith("on")], tag
        for name in ("href", "src", "xlink:href"):
            assert attributes.get(name, "#").startswith("#") or (tag, attributes[name]) == ("link", "data:,")
    assert attacked.count("<style>") == attacked.count("</style>") == 1
    for attack in (ATTACKS[0], ATTACKS[1], ATTACKS[5], ATTACKS[6]):
        assert attack in read.text, attack
    assert not re.search("[\u202a-\u202e\u2066-\u2069]", attacked)
    assert "x" * 130 not in attacked


def test_names_of_elements_are_there_once(attacked):
    names = [attributes["id"] for _, attributes in Reader(attacked).elements if "id" in attributes]
    assert len(names) == len(set(names)) > 20
    referred = set(re.findall(r'(?:url\(#|href="#)([\w-]+)', attacked))
    assert referred <= set(names)


def test_nothing_is_fetched_and_what_guests_wrote_is_not_there(attacked):
    policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
    assert f'content="{policy}"' in attacked
    assert not re.search(r"https?://|@import|url\((?!#)", attacked)
    assert [secret for secret in SECRETS if secret in attacked] == []


def test_what_somebody_set_for_the_plotting_library_changes_nothing():
    def draw():
        return bars([Bar("granted $", 3, 2, Role.GOOD)], ("to read", "to write"), Frame("rights", 300, 100, 12, 20))

    theirs = {
        "savefig.bbox": "tight",
        "font.weight": "bold",
        "hatch.linewidth": 5,
        "axes.facecolor": "red",
        "path.sketch": (1, 2, 3),
    }
    before = draw()
    with mpl.rc_context(theirs):
        assert draw() == before
    assert b">granted $</text>" in before.svg


def test_no_other_command_waits_for_the_plotting_library():
    code = "import sys; from deployments.cli.main import main; main(['status', '--help']); print('matplotlib' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False"


def test_a_crowd_makes_a_page_that_is_short_and_small(office, capsys):
    out = office("crowd")
    ended(capsys, "--out", out)
    assert "And 170 more calendars, 160 of them known all the time." in out.read_text()
    assert out.stat().st_size < 500_000
