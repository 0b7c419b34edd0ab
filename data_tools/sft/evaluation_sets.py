"""The papers of evaluation sets, recognised by PMID or title.

Titles serve sets with ids of their own.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from data_tools.sft.duplicates import SeenTexts, character_shingles
from llama_index_medqa._common.jsonl import read_objects
from llama_index_medqa.errors import InputError
from llama_index_medqa.pubmed.formats.reading import read_records
from llama_index_medqa.pubmed.record import PubMedRecord

_PMID_KEYS = ("pmid", "pmids", "gold_pmids")
# A question of PubMedQA is its paper's title.
_TITLE_KEYS = ("title", "question")
_TITLE_SIMILARITY = 0.8
# A shorter title, such as "Introduction", tells no paper.
_SHORTEST_TITLE = 20


class EvaluationSets:
    """The papers of evaluation sets.

    Args:
        files: JSON lines with ``pmid``, ``pmids`` or ``gold_pmids``, and ``title`` or ``question``; PMIDs, a line
            each; or any file of records that this package reads.

    Raises:
        InputError: a file cannot be read, or names no paper.
        SourceFormatError: a file of records is broken.
    """

    def __init__(self, files: Iterable[Path]) -> None:
        self._pmids: dict[str, str] = {}
        self._titles = SeenTexts(":memory:", _TITLE_SIMILARITY, character_shingles)
        for file in files:
            papers = 0
            for pmids, titles in _papers(file):
                papers += len(pmids) + len(titles)
                self._pmids.update(dict.fromkeys(pmids, file.name))
                for title in titles:
                    self._titles.find_or_add(file.name, title)
            if not papers:
                raise InputError(
                    f"{file} names no paper. Give JSON lines with {', '.join((*_PMID_KEYS, *_TITLE_KEYS))}, a file of "
                    "PMIDs, a line each, or a file of records."
                )

    def find(self, record: PubMedRecord) -> str | None:
        """Return the name of a file that holds the paper; else None."""
        if record.pmid in self._pmids:
            return self._pmids[record.pmid]
        if len(record.title) < _SHORTEST_TITLE:
            return None
        alike = self._titles.find(record.title)
        return alike.name if alike else None


def _papers(file: Path) -> Iterator[tuple[list[str], list[str]]]:
    """Yield PMIDs and titles of a file, by line or record."""
    try:
        with file.open("rb") as stream:
            start = stream.read(1 << 12).lstrip(b"\xef\xbb\xbf \r\n\t")
    except OSError as error:
        raise InputError(f"{file} cannot be read ({error}). Give a file that can, or leave it out.") from error
    if start.startswith(b"{"):
        yield from _of_json_lines(file)
    elif start and start.split(maxsplit=1)[0].isdigit():
        yield from (([line.strip()], []) for line in file.read_text(encoding="utf-8").splitlines() if line.strip())
    else:
        records = (item for item in read_records(file) if isinstance(item, PubMedRecord))
        yield from (([record.pmid] if record.pmid else [], _long([record.title])) for record in records)


def _of_json_lines(file: Path) -> Iterator[tuple[list[str], list[str]]]:
    for _, item in read_objects(file):
        pmids = [pmid for key in _PMID_KEYS for pmid in _texts(item.get(key))]
        yield pmids, _long(title for key in _TITLE_KEYS for title in _texts(item.get(key)))


def _texts(value: Any) -> list[str]:
    values = value if isinstance(value, list) else [value]
    return [str(item) for item in values if isinstance(item, (str, int)) and str(item).strip()]


def _long(titles: Iterable[str]) -> list[str]:
    return [title for title in titles if len(title) >= _SHORTEST_TITLE]
