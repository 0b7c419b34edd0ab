"""Remarks of a reader on a file, counted by kind."""

_KINDS_AT_MOST = 50


class Remarks:
    """Counts remarks on one file.

    Each has the position where it was made first.
    """

    def __init__(self) -> None:
        self._found: dict[str, tuple[int, str]] = {}

    def note(self, remark: str, location: str) -> None:
        """Count a remark.

        Args:
            remark: what was seen and what was done, such as ``unknown key 'color', left out``.
            location: where, such as ``line 3``.
        """
        if remark not in self._found and len(self._found) >= _KINDS_AT_MOST:
            remark = "other remarks of these kinds"
        count, first = self._found.get(remark, (0, location))
        self._found[remark] = count + 1, first

    def lines(self) -> list[str]:
        """Return the remarks, a line each.

        In the order in which they were first made.
        """
        return [f"{remark} ({_times(count)}, first in {location})" for remark, (count, location) in self._found.items()]


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"
