"""What a reader leaves out or cannot read of a file: said once with a count, not once a record."""

_KINDS_AT_MOST = 50


class Remarks:
    """Counts remarks on one file, each with the place where it was made first."""

    def __init__(self) -> None:
        self._found: dict[str, tuple[int, str]] = {}

    def note(self, remark: str, place: str) -> None:
        """Counts a remark.

        Args:
            remark: what was seen and what was done, such as ``unknown key 'color', left out``.
            place: where, such as ``line 3``.
        """
        if remark not in self._found and len(self._found) >= _KINDS_AT_MOST:
            remark = "other remarks of these kinds"
        count, first = self._found.get(remark, (0, place))
        self._found[remark] = count + 1, first

    def lines(self) -> list[str]:
        """The remarks in the order in which they were first made, a line each."""
        return [f"{remark} ({_times(count)}, first in {place})" for remark, (count, place) in self._found.items()]


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"
