"""Requests and answers as the relay sees them, and their HTTP/1.1 form.

A cache is tested by what passes through it, so this module keeps names, order, repeats and bodies as they are, and
drops only the fields that speak of one connection.
"""

from dataclasses import dataclass

#: RFC 9110 §7.6.1. Fields that `Connection` names are *not* dropped: whether the cache keeps them is one of the tests.
HOP_BY_HOP = frozenset({"connection", "keep-alive", "proxy-connection", "te", "transfer-encoding", "upgrade"})

#: What the client makes itself from the URL and the body.
MADE_BY_CLIENT = frozenset({"host", "content-length"})

#: RFC 9110 §6.4.1: answers that end with their head.
BODILESS = frozenset({204, 304})

Fields = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Request:
    """One request of the suite's client, fields as sent."""

    method: str
    target: str
    fields: Fields
    body: bytes = b""

    @property
    def is_suite_traffic(self) -> bool:
        """Whether the suite talks to its own origin: nothing that a cache should see."""
        return self.target.startswith(("/config/", "/state/"))

    @property
    def test_id(self) -> str:
        """The test this request belongs to; empty if it names none."""
        return field(self.fields, "test-id") or ""

    def forwarded(self) -> Fields:
        """The fields to hand to the client under test.

        `Connection: close` is the relay's own: some tests send more body than they declare, and the rest would break
        the next answer on that connection.
        """
        kept = (pair for pair in self.fields if pair[0].lower() not in HOP_BY_HOP | MADE_BY_CLIENT)
        return (*kept, ("Connection", "close"))


@dataclass(frozen=True, slots=True)
class Answer:
    """One response, as a user of the client under test reads it; the body is not decoded."""

    status: int
    reason: str
    fields: Fields
    body: bytes = b""


def field(fields: Fields, name: str) -> str | None:
    """The first value of a field, by its lower-case name."""
    return next((value for key, value in fields if key.lower() == name), None)


def parse_head(head: bytes) -> Request:
    """The request without its body, from all bytes before the empty line."""
    first, *lines = head.decode("latin-1").split("\r\n")
    method, target, _version = first.split(" ")
    pairs = (line.partition(":") for line in lines if line)
    return Request(method, target, tuple((name, value.strip()) for name, _, value in pairs))


def body_length(request: Request) -> int:
    """How many bytes of body follow the head; the suite's client never sends chunks."""
    if field(request.fields, "transfer-encoding"):
        raise ValueError("a request with a Transfer-Encoding, which the suite never sends")
    return int(field(request.fields, "content-length") or 0)


def render_request(request: Request, host: str) -> bytes:
    """The bytes of a request that goes straight to the origin."""
    length = ("Content-Length", str(len(request.body)))
    fields = (*request.forwarded(), ("Host", host), length)
    return _render(f"{request.method} {request.target} HTTP/1.1", fields, request.body)


def render_answer(answer: Answer, method: str) -> bytes:
    """The bytes of an answer to the suite's client; the end of the connection ends a body without Content-Length."""
    kept = tuple(pair for pair in answer.fields if pair[0].lower() not in HOP_BY_HOP)
    body = b"" if method == "HEAD" or answer.status in BODILESS else answer.body
    return _render(f"HTTP/1.1 {answer.status} {answer.reason}", (*kept, ("Connection", "close")), body)


def check_length(answer: Answer, method: str) -> Answer:
    """The same answer, if its body is as long as it says; else `ValueError`.

    A shorter body would leave the suite's client waiting for ever.
    """
    declared = field(answer.fields, "content-length")
    if declared is None or method == "HEAD" or answer.status in BODILESS or int(declared) == len(answer.body):
        return answer
    raise ValueError(f"the answer's Content-Length is {declared}, its body has {len(answer.body)} bytes")


def bad_gateway(error: Exception) -> Answer:
    """The answer where the client raised: the origin dropped the connection and the cache had nothing to serve."""
    text = f"{type(error).__name__}: {error}".encode()
    return Answer(502, "Bad Gateway", (("Content-Type", "text/plain"), ("Content-Length", str(len(text)))), text)


def _render(first: str, fields: Fields, body: bytes) -> bytes:
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields)
    return f"{first}\r\n{lines}\r\n".encode("latin-1") + body
