"""The requests of one connection that have no reply yet, and which replies are lost."""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass

from ._damage import Damage, Loss
from ._resp_frames import Frames, NotResp

# A script or function that the server does not have has not run.
_MISSING = (b"-NOSCRIPT ", b"-ERR Function not found")
_BEGINS_TRANSACTION = re.compile(rb"\*1\r\n\$5\r\nMULTI\r\n", re.IGNORECASE)
_ENDS_TRANSACTION = re.compile(rb"\*1\r\n\$(4\r\nEXEC|7\r\nDISCARD)\r\n", re.IGNORECASE)


@dataclass
class _Request:
    matched: list[Loss]
    loss: Loss | None = None
    """The one that was chosen for it."""


class Unanswered:
    """Pairs each reply with its request, since replies come in the order of requests.

    What is not RESP cannot be paired: the next bytes from the server are taken for the reply.
    """

    def __init__(self, damage: Damage) -> None:
        self._damage = damage
        self._is_resp = True
        self._in_requests, self._in_replies = Frames(), Frames()
        self._request = bytearray()
        """The beginning of a request."""
        self._transaction: bytes | None = None
        """What came after MULTI: the reply to its EXEC is the one to lose."""
        self._requests: deque[_Request] = deque()
        self._reply = bytearray()
        """The beginning of a reply that is to be lost."""
        self._answered: _Request | None = None
        """The request of the reply that has begun last."""
        self._reply_ended = True
        self.is_lost = False
        """Whether the connection ends, since a reply was lost."""

    def ask(self, data: bytes) -> None:
        """Bytes go to the server."""
        for part, ends in self._parts(self._in_requests, data):
            self._request += part
            if ends:
                self._requests.append(_Request(self._matched(bytes(self._request))))
                self._request.clear()
        if self.is_lost:
            self._lose_all()

    @property
    def may_be_lost(self) -> bool:
        """Whether there is a loss that no request was chosen for, and a request that it matches."""
        if not (losses := self._damage.losses):
            return False
        return any(loss in losses for request in self._requests for loss in request.matched)

    def choose(self) -> None:
        """Choose the requests whose replies are lost: the last ones.

        The end of the connection takes all replies along that come later.
        """
        for request in reversed(self._requests):
            for loss in request.matched:
                if request.loss is None and loss in self._damage.losses:
                    self._damage.losses.remove(loss)
                    request.loss = loss

    def answer(self, data: bytes) -> bytes:
        """Bytes come from the server. Returns those that the client gets."""
        passed = bytearray()
        for part, ends in self._parts(self._in_replies, data):
            if self._reply_ended:
                # A push message answers no request.
                self._answered = None if part.startswith(b">") else self._next()
            self._reply_ended = ends
            if self._answered is None or (loss := self._answered.loss) is None:
                passed += part
                continue
            self._reply += part
            if not ends:
                continue
            reply = bytes(self._reply)
            self._reply.clear()
            if reply.startswith(_MISSING):
                self._damage.losses.append(loss)
                passed += reply
            else:
                self._damage.counts[loss.counted_as] += 1
                self._lose_all()
                passed += reply[: min(loss.let_through, len(reply) - 1)]
                break
        return bytes(passed)

    def _parts(self, frames: Frames, data: bytes) -> list[tuple[bytes, bool]]:
        if self._is_resp:
            try:
                return list(frames.feed(data))
            except NotResp:
                self._is_resp = False
        return [(data, True)]

    def _matched(self, request: bytes) -> list[Loss]:
        if _BEGINS_TRANSACTION.fullmatch(request):
            self._transaction = b""
            return []
        if self._transaction is not None:
            self._transaction += request
            if not _ENDS_TRANSACTION.fullmatch(request):
                return []
            request, self._transaction = self._transaction, None
        losses = self._damage.losses
        return [loss for loss in losses if any(each in request for each in loss.matching)]

    def _next(self) -> _Request | None:
        while self._requests:
            request = self._requests.popleft()
            if self._is_resp or request.loss is not None:
                return request
        return None

    def _lose_all(self) -> None:
        self.is_lost = True
        self.choose()
        for request in self._requests:
            if request.loss is not None:
                self._damage.counts[request.loss.counted_as] += 1
        self._requests.clear()
