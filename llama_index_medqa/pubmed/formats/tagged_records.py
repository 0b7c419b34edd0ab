"""Text exports with tags: lines to fields, fields to records.

A record is never put together from two: where a tag that can stand once comes again with something else in between, a
line that divides the records is missing, and that is an error.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from llama_index_medqa.errors import SourceFormatError
from llama_index_medqa.pubmed.limits import LONGEST_RECORD
from llama_index_medqa.pubmed.remarks import Remarks
from llama_index_medqa.pubmed.text import fold

# How files of other formats begin; two files may have been joined.
_ANOTHER_FORMAT = re.compile(r"TY  - [A-Z]{3,}\s*|PMID- ?\d+\s*|%0 [A-Z].*|<(?:\?xml|PubmedArticle).*")


class Field(NamedTuple):
    """A tag and its value, with continuation lines joined.

    White space is folded.

    Attributes:
        tag: such as ``TI``.
        value: may be empty.
        line: number of the line that it begins in, from 1.
    """

    tag: str
    value: str
    line: int


@dataclass(frozen=True)
class Layout:
    """The layout of a format's records.

    Attributes:
        field: matches a line that begins a field; its groups are the tag and the value.
        continued: matches a line that continues the field before it.
        first: tags that begin a record; always, or where the record has the tag already if ``first_is_once``.
        first_is_once: see above.
        last: tags that end a record.
        naming: tags of which one stands in every record. Fields that follow an empty line without any of them go on
            with the record before it. Empty where empty lines mean nothing.
        single: tags that occur once in a record, or several times in a row.
        divider: matches a line between two records.
        skipped: matches a line that belongs to no record.
    """

    field: re.Pattern[str]
    continued: re.Pattern[str]
    first: frozenset[str]
    single: frozenset[str]
    first_is_once: bool = True
    last: frozenset[str] = frozenset()
    naming: frozenset[str] = frozenset()
    divider: re.Pattern[str] | None = None
    skipped: re.Pattern[str] | None = None


class _Block(NamedTuple):
    """Fields between two empty lines or dividers.

    ``divided`` where a divider stands before them.
    """

    fields: list[Field]
    divided: bool


def read_tagged(lines: Iterable[str], layout: Layout, name: str, remarks: Remarks) -> Iterator[list[Field]]:
    """Yield the fields of each record.

    Args:
        lines: of the file.
        layout: how they are written.
        name: what to call the file in messages.
        remarks: where lines are counted that belong to no field.

    Raises:
        SourceFormatError: a record is too long, or is two.
    """
    record: list[Field] = []
    for block in _blocks(lines, layout, name, remarks):
        for number, fields in enumerate(_parts(block.fields, layout)):
            goes_on = number == 0 and not block.divided and _goes_on(record, fields, layout)
            if record and not goes_on:
                yield _one(record, layout, name)
                record = []
            record = record + fields if record else fields
    if record:
        yield _one(record, layout, name)


def _goes_on(record: list[Field], fields: list[Field], layout: Layout) -> bool:
    """Return whether fields belong to the record before.

    They stand after an empty line.
    """
    if not record or record[-1].tag in layout.last or _begins(fields[0], record, layout):
        return False
    return not layout.naming or (_has(record, layout.naming) and not _has(fields, layout.naming))


def _parts(fields: list[Field], layout: Layout) -> Iterator[list[Field]]:
    """Divide fields where a record begins or ends."""
    part: list[Field] = []
    for field in fields:
        if part and (_begins(field, part, layout) or part[-1].tag in layout.last):
            yield part
            part = []
        part.append(field)
    yield part


def _begins(field: Field, record: list[Field], layout: Layout) -> bool:
    return field.tag in layout.first and (not layout.first_is_once or _has(record, frozenset({field.tag})))


def _has(fields: Iterable[Field], tags: frozenset[str]) -> bool:
    return any(field.tag in tags for field in fields)


def _one(record: list[Field], layout: Layout, name: str) -> list[Field]:
    """Return the one record."""
    known: dict[str, set[str]] = {}
    before = ""
    for tag, value, line in record:
        if tag in layout.single and value:
            values = known.setdefault(tag, set())
            if values and before != tag and value not in values:
                raise SourceFormatError(
                    f"{name}: the record that begins in line {record[0].line} has a second {tag} in line {line}. What "
                    "divides two records is missing between them: export the file again."
                )
            values.add(value)
        before = tag
    return record


def _blocks(lines: Iterable[str], layout: Layout, name: str, remarks: Remarks) -> Iterator[_Block]:
    block: list[Field] = []
    divided = False
    length = 0
    for event in _events(lines, layout, name, remarks):
        if isinstance(event, Field):
            length += len(event.value)
            # Where empty lines mean nothing, a record must end the block.
            ends = bool(block) and not layout.naming and (_begins(event, block, layout) or block[-1].tag in layout.last)
        else:
            ends = bool(block) and (event or bool(layout.naming))
        if ends:
            yield _Block(block, divided)
            block, divided, length = [], False, 0
        if isinstance(event, Field):
            block.append(event)
        else:
            divided = divided or event
        if length > LONGEST_RECORD:
            raise SourceFormatError(
                f"{name}: the record that begins in line {block[0].line} has more than {LONGEST_RECORD:,} characters. "
                "The file is damaged or no file of records: get it again."
            )
    if block:
        yield _Block(block, divided)


def _events(lines: Iterable[str], layout: Layout, name: str, remarks: Remarks) -> Iterator[Field | bool]:
    """Yield fields with continuation lines joined.

    False for an empty line, True for a divider.
    """
    field = _OpenField(name)
    for number, line in enumerate(lines, start=1):
        found = layout.field.fullmatch(line)
        if layout.divider is not None and layout.divider.fullmatch(line):
            yield from field.closed()
            yield True
        elif found:
            yield from field.closed()
            field.begin(found[1], found[2] or "", number)
        elif not line.strip():
            if layout.naming:
                yield from field.closed()
            yield False
        elif not _is_passed_over(line, layout) and not field.takes(line, layout):
            remarks.note("lines that are no fields, left out", f"line {number}")
            for before in field.closed():
                yield before
                # What stands before and after such a line does not stand in a row.
                yield Field("", "", number)
        if _ANOTHER_FORMAT.fullmatch(line) and not (found and found[1] in layout.first):
            raise SourceFormatError(
                f"{name}: line {number} begins a file of another format. Put each export into a file of its own."
            )
    yield from field.closed()


def _is_passed_over(line: str, layout: Layout) -> bool:
    return layout.skipped is not None and layout.skipped.match(line) is not None


class _OpenField:
    """A field that lines may continue.

    Args:
        name: what to call the file in messages.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._tag = ""
        self._values: list[str] = []
        self._line = self._length = 0

    def begin(self, tag: str, value: str, line: int) -> None:
        self._tag, self._values, self._line, self._length = tag, [value], line, len(value)

    def takes(self, line: str, layout: Layout) -> bool:
        """Add a line to the field if it continues it.

        Returns whether it does.
        """
        if not self._tag or not layout.continued.match(line):
            return False
        self._values.append(line)
        self._length += len(line)
        if self._length > LONGEST_RECORD:
            raise SourceFormatError(
                f"{self._name}: the field that begins in line {self._line} is over {LONGEST_RECORD:,} characters. "
                "The file is damaged or no file of records: get it again."
            )
        return True

    def closed(self) -> Iterator[Field]:
        """Return the field, if there is one, and close it."""
        if self._tag:
            yield Field(self._tag, fold(" ".join(self._values)), self._line)
        self._tag = ""
