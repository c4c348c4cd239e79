"""The hosts that a domain's SRV records (RFC 2782) name for Autodiscover."""

import dns.exception
import dns.resolver

from busytime.ews.autodiscover_answers import PATH
from busytime.ews.web_addresses import WebAddress, https_address

_HTTPS_PORT = 443
#: Records that are looked at, best first; a domain that has more means well, and costs a place each.
_MOST = 3


def srv_places(domain: str, seconds: float) -> list[WebAddress]:
    """Return the places of Autodiscover that a domain's SRV records name, best first.

    Anybody on the way can forge an answer: a host named here is one that somebody else has to vouch for.

    Args:
        domain: A mail domain, in ASCII.
        seconds: How long the domain name system may take.
    """
    try:
        resolver = dns.resolver.Resolver()
        answer = resolver.resolve(f"_autodiscover._tcp.{domain}.", "SRV", lifetime=seconds, search=False)
        records = sorted(answer, key=lambda record: (record.priority, -record.weight))
        hosts = [(record.target.to_text(omit_final_dot=True), record.port) for record in records]
    except (dns.exception.DNSException, OSError, ValueError):
        return []  # most domains have none, and some networks have no resolver
    found = (https_address(f"https://{host}{'' if port == _HTTPS_PORT else f':{port}'}{PATH}") for host, port in hosts)
    return [place for place in found if place is not None][:_MOST]
