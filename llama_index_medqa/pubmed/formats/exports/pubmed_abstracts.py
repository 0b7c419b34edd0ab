"""PubMed's text export of abstracts (Save, "Abstract (text)") to records.

A record begins with its number and where it appeared; its paragraphs are told apart by how they begin.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from llama_index_medqa.errors import SourceFormatError
from llama_index_medqa.pubmed.byte_streams import Source, reading
from llama_index_medqa.pubmed.formats.abstract_headings import divided_at_headings
from llama_index_medqa.pubmed.formats.citation_line import is_pubmed_citation, parse_citation
from llama_index_medqa.pubmed.formats.exports.text_lines import read_lines
from llama_index_medqa.pubmed.formats.notices import read_notice
from llama_index_medqa.pubmed.formats.record_schema import record_from_values
from llama_index_medqa.pubmed.limits import LONGEST_RECORD
from llama_index_medqa.pubmed.record import AbstractSection, Deletion, Link, PubMedRecord
from llama_index_medqa.pubmed.remarks import Remarks
from llama_index_medqa.pubmed.text import fold

BEGINNING = re.compile(r"(\d{1,6})\. (\S.*\d{4}.*)")
_NUMBER = re.compile(r"(\d{1,6})\. \S")
_IDENTIFIER = re.compile(r"(DOI|PMCID|PMID): ?(\S+)(?: \[[^\]]*\])*")
_LABEL = re.compile(r"([A-Z][A-Z0-9 &/,'()-]{2,80}): ")
_NAME = r"[^\W\d_][^\d,;:()]*? [A-Z]{1,4}(?: (?:Jr|Sr|2nd|3rd|4th|II|III|IV))?(?:\(\d+\))*"
_AUTHORS = re.compile(rf"{_NAME}(?:[,;] {_NAME})*(?:[,;] (?:et al|[^,;]+))?\.")
_MARKS = re.compile(r"\(\d+\)")
_COPYRIGHT = re.compile(r"(?:Copyright|©|\(c\)|\(C\))")
_LEFT_OUT = re.compile(
    r"Author information:|Collaborators:|\[No authors listed\]|\[Article in |Publisher: Abstract available|"
    r"Plain Language Summary:"
)
_CONFLICT = "Conflict of interest statement: "


def read_pubmed_abstracts(source: Source, name: str | None = None) -> Iterator[PubMedRecord | Deletion]:
    """Read PubMed's text export, one record at a time.

    The export holds less than PubMed's ``.nbib``: neither MeSH headings nor publication types.

    Args:
        source: a path, an open binary stream, or an input that is open already.
        name: what to call it in messages; by default its path.

    Raises:
        InputError: there is no such file.
        SourceFormatError: no UTF-8, a record without a PMID, or a line that begins a record is missing.
    """
    with reading(source, name) as pieces:
        for line, paragraphs in _records(read_lines(pieces, pieces.name), pieces.name):
            try:
                yield _Parts(paragraphs).record(pieces.remarks, f"line {line}")
            except (TypeError, ValueError) as error:
                raise SourceFormatError(
                    f"{pieces.name}: the record that begins in line {line} {error}. Save the search again, best in the "
                    "format 'PubMed' (.nbib)."
                ) from None


def _records(lines: Iterable[str], name: str) -> Iterator[tuple[int, list[list[str]]]]:
    """Yield the paragraphs of each record.

    Each comes with the number of the line in which it begins.
    """
    paragraphs: list[list[str]] = []
    begun = length = last = 0
    empty = 2
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            empty += 1
            continue
        found = _NUMBER.match(line) if empty else None
        if found and int(found[1]) > last and (empty >= 2 or _is_complete(paragraphs) or _begins_next(line, last)):
            if paragraphs:
                yield begun, paragraphs
            paragraphs, begun, length, last = [], number, 0, int(found[1])
        elif empty >= 2 or (empty and _is_closed(paragraphs)):
            raise SourceFormatError(
                f"{name}: line {number} should begin a record with its number, as in '{last + 1}. J Ex. 2019'. Save "
                "the search again, best in the format 'PubMed' (.nbib)."
            )
        length += len(line)
        if length > LONGEST_RECORD:
            raise SourceFormatError(f"{name}: the record in line {begun} is too long. Save the search again.")
        if empty or not paragraphs:
            paragraphs.append([])
        paragraphs[-1].append(line)
        empty = 0
    if paragraphs:
        yield begun, paragraphs


def _is_complete(paragraphs: list[list[str]]) -> bool:
    """Return whether a record has its PMID."""
    return any(line.startswith("PMID: ") for lines in paragraphs for line in lines)


def _begins_next(line: str, last: int) -> bool:
    """Return whether a line begins the next record.

    Also where the last one lost its PMID or the line between them.
    """
    number, _, citation = line.partition(". ")
    return int(number) == last + 1 and is_pubmed_citation(citation)


def _is_closed(paragraphs: list[list[str]]) -> bool:
    """Return whether nothing of a record can follow."""
    return bool(paragraphs) and paragraphs[-1][0].startswith(_CONFLICT)


@dataclass
class _Parts:
    """The paragraphs of a record by what they are."""

    paragraphs: list[list[str]]
    sections: list[AbstractSection] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)
    identifiers: dict[str, str] = field(default_factory=dict)
    authors: str = ""

    def record(self, remarks: Remarks, location: str) -> PubMedRecord | Deletion:
        citation = parse_citation(_joined(self.paragraphs[0]).partition(". ")[2])
        title = _joined(self.paragraphs[1]) if len(self.paragraphs) > 1 else ""
        for number, lines in enumerate(self.paragraphs[2:], start=2):
            self._sort(lines, number)
        if "PMID" not in self.identifiers:
            raise ValueError("has no line 'PMID: '")
        values = {
            "title": title,
            "sections": tuple(self.sections),
            "pmid": self.identifiers["PMID"],
            "doi": self.identifiers.get("DOI", ""),
            "pmcid": self.identifiers.get("PMCID", ""),
            "journal": citation.journal,
            "date": citation.date,
            "volume": citation.volume,
            "issue": citation.issue,
            "pages": citation.pages,
            "authors": self.authors,
            "links": tuple(self.links),
        }
        return record_from_values(values, remarks, location)

    def _sort(self, lines: list[str], number: int) -> None:
        text = _joined(lines)
        if all(map(_IDENTIFIER.fullmatch, lines)):
            self._identify(lines)
        elif any(map(_IDENTIFIER.fullmatch, lines)):
            raise ValueError("has a damaged line beside its identifiers")
        elif "PMID" in self.identifiers and not text.startswith(_CONFLICT):
            raise ValueError("goes on after its PMID")
        elif (notice := read_notice(text)) and lines[0].strip() == text[: len(lines[0].strip())] and len(lines) > 1:
            self.links.append(notice)
        elif _LEFT_OUT.match(text) or _COPYRIGHT.match(text) or text.startswith(_CONFLICT):
            return
        elif not self.authors and not self.sections and self._are_authors(text, number):
            self.authors = _MARKS.sub("", text)
        else:
            self.sections += _sections(lines)

    def _identify(self, lines: list[str]) -> None:
        for line in lines:
            found = _IDENTIFIER.fullmatch(line)
            if found is not None and self.identifiers.setdefault(found[1], found[2]) != found[2]:
                raise ValueError(f"has a second {found[1]}, so that it is two")

    def _are_authors(self, text: str, number: int) -> bool:
        following = self.paragraphs[number + 1] if number + 1 < len(self.paragraphs) else [""]
        return following[0].startswith("Author information:") or _AUTHORS.fullmatch(text) is not None


def _sections(lines: list[str]) -> list[AbstractSection]:
    """Divide a paragraph at headings in capitals.

    Only if it begins with one.
    """
    if not _LABEL.match(lines[0]):
        return list(divided_at_headings(_joined(lines)))
    sections: list[tuple[str, list[str]]] = []
    for line in lines:
        if found := _LABEL.match(line):
            sections.append((found[1], [line[found.end() :]]))
        else:
            sections[-1][1].append(line)
    return [AbstractSection(text, label) for label, parts in sections if (text := _joined(parts))]


def _joined(lines: list[str]) -> str:
    return fold(" ".join(lines))
