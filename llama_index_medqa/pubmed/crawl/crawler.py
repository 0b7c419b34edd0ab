"""Downloading the records of a search or of a list of PMIDs.

The records are kept as the XML that PubMed sent, byte for byte, in gzip files of a few hundred; any reader of
PubMed XML reads them, ours among them. Records parsed into something smaller would have to be fetched again
whenever the parser learns to read more, and nobody could look up what PubMed really said. The ledger beside
them (:mod:`llama_index_medqa.pubmed.crawl.ledger`) lets a crawl that was stopped in any way go on where it was;
running a finished one again asks PubMed nothing.

Hits are listed first and fetched by PMID, not by page from NCBI's history server: a list on disk does not
expire, and of a list of PMIDs it can be told which did not come.
"""

import itertools
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any, Literal

from llama_index_medqa.errors import EntrezAnswerError
from llama_index_medqa.pubmed.crawl.ledger import Ledger
from llama_index_medqa.pubmed.crawl.plan import CrawlPlan, plan_crawl
from llama_index_medqa.pubmed.crawl.request import CrawlRequest
from llama_index_medqa.pubmed.entrez.citation_splitter import CitationSet
from llama_index_medqa.pubmed.entrez.client import EntrezClient

_NOT_DELIVERED = "PubMed delivered no record for it, asked three times"


@dataclass(frozen=True, slots=True)
class CrawlProgress:
    """The progress of a crawl.

    Attributes:
        stage: what it does.
        done: PMIDs listed (``search``) or dealt with (``fetch``), those of earlier runs included.
        total: PMIDs to list or to deal with.
        failed: PMIDs without record so far.
        per_second: PMIDs dealt with per second in this run; 0 before the first.
        seconds_left: until the stage ends at this rate; None while unknown.
    """

    stage: Literal["search", "fetch"]
    done: int
    total: int
    failed: int = 0
    per_second: float = 0.0
    seconds_left: float | None = None


@dataclass(frozen=True, slots=True)
class CrawlSummary:
    """The outcome of every hit.

    ``found`` is the sum of fetched, deleted, skipped and failed hits.

    Attributes:
        found: hits of the query, or PMIDs given.
        fetched: PMIDs with a record on disk.
        from_earlier_runs: those of them that were there when this run began.
        deleted: PMIDs that PubMed declares deleted.
        skipped: hits left out on purpose, or counted but not listed by PubMed, by reason.
        failed: PMIDs without record, and why.
        warnings: PubMed's remarks on the query; each widens or narrows it.
        as_of: the day on which the crawl began, UTC; give it as ``since`` to fetch what changed later.
        files: the records, in order.
    """

    found: int
    fetched: int
    from_earlier_runs: int
    deleted: tuple[str, ...]
    skipped: Mapping[str, int]
    failed: Mapping[str, str]
    warnings: tuple[str, ...]
    as_of: date
    files: tuple[Path, ...]

    def as_json(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return asdict(self) | {"as_of": self.as_of.isoformat(), "files": [str(path) for path in self.files]}


def crawl(
    client: EntrezClient,
    request: CrawlRequest,
    folder: Path,
    *,
    progress: Callable[[CrawlProgress], None] = lambda _: None,
    workers: int = 4,
) -> CrawlSummary:
    """Download the records of a request into a folder.

    An earlier run that was interrupted is finished.

    A record that PubMed does not deliver, or that cannot be read, is reported in the summary and does not
    stop the others. From asyncio, call it with ``asyncio.to_thread``.

    Args:
        client: asks PubMed; its rate limit holds over all workers.
        request: what to crawl.
        folder: where the ledger and the records are kept; made if need be.
        progress: called in this thread after every search and every batch.
        workers: requests under way at once; an answer takes longer than the pause between two requests.

    Raises:
        InputError: the folder holds another crawl or is in use, or the hits cannot be ordered as asked.
        EntrezError: PubMed cannot be reached or refuses; what was fetched is kept, and a later run goes on.
    """
    with Ledger(folder, request.as_json()) as ledger:
        earlier = sum(batch.fetched for batch in ledger.batches.values())
        plan = plan_crawl(
            client,
            request,
            ledger,
            lambda listed, total: progress(CrawlProgress("search", listed, total)),
        )
        _fetch_all(client, plan.pmids, request.batch_size, ledger, progress, workers)
        return _summary(plan, ledger, earlier)


def _summary(plan: CrawlPlan, ledger: Ledger, from_earlier_runs: int) -> CrawlSummary:
    batches = dict(sorted(ledger.batches.items()))
    return CrawlSummary(
        found=plan.found,
        fetched=sum(batch.fetched for batch in batches.values()),
        from_earlier_runs=from_earlier_runs,
        deleted=tuple(pmid for batch in batches.values() for pmid in batch.deleted),
        skipped=plan.skipped,
        failed={pmid: reason for batch in batches.values() for pmid, reason in batch.failed.items()},
        warnings=plan.warnings,
        as_of=ledger.started.date(),
        files=tuple(ledger.records_file(number) for number, batch in batches.items() if batch.sha256),
    )


def _fetch_all(
    client: EntrezClient,
    pmids: Sequence[str],
    batch_size: int,
    ledger: Ledger,
    progress: Callable[[CrawlProgress], None],
    workers: int,
) -> None:
    """Fetch the batches that the ledger lacks.

    Only this thread writes.
    """
    starts = range(0, len(pmids), batch_size)
    batches = {number: pmids[start : start + batch_size] for number, start in enumerate(starts, start=1)}
    waiting = iter([number for number in batches if number not in ledger.batches])
    meter = _Meter(ledger, len(pmids))
    progress(meter.read())
    under_way: dict[Future[_Outcome], int] = {}
    with ThreadPoolExecutor(workers) as pool:
        while True:
            for number in itertools.islice(waiting, workers - len(under_way)):
                under_way[pool.submit(_fetch, client, batches[number])] = number
            if not under_way:
                return
            for future in wait(under_way, return_when=FIRST_COMPLETED).done:
                outcome = future.result()
                ledger.add_batch(under_way.pop(future), outcome.content, outcome.failed)
                progress(meter.read())


@dataclass(frozen=True, slots=True)
class _Outcome:
    """The result of a batch before it is written."""

    content: CitationSet
    failed: dict[str, str]

    def joined_with(self, other: "_Outcome") -> "_Outcome":
        content = CitationSet(
            self.content.citations + other.content.citations,
            self.content.deletions + other.content.deletions,
        )
        return _Outcome(content, self.failed | other.failed)


def _fetch(client: EntrezClient, pmids: Sequence[str]) -> _Outcome:
    """Fetch a batch, halved where an answer cannot be read.

    It is halved down to the record that is to blame.
    """
    try:
        result = client.fetch(pmids)
    except EntrezAnswerError as error:
        if len(pmids) == 1:
            return _Outcome(CitationSet(), {pmids[0]: str(error)})
        middle = len(pmids) // 2
        return _fetch(client, pmids[:middle]).joined_with(_fetch(client, pmids[middle:]))
    return _Outcome(result.content, dict.fromkeys(result.missing, _NOT_DELIVERED))


class _Meter:
    """Measures progress and speed by the ledger."""

    def __init__(self, ledger: Ledger, total: int) -> None:
        self._ledger = ledger
        self._total = total
        self._started = time.monotonic()
        self._at_start = self._done()

    def read(self) -> CrawlProgress:
        done = self._done()
        seconds = time.monotonic() - self._started
        per_second = (done - self._at_start) / seconds if seconds else 0.0
        return CrawlProgress(
            "fetch",
            done,
            self._total,
            failed=sum(len(batch.failed) for batch in self._ledger.batches.values()),
            per_second=per_second,
            seconds_left=(self._total - done) / per_second if per_second else None,
        )

    def _done(self) -> int:
        return sum(batch.fetched + len(batch.deleted) + len(batch.failed) for batch in self._ledger.batches.values())
