"""Names of hosts that lead to servers on loopback, and a name server that answers questions for records."""

import contextlib
import socket
import threading
from contextlib import contextmanager

import dns.flags
import dns.message
import dns.resolver
import dns.rrset

_LOOPBACK = "127.0.0.1"


class Names:
    """The names that are known; every other one does not resolve."""

    def __init__(self):
        self.ports = {}
        self.asked = []

    def lead(self, host, port, to):
        """Let a host's port lead to one on loopback."""
        self.ports[host, port] = to

    def resolve(self, host, port, *_args, **_kwargs):
        """Stand in for ``socket.getaddrinfo``: no code of ours, and the only way into the network."""
        if host == _LOOPBACK:
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, port))]
        self.asked.append((host, port))
        if (host, port) not in self.ports:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (_LOOPBACK, self.ports[host, port]))]


@contextmanager
def name_server(records):
    """Serve SRV records over UDP: a mapping of names to lists of records in text form; ``None`` never answers.

    Yields:
        Its port.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((_LOOPBACK, 0))
        sock.settimeout(0.05)
        stopped = threading.Event()
        thread = threading.Thread(target=_serve, args=(sock, records, stopped))
        thread.start()
        try:
            yield sock.getsockname()[1]
        finally:
            stopped.set()
            thread.join()


def _serve(sock, records, stopped):
    while not stopped.is_set():
        with contextlib.suppress(TimeoutError):
            packet, peer = sock.recvfrom(4096)
            if records is None:
                continue
            query = dns.message.from_wire(packet)
            answer = dns.message.make_response(query)
            found = records.get(query.question[0].name.to_text())
            if found:
                answer.answer.append(dns.rrset.from_text(query.question[0].name, 60, "IN", "SRV", *found))
            else:
                answer.set_rcode(3)  # no such name
            sock.sendto(answer.to_wire(), peer)


def ask_at(monkeypatch, port):
    """Let the resolver ask this port instead of what the machine's configuration names."""

    def configure(self, _file):
        self.nameservers = [_LOOPBACK]
        self.port = port

    monkeypatch.setattr(dns.resolver.Resolver, "read_resolv_conf", configure)
