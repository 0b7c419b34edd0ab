"""The request of a crawl."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from llama_index_medqa.errors import InputError
from llama_index_medqa.pubmed.crawl.search_slices import DateRange, changed_since
from llama_index_medqa.pubmed.entrez.protocol import Sort
from llama_index_medqa.pubmed.entrez.responses import MOST_HITS
from llama_index_medqa.pubmed.pmids import is_plain_pmid


@dataclass(frozen=True, kw_only=True)
class CrawlRequest:
    """A query, or known PMIDs to fetch again.

    Attributes:
        query: in PubMed's syntax.
        pmids: instead of a query.
        dates: only records of these days.
        since: only records that are new or were changed on this day or later.
        maximum: records at most, the first in the order of ``sort``.
        sort: order of the records; by relevance PubMed orders the first 9,999 hits only.
        batch_size: records per request and per file, 1 to 9,999.

    Raises:
        InputError: the fields cannot be used, or not together.
    """

    query: str | None = None
    pmids: tuple[str, ...] = ()
    dates: DateRange | None = None
    since: date | None = None
    maximum: int | None = None
    sort: Sort = "added"
    batch_size: int = 200

    def __post_init__(self) -> None:
        if (self.query is None) == (not self.pmids):
            raise InputError("Give either a query or PMIDs to crawl.")
        if self.query is not None and not self.query.strip():
            raise InputError("The PubMed query is empty. Give a query such as 'heart failure[mesh]'.")
        if self.pmids and (self.dates or self.since or self.maximum):
            raise InputError("Dates, since and maximum belong to a query. Leave them out with PMIDs.")
        if invalid := [pmid for pmid in self.pmids if not is_plain_pmid(pmid)]:
            raise InputError(f"{invalid[0]!r} is not a PMID. Give digits without a leading zero.")
        if self.maximum is not None and self.maximum < 1:
            raise InputError(f"The maximum is {self.maximum}; give at least 1, or None for all.")
        if not 1 <= self.batch_size <= MOST_HITS:
            raise InputError(f"The batch size is {self.batch_size}; give 1 to {MOST_HITS:,}.")

    @property
    def term(self) -> str:
        """Return the whole query in PubMed's syntax."""
        clauses = [f"({self.query})"]
        if self.dates:
            clauses.append(self.dates.clause)
        if self.since:
            # NLM's days are those of the US East coast, where it may still be the day before.
            clauses.append(changed_since(self.since - timedelta(days=1)))
        return " AND ".join(clauses)

    def as_json(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return {
            "query": self.query,
            "pmids": list(self.pmids),
            "dates": self.dates.clause if self.dates else None,
            "since": self.since.isoformat() if self.since else None,
            "maximum": self.maximum,
            "sort": self.sort,
            "batch_size": self.batch_size,
        }
