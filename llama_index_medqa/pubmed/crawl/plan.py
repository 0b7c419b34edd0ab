"""The plan of a crawl: PMIDs to fetch, in order, and hits to skip."""

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from llama_index_medqa.errors import InputError
from llama_index_medqa.pubmed.crawl.ledger import Hits, Ledger
from llama_index_medqa.pubmed.crawl.request import CrawlRequest
from llama_index_medqa.pubmed.crawl.search_slices import DateKind, SearchSlice
from llama_index_medqa.pubmed.entrez.client import EntrezClient
from llama_index_medqa.pubmed.entrez.responses import MOST_HITS

_WHOLE = "whole"
_OVER_MAXIMUM = "over the maximum number"
_REPEATED = "given more than once"
_IN_NO_SLICE = "counted by PubMed, but listed in no slice"


@dataclass(frozen=True, slots=True)
class CrawlPlan:
    """The PMIDs to fetch.

    Attributes:
        pmids: each once, in order.
        found: hits of the query, or PMIDs given.
        skipped: how many of them are not to be fetched, by reason.
        warnings: PubMed's remarks on the query.
    """

    pmids: list[str]
    found: int
    skipped: dict[str, int] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


def plan_crawl(
    client: EntrezClient, request: CrawlRequest, ledger: Ledger, on_search: Callable[[int, int], None]
) -> CrawlPlan:
    """List the hits of a request.

    Searches that the ledger holds are not repeated.

    Args:
        client: asks PubMed.
        request: what to crawl.
        ledger: notes the outcome of every search.
        on_search: called after every search with the hits listed so far and the hits to list.

    Raises:
        InputError: there are too many hits to order them as asked.
        EntrezError: PubMed cannot be reached or refuses.
    """
    if request.query is None:
        pmids = list(dict.fromkeys(request.pmids))
        return _plan(pmids, len(request.pmids), {_REPEATED: len(request.pmids) - len(pmids)}, ())
    search = _Search(client, request, ledger, on_search)
    count = search.hits(_WHOLE, request.term).count
    pmids = list(itertools.islice(_once(search.listed()), request.maximum))
    warnings = dict.fromkeys(text for hits in ledger.hits.values() for text in hits.warnings)
    # More hits than counted happen when PubMed grows between two searches.
    found = max(count, len(pmids))
    over_maximum = max(0, found - (request.maximum or found))
    in_no_slice = found - over_maximum - len(pmids)
    return _plan(pmids, found, {_OVER_MAXIMUM: over_maximum, _IN_NO_SLICE: in_no_slice}, tuple(warnings))


def _plan(pmids: list[str], found: int, skipped: dict[str, int], warnings: tuple[str, ...]) -> CrawlPlan:
    return CrawlPlan(pmids, found, {reason: count for reason, count in skipped.items() if count}, warnings)


def _once(pmids: Iterable[str]) -> Iterator[str]:
    """Remove repeated PMIDs and keep the first of each.

    A record with two publication dates may lie in two slices.
    """
    seen: set[str] = set()
    for pmid in pmids:
        if pmid not in seen:
            seen.add(pmid)
            yield pmid


@dataclass(frozen=True, slots=True)
class _Search:
    """Lists the hits of a query, in slices if they are many."""

    client: EntrezClient
    request: CrawlRequest
    ledger: Ledger
    on_search: Callable[[int, int], None]

    def listed(self) -> Iterator[str]:
        """Yield the hits in order."""
        whole = self.hits(_WHOLE, self.request.term)
        if self._is_listed(whole.count):
            yield from whole.pmids
            return
        if self.request.sort == "relevance":
            raise InputError(
                f"The query has {whole.count:,} hits, and PubMed orders only {MOST_HITS:,} by relevance. "
                f"Give a maximum of up to {MOST_HITS:,}, narrow the query, or sort by pub_date."
            )
        kind: DateKind = "publication" if self.request.sort == "pub_date" else "entry"
        dates = self.request.dates
        yield from self._slice(SearchSlice(dates) if dates and dates.kind == kind else SearchSlice.everything(kind))

    def hits(self, name: str, term: str) -> Hits:
        """Return the hits of a slice, from the ledger if stored."""
        if name not in self.ledger.hits:
            size = min(self.request.maximum or MOST_HITS, MOST_HITS)
            result = self.client.search(term, sort=self.request.sort, size=size)
            pmids = result.pmids if self._is_listed(result.count) else ()
            self.ledger.add_hits(name, Hits(result.count, pmids, result.warnings))
            found = sum(len(hits.pmids) for hits in self.ledger.hits.values())
            whole = self.ledger.hits[_WHOLE].count
            self.on_search(found, min(whole, self.request.maximum or whole))
        return self.ledger.hits[name]

    def _slice(self, part: SearchSlice) -> Iterator[str]:
        hits = self.hits(part.clause, f"{self.request.term} AND {part.clause}")
        if self._is_listed(hits.count):
            yield from hits.pmids
            return
        for half in part.halves():
            yield from self._slice(half)

    def _is_listed(self, count: int) -> bool:
        """Return whether one search lists all wanted hits."""
        return min(count, self.request.maximum or count) <= MOST_HITS
