"""What is known of Microsoft's clouds by name."""

import pytest

from busytime.ews.clouds import is_cloud_sign_in, is_exchange_online, token_scope
from busytime.ews.token_endpoint import TokenEndpoint
from busytime.model import AuthType, Endpoint, Secret

ENTRA = "https://login.microsoftonline.com/tenant/oauth2/v2.0/token"


@pytest.mark.parametrize(
    "host", ["outlook.office365.com", "OUTLOOK.OFFICE365.COM.", "eur01.outlook.com", "outlook.office365.us", "partner.outlook.cn"]
)
def test_hosts_of_exchange_online(host):
    assert is_exchange_online(host)


@pytest.mark.parametrize(
    "host", ["mail.corp.example", "outlook.office365.com.corp.example", "myoutlook.com", "office365.corp.example"]
)
def test_other_hosts_are_none(host):
    assert not is_exchange_online(host)


@pytest.mark.parametrize("host", ["login.microsoftonline.com", "login.microsoftonline.us", "login.partner.microsoftonline.cn"])
def test_hosts_that_give_tokens_for_the_clouds(host):
    assert is_cloud_sign_in(host)
    assert not is_cloud_sign_in(f"{host}.corp.example")


@pytest.mark.parametrize(
    ("ews", "token_url", "scope"),
    [
        ("outlook.office365.com", ENTRA, "https://outlook.office365.com/.default"),
        ("eur01.outlook.com", ENTRA, "https://outlook.office365.com/.default"),
        ("mail.corp.example", ENTRA, "https://outlook.office365.com/.default"),
        ("outlook.office365.us", ENTRA, "https://outlook.office365.us/.default"),
        ("Mail.corp.example:8443", "https://adfs.corp.example/adfs/oauth2/token", "https://mail.corp.example/.default"),
    ],
)
def test_scope_is_the_clouds_own_or_the_servers(ews, token_url, scope):
    assert token_scope(f"https://{ews}/EWS/Exchange.asmx", token_url) == scope


def authorities(token_url, ca_pem):
    endpoint = Endpoint("a@corp.example", "https://mail.corp.example/", AuthType.OAUTH, ca_pem, token_url)
    asking = TokenEndpoint(endpoint, Secret("id", "secret"), None, deadline_seconds=1)
    return {str(one["subject"]) for one in asking._tls.get_ca_certs()}


def test_private_authority_has_no_say_about_the_clouds_and_stands_beside_the_public_ones_elsewhere(ca_pem):
    public = authorities(ENTRA, None)
    assert len(public) > 50
    assert authorities(ENTRA, ca_pem) == public
    own = authorities("https://adfs.corp.example/adfs/oauth2/token", ca_pem)
    assert public < own
    assert any("Contoso" in name for name in own)


@pytest.fixture(scope="module")
def ca_pem():
    from tests.integration.ews.conftest import Authority

    return Authority(None).pem
