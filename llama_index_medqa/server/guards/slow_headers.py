"""Closes connections whose request head takes too long."""

import asyncio
from functools import cache


@cache
def protocol_class(seconds: float) -> type[asyncio.Protocol]:
    """Return Uvicorn's HTTP/1.1 protocol with a limit for request heads.

    Args:
        seconds: from the opening of the connection, or from the first byte of a later request.
    """
    import h11
    from uvicorn.protocols.http.h11_impl import H11Protocol

    class ImpatientProtocol(H11Protocol):
        """Closes a connection on which the head of a request takes too long."""

        _head: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's
            super().connection_made(transport)
            self._await_head()

        def data_received(self, data: bytes) -> None:
            """Stop waiting once the head is whole, and start again with the next one."""
            super().data_received(data)
            if self.conn.their_state is h11.IDLE:
                self._await_head()
            else:
                self._stop_waiting()

        def connection_lost(self, exc: Exception | None) -> None:
            self._stop_waiting()
            super().connection_lost(exc)

        def _await_head(self) -> None:
            if self._head is None:
                self._head = self.loop.call_later(seconds, self.transport.close)

        def _stop_waiting(self) -> None:
            if self._head is not None:
                self._head.cancel()
                self._head = None

    return ImpatientProtocol
