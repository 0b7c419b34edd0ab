"""Tables with known columns, such as PubMed's CSV, to records."""

import csv
from collections.abc import Iterator, Sequence
from itertools import chain

from llama_index_medqa.errors import SourceFormatError
from llama_index_medqa.pubmed.byte_streams import Source, reading
from llama_index_medqa.pubmed.formats.exports.text_lines import read_lines
from llama_index_medqa.pubmed.formats.record_schema import is_known_key, record_from_values
from llama_index_medqa.pubmed.pmids import is_pmid
from llama_index_medqa.pubmed.record import Deletion, PubMedRecord

_DELIMITERS = ",;\t"
_TEXT_COLUMNS = frozenset({"title", "article title", "article_title", "abstract", "article_abstract"})
_MANY_LINES = frozenset(
    "abstract|article_abstract|abstract_text|abstract note|abstract_note|text|content|note|notes|extra".split("|")
)
# Fewer delimiters stand in a line of an abstract too.
_MANY_COLUMNS = 6


def delimiter_of(line: str) -> str | None:
    """Return what divides the columns of a header line.

    None unless the line names at least two known columns.
    """
    for delimiter in _DELIMITERS:
        try:
            columns = next(csv.reader([line], delimiter=delimiter), [])
        except csv.Error:
            continue
        known = [column for column in columns if is_known_key(column)]
        if len(known) >= 2 and any(column.strip().lower() in _TEXT_COLUMNS for column in known):
            return delimiter
    return None


def read_delimited(source: Source, name: str | None = None) -> Iterator[PubMedRecord | Deletion]:
    """Read a table, one record a row.

    Its first line names the columns.

    PubMed's CSV has no abstracts: only titles are read, and a warning says so.

    Args:
        source: a path, an open binary stream, or an input that is open already.
        name: what to call it in messages; by default its path.

    Raises:
        InputError: there is no such file.
        SourceFormatError: no UTF-8, a row with more or fewer columns than the first, or a quotation mark is missing.
    """
    with reading(source, name) as pieces:
        lines = (line + "\n" for line in read_lines(pieces, pieces.name))
        header = next((line for line in lines if line.strip()), "")
        delimiter = delimiter_of(header.rstrip("\n"))
        if delimiter is None:
            raise SourceFormatError(f"{pieces.name} has no line with the names of its columns. Give one.")
        rows = _Rows(pieces.name, delimiter, chain([header], lines))
        for line, values in rows:
            location = f"line {line}"
            try:
                item = record_from_values(values, pieces.remarks, location)
            except (TypeError, ValueError) as error:
                raise SourceFormatError(f"{pieces.name}, {location}: {error}. Correct or remove the row.") from None
            if isinstance(item, PubMedRecord) and not item.sections:
                pieces.remarks.note(
                    "rows without an abstract (PubMed's CSV has none: save the search in the format 'PubMed', .nbib)",
                    location,
                )
            yield item


class _Rows:
    """The rows of a table with the lines in which they end."""

    def __init__(self, name: str, delimiter: str, lines: Iterator[str]) -> None:
        self._name = name
        self._delimiter = delimiter
        # Strict, so that a quotation mark that is missing is an error and not a cell that swallows rows.
        self._reader = csv.reader(lines, delimiter=delimiter, strict=True)

    def __iter__(self) -> Iterator[tuple[int, dict[str, object]]]:
        columns: list[str] = []
        try:
            for row in self._reader:
                if not columns:
                    columns = self._header(row)
                elif any(cell.strip() for cell in row):
                    yield self._reader.line_num, self._values(columns, row)
        except csv.Error as error:
            raise SourceFormatError(
                f"{self._name}, line {self._reader.line_num}: {error}. A quotation mark is missing, or one too many: "
                "export the table again."
            ) from None

    def _header(self, row: list[str]) -> list[str]:
        columns = [column.strip() for column in row]
        repeated = {column for column in columns if column and columns.count(column) > 1}
        if repeated:
            raise SourceFormatError(f"{self._name} has several columns with the name {min(repeated)!r}. Rename them.")
        return columns

    def _values(self, columns: Sequence[str], row: list[str]) -> dict[str, object]:
        location = f"{self._name}, line {self._reader.line_num}"
        if len(row) != len(columns):
            raise SourceFormatError(
                f"{location}: the row has {len(row)} columns, and the first line names {len(columns)}. Export the "
                "table again, or put quotation marks around cells that hold a delimiter."
            )
        for column, cell in zip(columns, row, strict=True):
            if "\n" in cell.strip() and (column.lower() not in _MANY_LINES or self._holds_row(columns, cell)):
                raise SourceFormatError(
                    f"{location}: the column {column!r} goes over several lines, as if a quotation mark were missing. "
                    "Export the table again."
                )
        return {column: cell for column, cell in zip(columns, row, strict=True) if column}

    def _holds_row(self, columns: Sequence[str], cell: str) -> bool:
        """Return whether a line of a cell looks like a row.

        It has a PMID in its place, or as many delimiters as a row of many columns.
        """
        lowered = [column.lower() for column in columns]
        number = lowered.index("pmid") if "pmid" in lowered else None
        for line in cell.splitlines()[1:]:
            row = line.split(self._delimiter)
            if number is not None and len(row) > number and is_pmid(row[number].strip(' "')):
                return True
            if len(row) >= max(len(columns), _MANY_COLUMNS) and line.count('"') >= len(columns):
                return True
        return False
