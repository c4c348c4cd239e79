"""Finding a server from an e-mail address: the values that are passed around, and which host may see the password."""

from dataclasses import dataclass

from busytime.model import AuthType


@dataclass(frozen=True, slots=True)
class LogOnPlace:
    """A place that tells where an account's server is, once one has logged on there.

    Args:
        url: Its full https address.
        host: Its host's name, which may see a password only if it is the mail's own or a person confirmed it.
        email: The address to ask for; another one than the account's where the directory said so.
        auth_types: The ways of logging on that it offers, as far as busytime knows them.
    """

    url: str
    host: str
    email: str
    auth_types: frozenset[AuthType]


def is_own_host(email: str, host: str) -> bool:
    """Tell whether a host is the mail's own domain, or lies under it.

    Args:
        email: The account's own address as the person gave it, never one that a server named instead.
        host: A host's name.
    """
    domain = email.rpartition("@")[2].lower()
    name = host.lower().rstrip(".")
    return bool(domain) and (name == domain or name.endswith(f".{domain}"))
