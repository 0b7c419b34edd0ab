"""The ledger of a crawl: its state on disk.

A crawl's folder holds::

    .ledger.jsonl              the request, the hits of every slice, the outcome of every batch; append-only
    records-000001.xml.gz …    the records of a batch: one PubmedArticleSet document, in the order of the hits

The ledger is hidden so that the folder reads as a folder of PubMed XML and nothing else.

A batch counts as done when the ledger says so, and the ledger says so after the file is complete and in
place. So whatever moment the process dies in, what is missing is fetched again and the result is the same.
A last line that was cut off by that death is dropped.
"""

import gzip
import hashlib
import json
import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

from llama_index_medqa._common.files import file_sha256, write_atomically
from llama_index_medqa.errors import InputError
from llama_index_medqa.pubmed.entrez.citation_splitter import CitationSet, join_citations
from llama_index_medqa.redaction import logger_of

_logger = logger_of(__name__)
_NAME = ".ledger.jsonl"
_VERSION = 1


@dataclass(frozen=True, slots=True)
class Hits:
    """The outcome of searching one slice.

    Attributes:
        count: hits that PubMed counts.
        pmids: the hits, where the slice is small enough to be listed; else empty.
        warnings: PubMed's remarks on the query.
    """

    count: int
    pmids: tuple[str, ...]
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Batch:
    """The outcome of fetching one batch.

    Attributes:
        fetched: PMIDs with a record in the batch's file.
        deleted: PMIDs that PubMed declares deleted.
        failed: PMIDs without record, and why.
        sha256: of the file; None where there was nothing to put into one.
    """

    fetched: int
    deleted: tuple[str, ...] = ()
    failed: Mapping[str, str] = field(default_factory=dict)
    sha256: str | None = None


class Ledger:
    """The ledger of one crawl, open in one process.

    Args:
        folder: the crawl's folder; made if need be.
        request: what is crawled, as plain JSON values.

    Attributes:
        folder: the crawl's folder.
        started: when the crawl was started first, UTC.
        hits: outcomes of searches by slice.
        batches: outcomes of fetching by batch number, from 1.

    Raises:
        InputError: the folder holds another crawl, another process works in it, or the ledger is damaged.
    """

    def __init__(self, folder: Path, request: Mapping[str, Any]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.hits: dict[str, Hits] = {}
        self.batches: dict[int, Batch] = {}
        self._file = (folder / _NAME).open("a+b")
        try:
            _lock(self._file, folder)
            self.started = self._resume(request) or self._begin(request)
        except BaseException:
            self._file.close()
            raise

    def add_hits(self, slice_clause: str, hits: Hits) -> None:
        """Store the outcome of a search."""
        self._append({"slice": slice_clause, **asdict(hits)})
        self.hits[slice_clause] = hits

    def add_batch(self, number: int, content: CitationSet, failed: Mapping[str, str]) -> Batch:
        """Write the records of a batch and store its outcome."""
        fetched = len(content.pmids.difference(content.deleted))
        digest = self._write_records(number, content) if content.pmids else None
        batch = Batch(fetched, content.deleted, dict(failed), digest)
        self._append({"batch": number, **asdict(batch)})
        self.batches[number] = batch
        return batch

    def records_file(self, number: int) -> Path:
        """Return the path of a batch's records."""
        return self.folder / f"records-{number:06d}.xml.gz"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def _write_records(self, number: int, content: CitationSet) -> str:
        # mtime=0: the same records make the same bytes at any time.
        data = gzip.compress(join_citations(content), mtime=0)
        with write_atomically(self.records_file(number)) as partial:
            partial.write_bytes(data)
        return hashlib.sha256(data).hexdigest()

    def _append(self, entry: Mapping[str, Any]) -> None:
        self._file.write(json.dumps(entry, separators=(",", ":")).encode() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())

    def _begin(self, request: Mapping[str, Any]) -> datetime:
        if any(self.folder.glob("records-*.xml.gz")):
            raise InputError(f"{self.folder} holds records of a crawl but no {_NAME}. Take an empty folder.")
        started = datetime.now(UTC).replace(microsecond=0)
        self._append({"version": _VERSION, "started": started.isoformat(), "request": request})
        return started

    def _resume(self, request: Mapping[str, Any]) -> datetime | None:
        """Read an existing ledger; None without a first line."""
        lines = self._complete_lines()
        if not lines:
            return None
        try:
            head, *entries = [json.loads(line) for line in lines]
            started = datetime.fromisoformat(head["started"])
            _check_same_crawl(self.folder, head["version"], head["request"], request)
            self._read(entries)
        except InputError:
            raise
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(f"{self.folder / _NAME} is damaged ({error}). Crawl into an empty folder.") from error
        return started

    def _complete_lines(self) -> list[bytes]:
        self._file.seek(0)
        content = self._file.read()
        end = content.rfind(b"\n") + 1
        self._file.truncate(end)
        return content[:end].splitlines()

    def _read(self, entries: Iterable[dict[str, Any]]) -> None:
        for entry in entries:
            if "slice" in entry:
                hits = Hits(entry["count"], tuple(entry["pmids"]), tuple(entry["warnings"]))
                self.hits[entry["slice"]] = hits
                continue
            batch = Batch(entry["fetched"], tuple(entry["deleted"]), entry["failed"], entry["sha256"])
            self.batches[entry["batch"]] = batch
        self.batches = {number: batch for number, batch in self.batches.items() if self._is_whole(number, batch)}

    def _is_whole(self, number: int, batch: Batch) -> bool:
        path = self.records_file(number)
        if batch.sha256 is None:
            return True
        if path.is_file() and file_sha256(path) == batch.sha256:
            return True
        _logger.warning("%s is missing or was changed; its records are fetched again", path)
        return False


def _check_same_crawl(folder: Path, version: int, held: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    if version != _VERSION:
        raise InputError(
            f"{folder} holds a crawl of format {version}; this version of llama-index-medqa reads format "
            f"{_VERSION}. Take an empty folder."
        )
    for name in sorted(held.keys() | wanted.keys()):
        if held.get(name) != wanted.get(name):
            raise InputError(
                f"{folder} holds a crawl with {name} = {_short(held.get(name))}, "
                f"not {_short(wanted.get(name))}. Ask for the same, or take another folder."
            )


def _short(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 100 else text[:100] + "…"


def _lock(file: BinaryIO, folder: Path) -> None:
    """Lock a ledger file against other processes.

    The system frees the lock when this process ends, however it ends.
    """
    try:
        if sys.platform == "win32":
            import msvcrt

            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise InputError(f"Another process is crawling into {folder}. Wait for it, or stop it.") from error
