"""Addresses that servers give: read alike by everybody, or not at all."""

import pytest

from busytime.errors import ConfigurationError
from busytime.ews.web_addresses import https_address, mail_domain


@pytest.mark.parametrize(
    ("text", "url", "host"),
    [
        ("https://mail.corp.example/a.xml", "https://mail.corp.example/a.xml", "mail.corp.example"),
        (" HTTPS://Mail.Corp.Example. ", "https://mail.corp.example/", "mail.corp.example"),
        ("https://mail.corp.example:08443/a", "https://mail.corp.example:8443/a", "mail.corp.example"),
        ("https://mail.corp.example?x=1#y", "https://mail.corp.example/?x=1", "mail.corp.example"),
        ("https://mail_1.corp.example/a", "https://mail_1.corp.example/a", "mail_1.corp.example"),
    ],
)
def test_usual_addresses_are_read(text, url, host):
    address = https_address(text)
    assert (address.url, address.host) == (url, host)


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "http://mail.corp.example/",
        "ftp://mail.corp.example/",
        "//mail.corp.example/",
        "/a.xml",
        "mail.corp.example",
        "https://",
        "https://user@mail.corp.example/",
        "https://mail.corp.example:pass@other.example/",
        "https://other.example\\.corp.example/",
        "https://other.example\\@corp.example/",
        "https://corp.example/\\other",
        "https://other.example /",
        "https://mäil.corp.example/",
        "https://\u212aorp.example/",
        "https://[::1]/",
        "https://[corp.example/",
        "https://mail.corp.example:0/",
        "https://mail.corp.example:65536/",
        "https://mail.corp.example:x/",
        "https://mail.corp.example/\r\nX: y",
        "https://mail.corp.example/" + "a" * 2048,
    ],
)
def test_what_two_readers_could_read_differently_is_not_read(text):
    assert https_address(text) is None


def test_what_is_sent_is_what_was_read():
    # urllib drops tabs and ends of lines inside of an address: the address without them is the one that is used.
    address = https_address("https://other.example\t.corp.example/", "https://a.example/")
    assert (address.url, address.host) == ("https://other.example.corp.example/", "other.example.corp.example")


def test_relative_addresses_are_read_beside_their_base():
    assert https_address("/b.xml", "https://mail.corp.example/a/a.xml").url == "https://mail.corp.example/b.xml"
    assert https_address("//other.example/b", "https://mail.corp.example/").host == "other.example"
    assert https_address("/b.xml", "http://mail.corp.example/a.xml") is None


def test_domains_are_as_the_name_system_knows_them():
    assert mail_domain("Ana@Corp.Example") == "corp.example"
    assert mail_domain("ana@b\u00fccher.example") == "xn--bcher-kva.example"


@pytest.mark.parametrize("email", ["", "ana", "ana@", "ana@corp.example/x", "ana@corp.example:8443", "a@b@corp.example/"])
def test_what_is_no_address_has_no_domain(email):
    with pytest.raises(ConfigurationError):
        mail_domain(email)
