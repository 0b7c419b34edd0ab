"""PubMed's yearly baseline and its daily updates, applied to an index file by file.

The index notes which file was the last. So a run that was stopped goes on, and a day's update files are all that the
next run applies.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path

from llama_index_medqa.errors import EmptyCorpusError, IndexNotFoundError
from llama_index_medqa.indexing.baseline_files import BaselineFile, BaselinePlan, plan_files, require_sound
from llama_index_medqa.indexing.identity import BaselineState, stored_baseline, write_as_of, write_baseline
from llama_index_medqa.indexing.index import PubMedIndex
from llama_index_medqa.indexing.ingestion import IngestReport
from llama_index_medqa.indexing.reader import PubMedReader
from llama_index_medqa.indexing.updating import note_source_day, noting_revisions, outdated_days
from llama_index_medqa.redaction import logger_of
from llama_index_medqa.vector_store.addresses import open_store
from llama_index_medqa.vector_store.chunk_store import ChunkStore

_logger = logger_of(__name__)

# Called with the file that is read and what was written so far.
Progress = Callable[[BaselineFile, IngestReport], None]


@dataclass(frozen=True)
class BaselineReport:
    """What a run applied.

    Attributes:
        year: of the files.
        applied: how many files this run applied.
        last: the number of the last one that the index has.
        older: names of files of earlier years, which were not applied.
        ingested: documents and chunks, of all files.
    """

    year: int
    applied: int
    last: int
    older: tuple[str, ...]
    ingested: IngestReport


def plan_baseline(folder: Path, location: str) -> tuple[BaselinePlan, BaselineState | None]:
    """Find which files of a folder an index lacks; nothing is written.

    Args:
        folder: holds NLM's files.
        location: of the index, which need not be there yet.

    Returns:
        The plan, and what the index knows of earlier runs.

    Raises:
        InputError: the files cannot be applied; see :func:`plan_files`.
    """
    try:
        state = stored_baseline(open_store(location, create=False))
    except IndexNotFoundError:
        state = None
    return plan_files(folder, state.year if state else None, state.last if state else 0), state


def begin_baseline(store: ChunkStore, plan: BaselinePlan, *, wait: bool = True) -> None:
    """Note in an index what it is going to hold, before anything is written to it.

    So a first run that is stopped leaves an index that says that it lacks files.

    Args:
        store: the collection of the index, which may be new.
        plan: of :func:`plan_baseline`.
        wait: whether to wait for another process that writes.
    """
    if not plan.files:
        return
    with store.sole_writer(wait=wait):
        known = stored_baseline(store)
        if known is None:
            known = BaselineState(year=plan.year, is_alone=store.count() == 0)
        elif known.year != plan.year:
            known = replace(known, year=plan.year, last=0)
        write_baseline(store, replace(known, planned=plan.files[-1].number))


def apply_baseline(
    index: PubMedIndex, plan: BaselinePlan, *, progress: Progress = lambda _file, _report: None
) -> BaselineReport:
    """Apply files to an index, in order; deletions are applied too.

    Killing the process at any moment and calling this again goes on with the file that it was at. Each file's checksum
    is compared before it is read.

    Args:
        index: after :func:`begin_baseline`.
        plan: of :func:`plan_baseline`.
        progress: called as chunks are written.

    Raises:
        InputError: a file is damaged; what came before it stays applied.
    """
    total = IngestReport()
    with index.store.sole_writer():
        for file in plan.files:
            require_sound(file)
            started, latest = time.monotonic(), [0]
            outdated = outdated_days(index)
            report = _applied(index, file, latest, partial(_tell, progress, file, total))
            total = _sum(total, report)
            _note_file(index, file, latest[0], time.monotonic() - started, outdated)
    state = stored_baseline(index.store)
    last = state.last if state else plan.done
    return BaselineReport(plan.year, len(plan.files), last, tuple(file.name for file in plan.older), total)


def _applied(
    index: PubMedIndex, file: BaselineFile, latest: list[int], tell: Callable[[IngestReport], None]
) -> IngestReport:
    changes = noting_revisions(PubMedReader().lazy_load_changes([file.path]), latest)
    try:
        return index.ingest(changes, progress=tell)
    except EmptyCorpusError:
        _logger.warning("%s holds no record.", file.name)
        return IngestReport()


def _tell(progress: Progress, file: BaselineFile, before: IngestReport, so_far: IngestReport) -> None:
    progress(file, _sum(before, so_far))


def _note_file(
    index: PubMedIndex, file: BaselineFile, latest: int, seconds: float, outdated: frozenset[str] | None
) -> None:
    """Note that a file is applied, and as of which day the index is now."""
    store = index.store
    state = stored_baseline(store) or BaselineState(year=file.year)
    day = max(filter(None, [state.day, _as_day(latest)]), default=None)
    if day is not None and day != state.day:
        _note_day(index, state, day, outdated)
    size = file.path.stat().st_size
    write_baseline(
        store, replace(state, last=file.number, day=day, seconds=state.seconds + seconds, size=state.size + size)
    )


def _note_day(index: PubMedIndex, state: BaselineState, day: str, outdated: frozenset[str] | None) -> None:
    """Note the day of a file: where files of NLM are all that the index holds, it is the day of all records."""
    if state.is_alone:
        days = index.store.source_days()
        before = [name for name, noted in days.items() if noted == state.day] if state.day else list(days)
        write_as_of(index.store, date.fromisoformat(day), replacing=before)
    else:
        note_source_day(index, date.fromisoformat(day), outdated=outdated)


def _as_day(latest: int) -> str | None:
    return datetime.strptime(str(latest), "%Y%m%d").replace(tzinfo=UTC).date().isoformat() if latest else None


def _sum(one: IngestReport, other: IngestReport) -> IngestReport:
    return IngestReport(**{field.name: getattr(one, field.name) + getattr(other, field.name) for field in fields(one)})
