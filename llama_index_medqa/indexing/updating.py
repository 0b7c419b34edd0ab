"""Reading PubMed into an index, and updating what it holds."""

import hashlib
import json
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path

from llama_index.core import Document

from llama_index_medqa.errors import EmptyCorpusError
from llama_index_medqa.indexing.identity import write_as_of
from llama_index_medqa.indexing.index import PubMedIndex
from llama_index_medqa.indexing.ingestion import IngestReport
from llama_index_medqa.indexing.reader import PubMedReader
from llama_index_medqa.pubmed.crawl.crawler import CrawlProgress, CrawlSummary, crawl
from llama_index_medqa.pubmed.crawl.request import CrawlRequest
from llama_index_medqa.pubmed.entrez.client import EntrezClient
from llama_index_medqa.pubmed.record import Deletion

_GRAVE = ("retracted", "concern")
_WITH_PMID = "PMID:"


@dataclass(frozen=True)
class UpdateReport:
    """Counts of an update.

    Attributes:
        checked: records with a PMID.
        without_pmid: records that cannot be looked up.
        revised: ids of records that changed.
        deleted: ids of records that PubMed no longer has; they were removed.
        newly_retracted: ids of records that became retracted.
        newly_of_concern: ids of records on which an expression of concern appeared.
        failed: PMIDs without an answer, and why; they stay as they were.
        as_of: the day whose state all records have now; None where some could not be checked, so that the day of
            the index stays.
    """

    checked: int
    without_pmid: int
    revised: list[str] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    newly_retracted: list[str] = field(default_factory=list)
    newly_of_concern: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    as_of: date | None = None


@dataclass(frozen=True)
class Recheck:
    """PubMed's answer about the records of an index.

    To be applied by :func:`apply_recheck`.

    Attributes:
        summary: the crawl of the PMIDs; None where no record has one.
        folder: where the crawl lies; removed once it is applied.
        outdated: the days of the index that the answer makes good.
    """

    summary: CrawlSummary | None
    folder: Path
    outdated: frozenset[str] = frozenset()


def ingest_crawl(
    index: PubMedIndex, summary: CrawlSummary, *, progress: Callable[[IngestReport], None] | None = None
) -> IngestReport:
    """Ingest the records of a crawl.

    The day of the index becomes the day on which the crawl began, or stays where it is earlier: of the records that
    were there before, nothing newer is known.

    Args:
        index: where to put the records.
        summary: the crawl.
        progress: see :meth:`PubMedIndex.ingest`.

    Raises:
        EmptyCorpusError: the crawl brought no record.
    """
    if not summary.files:
        raise EmptyCorpusError("PubMed has no record for this query: widen it.")
    with index.store.sole_writer():
        note_source_day(index, summary.as_of, outdated=outdated_days(index))
        report = index.ingest(PubMedReader().lazy_load_changes(summary.files), progress=progress)
        # An update by another writer of a server that began in between has not seen all of these records.
        note_source_day(index, summary.as_of, outdated=None)
    return report


def ingest_files(
    index: PubMedIndex,
    changes: Iterable[Document | Deletion],
    *,
    progress: Callable[[IngestReport], None] | None = None,
) -> IngestReport:
    """Ingest files of records.

    A file is at least as new as the latest revision in it, and that is the day that an empty index gets; an index that
    held something keeps its day where that is earlier.

    Args:
        index: where to put the records.
        changes: of :meth:`PubMedReader.lazy_load_changes`.
        progress: see :meth:`PubMedIndex.ingest`.
    """
    latest = [0]
    with index.store.sole_writer():
        outdated = outdated_days(index)
        report = index.ingest(noting_revisions(changes, latest), progress=progress)
        if latest[0]:
            day = datetime.strptime(str(latest[0]), "%Y%m%d").replace(tzinfo=UTC).date()
            note_source_day(index, day, outdated=outdated)
    return report


def noting_revisions(changes: Iterable[Document | Deletion], latest: list[int]) -> Iterator[Document | Deletion]:
    """Pass changes on, and note the latest revision among them.

    Args:
        changes: documents and deletions.
        latest: holds one number, yyyymmdd, which grows.
    """
    for change in changes:
        if isinstance(change, Document):
            latest[0] = max(latest[0], int(change.metadata.get("revised") or 0))
        yield change


def recheck(
    index: PubMedIndex,
    client: EntrezClient,
    folder: Path,
    *,
    progress: Callable[[CrawlProgress], None] = lambda _: None,
) -> Recheck:
    """Fetch every record of an index from PubMed again.

    Resumable at any point by calling it again.

    Args:
        index: the index, which stays as it is.
        client: asks PubMed.
        folder: where crawls are kept, each in a folder of its own.
        progress: called as PubMed answers.

    Raises:
        EntrezError: PubMed cannot be reached or refuses.
    """
    outdated = frozenset(index.store.source_days())
    # Sorted, because the order of the database may change, and the request is known by its PMIDs.
    pmids = sorted(name.removeprefix(_WITH_PMID) for name in index.document_ids() if name.startswith(_WITH_PMID))
    if not pmids:
        return Recheck(None, folder)
    request = CrawlRequest(pmids=tuple(pmids))
    location = crawl_folder(folder, request)
    return Recheck(crawl(client, request, location, progress=progress), location, outdated)


def apply_recheck(
    index: PubMedIndex, checked: Recheck, *, progress: Callable[[IngestReport], None] | None = None
) -> UpdateReport:
    """Apply PubMed's answer to an index.

    Resumable at any point by calling it again.

    Args:
        index: the index.
        checked: PubMed's answer.
        progress: see :meth:`PubMedIndex.ingest`.
    """
    with index.store.sole_writer():
        return _applied(index, checked, progress)


def _applied(index: PubMedIndex, checked: Recheck, progress: Callable[[IngestReport], None] | None) -> UpdateReport:
    before = _states(index)
    without_pmid = sum(not name.startswith(_WITH_PMID) for name in before)
    summary = checked.summary
    if summary is None:
        return UpdateReport(0, without_pmid)
    if summary.files:
        index.ingest(PubMedReader().lazy_load_changes(summary.files), progress=progress)
    after = _states(index)
    complete = not summary.failed and not without_pmid
    if complete:
        write_as_of(index.store, summary.as_of, replacing=checked.outdated)
    shutil.rmtree(checked.folder)
    became = {
        status: [name for name, (_, now) in after.items() if now == status and before[name][1] != status]
        for status in _GRAVE
    }
    return UpdateReport(
        checked=summary.found,
        without_pmid=without_pmid,
        revised=[name for name in after if after[name] != before[name]],
        deleted=sorted(before.keys() - after.keys()),
        newly_retracted=became["retracted"],
        newly_of_concern=became["concern"],
        failed=dict(summary.failed),
        as_of=summary.as_of if complete else None,
    )


def outdated_days(index: PubMedIndex) -> frozenset[str] | None:
    """Return the days that an empty index held before.

    None where it holds something.
    """
    days = frozenset(index.store.source_days())
    return None if index.store.count() else days


def note_source_day(index: PubMedIndex, day: date, *, outdated: frozenset[str] | None) -> None:
    """Store the day of a source in the index.

    The earliest day of all its records counts.

    Args:
        index: the index.
        day: the day of the source.
        outdated: of :func:`outdated_days`, asked before the source was read.
    """
    store = index.store
    if outdated is not None:
        write_as_of(store, day, replacing=outdated)
    elif (known := index.as_of) is not None:
        # A later day is noted too: it is the one that counts when an update has made good the earlier ones.
        days = store.source_days()
        same = [name for name, noted in days.items() if noted == day.isoformat()]
        write_as_of(store, day if days else min(day, known), replacing=same)


def crawl_folder(folder: Path, request: CrawlRequest) -> Path:
    """Return the folder of one request among others."""
    canonical = json.dumps(request.as_json(), sort_keys=True)
    return folder / hashlib.sha256(canonical.encode()).hexdigest()[:12]


def _states(index: PubMedIndex) -> dict[str, tuple[str, str]]:
    """Return record hash and status of every document, by id."""
    return {
        node_id.removesuffix("#0"): (str(row.get("record_hash")), str(row.get("status", "current")))
        for node_id, row in index.store.each_metadata([f"{name}#0" for name in index.document_ids()])
    }
