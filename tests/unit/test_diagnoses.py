"""Prompts and diagnoses name sections of the documentation, and these are there."""

import re
from pathlib import Path

from busytime import diagnoses
from busytime.errors import Reason

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/connecting.md").read_text(encoding="utf-8")
ANCHORS = re.findall(r'<a id="([a-z-]+)"></a>', PAGE)
PACKAGES = ("busytime", "config", "tasks", "flows", "deployments")


def named_in_code():
    found = set()
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            found |= set(re.findall(r"(?:docs/connecting\.md|\{_PAGE\})#([a-z-]+)", path.read_text(encoding="utf-8")))
    return found


def named_in_docs():
    found = set(re.findall(r"\(#([a-z-]+)\)", PAGE))
    for path in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]:
        found |= set(re.findall(r"connecting\.md#([a-z-]+)", path.read_text(encoding="utf-8")))
    return found


def test_every_section_that_is_named_is_there_once():
    assert sorted(set(ANCHORS)) == sorted(ANCHORS)
    assert (named_in_code() | named_in_docs()) <= set(ANCHORS)
    assert len(named_in_code()) > 10


def test_every_section_is_named_by_something():
    assert set(ANCHORS) <= named_in_code() | named_in_docs()


def test_every_diagnosis_in_the_documentation_is_named_by_the_product():
    begin, end = PAGE.index('<a id="when-it-does-not-connect">'), PAGE.index('<a id="as-an-owner">')
    told = re.findall(r'<a id="([a-z-]+)"></a>\n###', PAGE[begin:end])
    assert len(told) > 8
    assert set(told) <= named_in_code()


def test_a_message_gets_its_section_once():
    told = diagnoses.with_section("It was refused.", Reason.LOGON_REFUSED)
    assert told == "It was refused. See docs/connecting.md#password-refused."
    assert diagnoses.with_section(told, Reason.LOGON_REFUSED) == told
    assert diagnoses.with_section("Something else.", Reason.SLOT_TAKEN) == "Something else."
    assert diagnoses.with_section("Something else.", None) == "Something else."
