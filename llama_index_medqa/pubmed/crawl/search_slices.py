"""Slices of a PubMed search that are small enough to be listed.

PubMed lists the first 9,999 hits of a search. A search with more is cut into ranges of days, and a day with
more into ranges of PMIDs. Every record has one entry date and one PMID, so these ranges neither overlap nor
leave anything out; by publication date a record may lie in two, once for paper and once for the web.
"""

from dataclasses import dataclass, replace
from datetime import date
from typing import Literal

from llama_index_medqa.errors import InputError

DateKind = Literal["publication", "entry", "modification"]
"""Which date of a record counts: of the issue or web version, of entry into PubMed, of the last change."""

_FIELD: dict[DateKind, str] = {"publication": "pdat", "entry": "edat", "modification": "mdat"}
# PubMed's oldest papers are of the 18th century, and issues are dated some months ahead.
_FIRST_DAY, _LAST_DAY = date(1700, 1, 1), date(2100, 12, 31)
_OPEN_END = date(3000, 12, 31)  # how PubMed's own help writes a range without end
_HIGHEST_PMID = 99_999_999  # NLM's DTD documentation: a PMID has 1 to 8 digits


@dataclass(frozen=True, slots=True)
class DateRange:
    """A range of days, both ends included.

    Attributes:
        kind: which date of a record counts.
        first: the first day.
        last: the last day, not before the first; left out for all days to come.

    Raises:
        InputError: the last day is before the first.
    """

    kind: DateKind
    first: date
    last: date = _OPEN_END

    def __post_init__(self) -> None:
        if self.last < self.first:
            raise InputError(f"The date range ends ({self.last}) before it starts ({self.first}). Swap them.")

    @property
    def clause(self) -> str:
        """Return the range in PubMed's query syntax."""
        return f"{_day(self.first)}:{_day(self.last)}[{_FIELD[self.kind]}]"


def date_range(kind: DateKind, first: date | None, last: date | None) -> DateRange | None:
    """Return the range that a user gave.

    None where no day is given.

    Raises:
        InputError: a last day without a first.
    """
    if first is None:
        if last is not None:
            raise InputError("--to needs --from. Give both, or neither.")
        return None
    return DateRange(kind, first, last) if last else DateRange(kind, first)


def changed_since(day: date) -> str:
    """Return a clause for records new or changed since a day.

    It is in PubMed's query syntax.
    """
    # A new record need not carry a modification date yet.
    return "(" + " OR ".join(f"{_day(day)}:3000[{field}]" for field in ("mdat", "edat", "crdt")) + ")"


def _day(day: date) -> str:
    return day.isoformat().replace("-", "/")


@dataclass(frozen=True, slots=True)
class SearchSlice:
    """The hits in a range of days and of PMIDs.

    Attributes:
        days: the days.
        lowest: the lowest PMID; narrowed only where a single day is too much.
        highest: the highest PMID.
    """

    days: DateRange
    lowest: int = 1
    highest: int = _HIGHEST_PMID

    @classmethod
    def everything(cls, kind: DateKind) -> "SearchSlice":
        """Return the slice that holds all of PubMed."""
        return cls(DateRange(kind, _FIRST_DAY, _LAST_DAY))

    @property
    def clause(self) -> str:
        """Return the slice in PubMed's query syntax."""
        if (self.lowest, self.highest) == (1, _HIGHEST_PMID):
            return self.days.clause
        return f"{self.days.clause} AND {self.lowest}:{self.highest}[uid]"

    def halves(self) -> tuple["SearchSlice", "SearchSlice"]:
        """Split the slice in two, the newer half first.

        Raises:
            InputError: the slice is a single PMID.
        """
        first, last = self.days.first.toordinal(), self.days.last.toordinal()
        if first < last:
            middle = (first + last) // 2
            newer = replace(self.days, first=date.fromordinal(middle + 1))
            return SearchSlice(newer), SearchSlice(replace(self.days, last=date.fromordinal(middle)))
        if self.lowest == self.highest:
            raise InputError(f"The slice {self.clause} is a single record and cannot be cut further.")
        highest_of_older = (self.lowest + self.highest) // 2
        return replace(self, lowest=highest_of_older + 1), replace(self, highest=highest_of_older)
