"""A limit on each client's requests: a bucket that fills up again."""

from collections import OrderedDict
from collections.abc import Callable
from time import monotonic

# Clients that are remembered; the one that was seen longest ago is forgotten, and starts with a full bucket.
_MOST_CLIENTS = 10_000


class RateLimit:
    """Limits each client's requests per minute, and at once.

    Args:
        a_minute: how much.
        clock: tells the seconds.
    """

    def __init__(self, a_minute: int, clock: Callable[[], float] = monotonic) -> None:
        self._a_minute = a_minute
        self._clock = clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def seconds_until_free(self, client: str) -> float:
        """Return how long a client must wait; 0 where it need not."""
        return max(0.0, (1.0 - self._available(client)) * 60.0 / self._a_minute)

    def take(self, client: str) -> None:
        """Counts something that a client did."""
        self._left[client] = (self._available(client) - 1.0, self._clock())
        self._left.move_to_end(client)
        while len(self._left) > _MOST_CLIENTS:
            self._left.popitem(last=False)

    def _available(self, client: str) -> float:
        left, since = self._left.get(client, (float(self._a_minute), self._clock()))
        return min(float(self._a_minute), left + (self._clock() - since) * self._a_minute / 60.0)
