"""Receivers of alarms on loopback: a small mail server and a webhook, that keep what they get and can be told to misbehave."""

import email
import email.policy
import json
import socketserver
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class MailServer(socketserver.ThreadingTCPServer):
    """Speaks as much SMTP as a client needs to leave a mail."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Mail)
        self.mails, self.refuses = [], False

    def address(self, more="", user=""):
        where = f"{user}127.0.0.1:{self.server_address[1]}"
        return f"mailto://{where}/?from=busytime@corp.example&to=admin@corp.example&mode=insecure{more}"


class _Mail(socketserver.StreamRequestHandler):
    def handle(self):
        self.say("220 loopback")
        while line := self.rfile.readline().decode().strip():
            verb = line.split()[0].upper()
            if verb == "DATA":
                self.say("354 go on")
                self.take()
            elif verb == "QUIT":
                self.say("221 bye")
                return
            elif verb == "EHLO":
                self.say("250-loopback\r\n250 AUTH PLAIN")
            elif verb == "AUTH":
                self.say("535 nobody knows hunter2")
            elif verb == "RCPT" and self.server.refuses:
                self.say("550 unknown here")
            else:
                self.say("250 ok")

    def take(self):
        lines = []
        while (line := self.rfile.readline()) not in {b".\r\n", b""}:
            lines.append(line.removeprefix(b".") if line.startswith(b"..") else line)
        self.server.mails.append(email.message_from_bytes(b"".join(lines), policy=email.policy.default))
        self.say("250 taken")

    def say(self, words):
        self.wfile.write(f"{words}\r\n".encode())


class Webhook(ThreadingHTTPServer):
    """Takes JSON; answers with `status`, once `may_answer` is set."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Hook)
        self.bodies, self.status, self.may_answer = [], 200, threading.Event()
        self.may_answer.set()

    def address(self, secret="hunter2"):
        return f"json://admin:{secret}@127.0.0.1:{self.server_address[1]}/hook"


class _Hook(BaseHTTPRequestHandler):
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.may_answer.wait(20)
        if self.server.status == 200:
            self.server.bodies.append(body)
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, *_):
        pass


@contextmanager
def serving(server):
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    try:
        yield server
    finally:
        getattr(server, "may_answer", threading.Event()).set()
        server.shutdown()
        server.server_close()


def text_of(mail):
    """Return a mail's one part, which is plain text."""
    assert mail.get_content_type() == "text/plain"
    return mail.get_content()
