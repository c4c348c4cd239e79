"""What answers of Autodiscover say."""

import pytest
from lxml import etree

from busytime.errors import Reason
from busytime.ews.autodiscover_answers import Said, read_answer, settings_request
from busytime.ews.body import Unreadable, parse_xml
from tests.integration.ews.finding import error, settings

EWS = "https://mail.corp.example/EWS/Exchange.asmx"
INSIDE = "https://exch1.corp.local/EWS/Exchange.asmx"


def said(text):
    return read_answer(parse_xml(text.encode()))


def test_the_outer_address_comes_first():
    assert said(settings(("EXCH", INSIDE), ("EXPR", EWS))).ews_urls == (EWS, INSIDE)
    assert said(settings(("EXHTTP", INSIDE), ("EXCH", EWS))).ews_urls == (EWS, INSIDE)


@pytest.mark.parametrize("answer", [settings(), settings(("WEB", EWS), ("", EWS)), settings(("EXPR", " "))])
def test_settings_without_an_ews_url_name_none(answer):
    assert said(answer) == Said()


def test_other_schemas_count_as_well():
    assert said(settings(("EXPR", EWS)).replace("http://schemas", "https://schemas")).ews_urls == (EWS,)
    assert said(settings(("EXPR", EWS)).replace("Autodiscover xmlns", "Autodiscover xmlns:x")).ews_urls == (EWS,)


def test_redirects_are_told_apart():
    to = "https://mail.corp.example/autodiscover/autodiscover.xml"
    assert said(settings(action="redirectUrl", more=f"<RedirectUrl>{to}</RedirectUrl>")) == Said(redirect_url=to)
    assert said(settings(action="REDIRECTADDR", more="<RedirectAddr> a@b.example </RedirectAddr>")) == Said(
        redirect_address="a@b.example"
    )
    assert said(settings(action="redirectUrl")) == Said()


@pytest.mark.parametrize(("number", "code"), [("500", 500), ("x", 0), ("", 0), ("\u0665", 0), ("9" * 5000, 0), ("-1", 0)])
def test_errors_are_numbers_and_nothing_else(number, code):
    assert said(error(number)) == Said(error_code=code)


@pytest.mark.parametrize("answer", ["<a/>", "<Autodiscover/>", "<Autodiscover><Other/></Autodiscover>"])
def test_what_is_no_answer_is_unreadable(answer):
    with pytest.raises(Unreadable) as caught:
        said(answer)
    assert caught.value.reason is Reason.MALFORMED_ANSWER


def test_an_address_cannot_leave_its_element():
    email = "a&b'<x>@corp.example"
    root = etree.fromstring(settings_request(email))
    assert [etree.QName(one).localname for one in root.iter()] == [
        "Autodiscover",
        "Request",
        "EMailAddress",
        "AcceptableResponseSchema",
    ]
    assert root[0][0].text == email
