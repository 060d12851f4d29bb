"""A world for exchanges: one shelf of records, an origin that answers by a script, a clock that the test moves."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from core_rows import NOW, fields, rules_of, stored_of

from sansio_cache.actions import (
    Alone,
    BodyStart,
    Claim,
    Discard,
    Drop,
    Fetch,
    Freshen,
    Granted,
    Landed,
    Later,
    Load,
    LoadBody,
    Loaded,
    Supersede,
)
from sansio_cache.decisions import Answer, FromNetwork, FromStore
from sansio_cache.drivers import run
from sansio_cache.exchange import exchange
from sansio_cache.keeping import Superseded
from sansio_cache.messages import Received, Request, Unreachable
from sansio_cache.policy import Policy
from sansio_cache.records import Item, chunk_hashes, variant_of
from sansio_cache.rules import Rules


class Reply(NamedTuple):
    """What the origin is to answer."""

    status: int = 200
    lines: tuple[str, ...] = ()
    body: bytes = b"from the origin"
    delay: float = 0.0


class OriginGone(Exception):
    """The origin cannot be reached."""


def reply(*lines: str, status: int = 200, body: bytes = b"from the origin", delay: float = 0.0) -> Reply:
    """A scripted answer with these header fields."""
    return Reply(status, lines, body, delay)


class SmallWorld:
    """Performs actions, and notes them.

    :ivar script: the origin's next answers; an exception is a failure of the network.
    :ivar claims: the next answers to ``Claim``; Granted when there are none left.
    :ivar log: the verbs performed.
    :ivar sent: the requests that went to the origin.
    :ivar later_asked: the background validations asked for.
    :ivar chunks: the bodies that do not lie beside their heads, by entry.
    """

    def __init__(self, rules: Rules | None = None, script: Iterable[Reply | Exception] = ()) -> None:
        self.rules = rules_of() if rules is None else rules
        self.script = list(script)
        self.claims: list[type[Granted | Landed | Alone]] = []
        self.now = NOW
        self.shelf: dict[bytes, dict[bytes, tuple[Item, int]]] = {}
        self.log: list[str] = []
        self.sent: list[Request] = []
        self.later_asked: list[Later] = []
        self.chunks: dict[bytes, list[bytes]] = {}
        self._rev = 0
        self._body = b""

    def put(self, item: Item) -> None:
        """Commit a record."""
        self._rev += 1
        self.shelf.setdefault(item.partition, {})[item.variant] = (item, self._rev)

    def items(self) -> list[Item]:
        """All that is stored."""
        return [item for partition in self.shelf.values() for item, _ in partition.values()]

    def load(self, action: Load, /) -> Loaded:
        self.log.append("load")
        rows = self.shelf.get(action.keys.partition, {}).values()
        return Loaded([stored_of(item, rev) for item, rev in rows], self.now)

    def load_body(self, action: LoadBody, /) -> BodyStart | None:
        self.log.append("load_body")
        chunks = self.chunks.get(action.record.stored.entry)
        return None if chunks is None else BodyStart(chunk_hashes(b"".join(chunks)), chunks[action.index])

    def discard(self, action: Discard, /) -> None:
        self.log.append("discard")
        head = action.record.head
        partition, variant = self.shelf.get(head.partition, {}), variant_of(head.method, head.vary)
        if variant in partition and partition[variant][1] == action.record.stored.rev:
            del partition[variant]

    def claim(self, action: Claim, /) -> Granted | Landed | Alone:
        self.log.append("claim")
        return (self.claims.pop(0) if self.claims else Granted)(self.now)

    def fetch(self, action: Fetch, /) -> Received | Unreachable:
        self.log.append("fetch")
        self.sent.append(action.request)
        answer = self.script.pop(0)
        if isinstance(answer, Exception):
            return Unreachable(answer, self.now)
        asked = self.now
        self.now += answer.delay
        self._body = answer.body
        return Received(answer.status, "Reason", fields(*answer.lines), asked, self.now)

    def freshen(self, action: Freshen, /) -> bool:
        self.log.append("freshen")
        old = self.shelf.get(action.item.partition, {}).get(action.item.variant)
        if old is None or old[1] != action.rev:
            return False
        self.put(action.item)
        return True

    def drop(self, action: Drop, /) -> None:
        self.log.append("drop")
        for partition in self.shelf.values():
            for variant in [key for key, (item, _) in partition.items() if item.resource == action.resource]:
                del partition[variant]

    def supersede(self, action: Supersede, /) -> None:
        self.log.append("supersede")
        self._remove(action.keys.partition, action.superseded)

    def _remove(self, partition: bytes, superseded: Iterable[Superseded]) -> None:
        variants = self.shelf.get(partition, {})
        for variant, rev, _ in superseded:
            if variant in variants and variants[variant][1] == rev:
                del variants[variant]

    def later(self, action: Later, /) -> None:
        self.log.append("later")
        self.later_asked.append(action)

    def answer(self, request: Request, *, background: bool = False) -> Answer:
        """The answer to a request; a response to be kept is kept, as if its body had been read."""
        answer = run(exchange(request, self.rules, self.now, background=background), self)
        if answer.keeping is not None:
            item = answer.keeping.finish(self._body, b"", len(self._body), chunk_hashes(self._body))
            if isinstance(item, Item):
                self.put(item)
            self._remove(answer.keeping.keys.partition, answer.keeping.superseded)
        return answer

    def body(self, answer: Answer) -> bytes:
        """The body of an answer just given."""
        match answer.body:
            case FromNetwork():
                return self._body
            case FromStore(record, start, stop):
                assert record.stored.body is not None
                return record.stored.body[start:stop]
            case given:
                return given.data


class Step(NamedTuple):
    """One request and what is to come of it."""

    request: Request
    origin: Reply | Exception | list[Reply | Exception] | None
    status: int
    source: str
    fields: tuple[str, ...] = ()
    after: float = 0.0


def step(
    request: Request,
    origin: Reply | Exception | list[Reply | Exception] | None,
    status: int,
    source: str,
    *fields: str,
    after: float = 0.0,
) -> Step:
    return Step(request, origin, status, source, fields, after)


def source_of(answer: Answer) -> str:
    if answer.revalidated:
        return "validated"
    return "store" if answer.from_cache else "origin"


def converse(settings: dict[str, Any], steps: list[Step]) -> None:
    """Make each step of a conversation, and check what comes of it."""
    world = SmallWorld(rules_of(Policy(**settings)))
    for at, (request, origin, status, source, lines, after) in enumerate(steps):
        world.now += after
        world.script = [] if origin is None else origin if isinstance(origin, list) else [origin]
        try:
            answer = world.answer(request)
        except OriginGone:
            assert source == "error", f"step {at}"
            continue
        assert (answer.status, source_of(answer)) == (status, source), f"step {at}"
        assert not world.script, f"step {at}: the origin should have been asked"
        for line in lines:
            name, _, value = line.partition(": ")
            if name.startswith("!"):
                assert name[1:].lower() not in answer.headers, f"step {at}"
            else:
                assert value in answer.headers.lines(name.lower()), f"step {at}"
