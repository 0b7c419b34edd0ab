"""A limit on requests per second for threads and asyncio tasks."""

import threading
import time
from collections.abc import Callable

REQUESTS_PER_SECOND = 3
REQUESTS_PER_SECOND_WITH_KEY = 10
# Requests are counted where they arrive. At four fifths of the limit, it takes one request that is 200 ms
# slower than the next ones for a second to hold more requests than allowed.
_SHARE_OF_LIMIT = 0.8

_shared: dict[tuple[str, str | None], "RateLimiter"] = {}
_shared_lock = threading.Lock()


class RateLimiter:
    """Spaces requests evenly.

    Even spacing, and a first request that waits as long as any other, keep the limit also across a process
    that is killed and started again: no burst at the start can add to requests that the former process just
    sent. Processes that run at the same time know nothing of each other.

    Args:
        per_second: requests that the server allows in any second; paced at four fifths of it.
        clock: a monotonic clock, in seconds.
    """

    def __init__(self, per_second: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self._interval = 1 / (per_second * _SHARE_OF_LIMIT)
        self._lock = threading.Lock()
        self._free_at = clock() + self._interval

    def take(self) -> float:
        """Wait for the right to send one request.

        Returns:
            0 when it is granted; else the seconds to wait before asking again. Nothing is reserved meanwhile,
            so a caller that wakes up late cannot crowd the next one.
        """
        with self._lock:
            now = self.clock()
            if now < self._free_at:
                return self._free_at - now
            self._free_at = now + self._interval
            return 0

    def hold(self, seconds: float) -> None:
        """Stop all requests for some seconds.

        A server asks for it with ``Retry-After``.
        """
        with self._lock:
            self._free_at = max(self._free_at, self.clock() + seconds)


def shared_limiter(address: str, api_key: str | None) -> RateLimiter:
    """Return the limiter of a server and API key.

    All clients of this process share it.
    """
    per_second = REQUESTS_PER_SECOND_WITH_KEY if api_key else REQUESTS_PER_SECOND
    with _shared_lock:
        return _shared.setdefault((address, api_key), RateLimiter(per_second))
