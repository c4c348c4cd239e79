"""One request outside of any connection: a fresh session, a deadline, and errors translated before they leave.

Nothing is kept between two requests, neither a cookie nor a connection nor a log-on, and no redirect is followed.
"""

import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import requests

from busytime.errors import BusyTimeError, SpoiltAnswerError
from busytime.ews.body import Unreadable
from busytime.ews.deadline import exchange
from busytime.ews.failures import Request, make_error, transport_error
from busytime.ews.logging_on import Send, Way
from busytime.ews.session import bare_session, silence_libraries

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Question:
    """What is sent once.

    Args:
        request: What is asked and where, for messages too.
        seconds: The deadline, from connecting to the last byte that is read.
        method: The HTTP method.
        body: What goes with it.
    """

    request: Request
    seconds: float
    method: str = "POST"
    body: bytes = b""


def send_bare(send: Send) -> requests.Response:
    """Send without a log-on."""
    return send({})


class Asker:
    """Sends single requests. Safe to use from several threads."""

    def __init__(self, context: ssl.SSLContext) -> None:
        """Take what checks the servers."""
        silence_libraries()
        self._context = context

    def ask(
        self, question: Question, read: Callable[[requests.Response], T | BusyTimeError], way: Way = send_bare
    ) -> T | BusyTimeError:
        """Send one request and read its answer; any failure is returned, not raised.

        Args:
            question: What is sent.
            read: Takes the answer, of which only the head was read.
            way: How it logs on; without it there is no log-on.
        """
        request = question.request
        with bare_session(self._context) as session, exchange(question.seconds) as under_way:
            answers: list[requests.Response] = []

            def send(headers: Mapping[str, str]) -> requests.Response:
                answers.append(
                    session.request(
                        question.method,
                        request.url,
                        data=question.body,
                        headers=dict(headers),
                        stream=True,
                        allow_redirects=False,
                        timeout=question.seconds,
                    )
                )
                return answers[-1]

            try:
                return read(way(send))
            except Unreadable as unreadable:
                return make_error(SpoiltAnswerError, unreadable.reason, request)
            except BusyTimeError as error:
                return error
            except Exception as failure:  # noqa: BLE001 -- the boundary: nothing of a library may pass it
                return transport_error(failure, under_way, request)
            finally:
                for answer in answers:
                    answer.close()
