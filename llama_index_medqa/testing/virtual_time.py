"""Virtual time that passes only when somebody sleeps."""

import asyncio
import threading


class VirtualTime:
    """A clock that moves by sleeping; safe to share between threads and tasks.

    ::

        time = VirtualTime()
        double = EutilsDouble(records, clock=time.clock)
        limiter = RateLimiter(3, clock=time.clock)
        client = EntrezClient(EntrezSettings(limiter=limiter), transport=double.transport(), sleep=time.sleep)
    """

    def __init__(self) -> None:
        self._now = 0.0
        self._lock = threading.Lock()

    def clock(self) -> float:
        """Return the seconds since the start."""
        return self._now

    def sleep(self, seconds: float) -> None:
        """Move the clock on at once."""
        with self._lock:
            self._now += seconds

    async def sleep_async(self, seconds: float) -> None:
        """Move the clock on, and let other tasks run."""
        self.sleep(seconds)
        await asyncio.sleep(0)
