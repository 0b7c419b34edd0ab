"""The double's records, with a small part of PubMed's query language."""

import re
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass

from lxml import etree

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_RANGE = re.compile(r"([\d/]+):([\d/]+)\[(pdat|edat|mdat|crdt|uid)\]", re.IGNORECASE)
_TOKEN = re.compile(r'\(|\)|"[^"]*"(?:\[[^\]]*\])?|(?:[^\s()\[]|\[[^\]]*\])+')


@dataclass(frozen=True, slots=True)
class _Entry:
    """A record as the search sees it; days are integers ``yyyymmdd``."""

    pmid: int
    text: str
    days: Mapping[str, frozenset[int]]


class Corpus:
    """Searchable records.

    A query is made of words and quoted phrases, which are looked for in the whole text of a record (a field
    tag behind them is ignored), of ranges such as ``2020/01:2020/06[pdat]`` and ``1:5000[uid]``, of ``AND``,
    ``OR`` and ``NOT``, applied from left to right as PubMed does, and of parentheses.

    Args:
        records: ``PubmedArticle`` or ``PubmedBookArticle`` elements by PMID.
    """

    def __init__(self, records: Mapping[str, bytes]) -> None:
        self._entries = {int(pmid): _read_entry(int(pmid), xml) for pmid, xml in records.items()}
        self._forget()

    def put(self, pmid: str, xml: bytes) -> None:
        """Add a record or replace it."""
        self._entries[int(pmid)] = _read_entry(int(pmid), xml)
        self._forget()

    def remove(self, pmid: str) -> None:
        """Take a record out."""
        del self._entries[int(pmid)]
        self._forget()

    def search(self, query: str, sort: str) -> list[str]:
        """Return the PMIDs that match a query.

        Newest first, unless sorted by relevance.
        """
        tokens = _TOKEN.findall(query)
        words = [_plain(token) for token in tokens if not _RANGE.fullmatch(token)]
        hits = _Query(tokens, self).matches()

        def rank(pmid: int) -> tuple[int, int]:
            entry = self._entries[pmid]
            if sort == "relevance":
                return sum(entry.text.count(word) for word in words), pmid
            return max(entry.days["pdat" if sort == "pub_date" else "edat"], default=0), pmid

        return [str(pmid) for pmid in sorted(hits, key=rank, reverse=True)]

    def with_text(self, text: str) -> frozenset[int]:
        """Return the PMIDs of records with a text in lower case."""
        if text not in self._by_text:
            hits = (pmid for pmid, entry in self._entries.items() if text in entry.text)
            self._by_text[text] = frozenset(hits)
        return self._by_text[text]

    def in_range(self, field: str, low: int, high: int) -> frozenset[int]:
        """Return the PMIDs of records in a range, ends included.

        Of a day, or of the PMID itself.
        """
        if field not in self._by_value:
            self._by_value[field] = sorted(
                (value, pmid)
                for pmid, entry in self._entries.items()
                for value in ([pmid] if field == "uid" else entry.days[field])
            )
        pairs = self._by_value[field]
        first, end = bisect_left(pairs, (low, 0)), bisect_left(pairs, (high + 1, 0))
        return frozenset(pmid for _, pmid in pairs[first:end])

    def _forget(self) -> None:
        """Drop the cached lookups."""
        self._by_text: dict[str, frozenset[int]] = {}
        self._by_value: dict[str, list[tuple[int, int]]] = {}


class _Query:
    """A query, evaluated while it is read."""

    def __init__(self, tokens: list[str], corpus: Corpus) -> None:
        self._tokens = tokens
        self._corpus = corpus

    def matches(self) -> frozenset[int]:
        hits = self._expression()
        while self._tokens:  # a parenthesis too many, which PubMed forgives
            self._tokens.pop(0)
            hits &= self._expression() if self._tokens else hits
        return hits

    def _expression(self) -> frozenset[int]:
        hits = self._operand()
        while self._tokens and self._tokens[0] != ")":
            operator = self._tokens.pop(0) if self._tokens[0] in {"AND", "OR", "NOT"} else "AND"
            operand = self._operand()
            hits = {"AND": hits & operand, "OR": hits | operand, "NOT": hits - operand}[operator]
        return hits

    def _operand(self) -> frozenset[int]:
        operand = self._tokens.pop(0) if self._tokens else ""
        if operand == "(":
            hits = self._expression()
            if self._tokens:
                self._tokens.pop(0)
            return hits
        if found := _RANGE.fullmatch(operand):
            first, last, field = found.group(1), found.group(2), found.group(3).lower()
            if field == "uid":
                return self._corpus.in_range(field, int(first), int(last))
            low, high = day_number(first, last=False), day_number(last, last=True)
            return self._corpus.in_range(field, low, high)
        return self._corpus.with_text(_plain(operand))


def _plain(token: str) -> str:
    """Return a token without quotes and field tag, in lower case."""
    return re.sub(r"\[[^\]]*\]$", "", token).strip('"').lower()


def day_number(text: str, *, last: bool) -> int:
    """Return a date as the integer ``yyyymmdd``.

    ``2020``, ``2020/3`` or ``2020/03/09``: its first or last day.
    """
    year, month, day = ([int(part) for part in text.split("/")] + [0, 0])[:3]
    month = month or (12 if last else 1)
    return year * 10_000 + month * 100 + (day or (31 if last else 1))


def _read_entry(pmid: int, xml: bytes) -> _Entry:
    # recover=True: a test may put in a record that is broken on purpose.
    parser = etree.XMLParser(recover=True, resolve_entities=False, no_network=True)
    root = etree.fromstring(xml, parser)
    entered = _days(root, ".//PubMedPubDate[@PubStatus='entrez']")
    days = {
        "pdat": _days(root, ".//JournalIssue/PubDate") | _days(root, ".//ArticleDate"),
        "edat": entered,
        "crdt": entered,
        "mdat": _days(root, ".//DateRevised") or entered,
    }
    text = etree.tostring(root, method="text", encoding="unicode")
    return _Entry(pmid, text.lower(), days)


def _days(root: etree._Element, path: str) -> frozenset[int]:
    return frozenset(_day(element) for element in root.iterfind(path))


def _day(element: etree._Element) -> int:
    """Return the day of a date element.

    A missing month or day counts as the first.
    """
    year, month, day = (element.findtext(name) or "" for name in ("Year", "Month", "Day"))
    if not year:
        found = re.search(r"\d{4}", element.findtext("MedlineDate") or "")
        year = found.group() if found else "0"
    if month[:3].lower() in _MONTHS:
        month = str(_MONTHS.index(month[:3].lower()) + 1)
    return int(year) * 10_000 + int(month or 1) * 100 + int(day or 1)
