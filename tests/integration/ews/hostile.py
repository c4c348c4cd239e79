"""Small servers on loopback that misbehave on purpose: each a socket and a function that plays one connection."""

import contextlib
import gzip
import selectors
import socket
import ssl
import threading
from contextlib import contextmanager

SUBJECT = "Takeover of Contoso"
ENVELOPE = (
    '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"'
    ' xmlns:m="http://schemas.microsoft.com/exchange/services/2006/messages"'
    ' xmlns:t="http://schemas.microsoft.com/exchange/services/2006/types"><s:Body>{}</s:Body></s:Envelope>'
)


class Server:
    """Accepts connections until it is closed; keeps what clients sent.

    Args:
        play: Called with each connection; what it returns is sent, then the connection is closed.
        context: A server's TLS context, or plain.
    """

    def __init__(self, play, context=None):
        self._play = play
        self._context = context
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._stop, self._stopped = socket.socketpair()
        self._threads = []
        self.received = []
        self.connections = 0
        self.closing = threading.Event()
        self.port = self._listener.getsockname()[1]
        self._main = threading.Thread(target=self._serve)
        self._main.start()

    def url(self, path="/EWS/Exchange.asmx", host="127.0.0.1"):
        return f"{'https' if self._context else 'http'}://{host}:{self.port}{path}"

    def _serve(self):
        with selectors.DefaultSelector() as selector:
            selector.register(self._listener, selectors.EVENT_READ)
            selector.register(self._stopped, selectors.EVENT_READ)
            while not any(key.fileobj is self._stopped for key, _ in selector.select()):
                connection, _ = self._listener.accept()
                self.connections += 1
                thread = threading.Thread(target=self._connection, args=(connection,))
                self._threads.append(thread)
                thread.start()

    def _connection(self, connection):
        connection.settimeout(5)
        with contextlib.ExitStack() as stack:
            stack.callback(connection.close)
            with contextlib.suppress(OSError):
                if self._context:
                    connection = self._context.wrap_socket(connection, server_side=True)
                    stack.callback(connection.close)
                answer = self._play(self, connection)
                if answer:
                    connection.sendall(answer)

    def read_request(self, connection):
        """Read one whole request and keep it; ``None`` where the client went away."""
        data = b""
        while b"\r\n\r\n" not in data:
            part = connection.recv(65536)
            if not part:
                return None
            data += part
        head, _, body = data.partition(b"\r\n\r\n")
        lengths = [line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
        missing = int(lengths[0].split(b":")[1]) - len(body) if lengths else 0
        while missing > 0:
            part = connection.recv(65536)
            if not part:
                break
            body += part
            missing -= len(part)
        self.received.append(head + b"\r\n\r\n" + body)
        return self.received[-1]

    def close(self):
        self.closing.set()
        self._stop.send(b"x")
        self._main.join()
        for thread in self._threads:
            thread.join()
        for sock in (self._listener, self._stop, self._stopped):
            sock.close()


@contextmanager
def serving(play, context=None):
    server = Server(play, context)
    try:
        yield server
    finally:
        server.close()


def response(body, status="200 OK", headers=(), *, length=None):
    """Return the bytes of a whole answer."""
    content = body.encode() if isinstance(body, str) else body
    lines = [f"HTTP/1.1 {status}", *headers, f"Content-Length: {len(content) if length is None else length}"]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + content


def answering(*args, **kwargs):
    """Return a play that reads the request and answers with ``response`` of these arguments."""

    def play(server, connection):
        server.read_request(connection)
        return response(*args, **kwargs)

    return play


def soap(payload):
    return ENVELOPE.format(payload)


def fault(code, message_xml=""):
    return soap(
        "<s:Fault><faultcode>a:" + code + f"</faultcode><faultstring>{SUBJECT}</faultstring><detail>"
        f'<e:ResponseCode xmlns:e="http://schemas.microsoft.com/exchange/services/2006/errors">{code}</e:ResponseCode>'
        f"<e:Message xmlns:e='http://schemas.microsoft.com/exchange/services/2006/errors'>{SUBJECT}</e:Message>"
        f"{message_xml}</detail></s:Fault>"
    )


def event(start, end, status="Busy", more=""):
    return (
        f"<t:CalendarEvent><t:StartTime>{start}</t:StartTime><t:EndTime>{end}</t:EndTime>"
        f"<t:BusyType>{status}</t:BusyType>{more}</t:CalendarEvent>"
    )


def mailbox(events, view="FreeBusy"):
    return (
        '<m:FreeBusyResponse><m:ResponseMessage ResponseClass="Success"><m:ResponseCode>NoError</m:ResponseCode>'
        f"</m:ResponseMessage><m:FreeBusyView><t:FreeBusyViewType>{view}</t:FreeBusyViewType>"
        f"<t:CalendarEventArray>{events}</t:CalendarEventArray></m:FreeBusyView></m:FreeBusyResponse>"
    )


def availability(*mailboxes):
    return soap(
        "<m:GetUserAvailabilityResponse><m:FreeBusyResponseArray>"
        + "".join(mailboxes)
        + "</m:FreeBusyResponseArray></m:GetUserAvailabilityResponse>"
    )


def folder_error(code):
    return soap(
        '<m:GetFolderResponse><m:ResponseMessages><m:GetFolderResponseMessage ResponseClass="Error">'
        f"<m:MessageText>{SUBJECT}</m:MessageText><m:ResponseCode>{code}</m:ResponseCode><m:Folders/>"
        "</m:GetFolderResponseMessage></m:ResponseMessages></m:GetFolderResponse>"
    )


def bomb(megabytes):
    """Return a small gzip body that unpacks to many megabytes."""
    return gzip.compress(b"<s:Envelope>" + b" " * megabytes * 2**20)


def server_context(certificate, *, maximum=None):
    """Return a server's TLS context for a PEM file with certificate and key."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if maximum is not None:
        # OpenSSL 3 speaks the old versions at its lowest security level alone.
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
        context.minimum_version = maximum
        context.maximum_version = maximum
    context.load_cert_chain(certificate)
    return context
