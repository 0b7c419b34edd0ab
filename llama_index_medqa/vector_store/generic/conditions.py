"""Metadata filters as conditions of SQLite, all of them exact.

What is asked often has a form of SQLite's own; anything else is decided by :func:`holds`, a function that the
connection knows.
"""

import json
import re
from functools import lru_cache
from typing import Any, NamedTuple

from llama_index.core.vector_stores.types import FilterOperator, MetadataFilter

from llama_index_medqa.vector_store.filters import MEMBER_OPERATORS, Condition, matches, values_of
from llama_index_medqa.vector_store.row_codec import DOCUMENT_KEY

TEXT_COLUMNS = (DOCUMENT_KEY, "record_hash", "status")
NUMBER_COLUMN = "year"

_EQUALITY = (FilterOperator.EQ, FilterOperator.NE, FilterOperator.IN, FilterOperator.NIN)
_OPPOSED = (FilterOperator.NE, FilterOperator.NIN)
_COMPARISONS = {
    FilterOperator.EQ: "=",
    FilterOperator.GT: ">",
    FilterOperator.GTE: ">=",
    FilterOperator.LT: "<",
    FilterOperator.LTE: "<=",
}
# Keys that need no escapes in a path of SQLite's.
_PLAIN_KEY = re.compile(r"[\w .:-]+", re.ASCII)
_LARGEST_INTEGER = 2**63 - 1


class SqlCondition(NamedTuple):
    """A condition on a row of the table of chunks.

    Attributes:
        text: what stands after WHERE.
        values: of its question marks.
    """

    text: str
    values: tuple[Any, ...]


class SqlDialect:
    """Conditions as SQLite takes them."""

    def leaf(self, part: MetadataFilter, *, negated: bool) -> Condition:
        """Return the condition of one filter, or of its opposite."""
        found = _of_column(part) or _of_texts(part)
        if found is None:
            found = _decided_here(part)
        elif part.operator in _OPPOSED:
            negated = not negated
        if negated:
            found = SqlCondition(f"NOT coalesce({found.text}, 0)", found.values)
        return Condition(found, True)

    def joined(self, clauses: list[Any], *, is_or: bool) -> SqlCondition:
        """Return one condition of several."""
        text = (" OR " if is_or else " AND ").join(f"({clause.text})" for clause in clauses)
        return SqlCondition(text, tuple(value for clause in clauses for value in clause.values))


def holds(filter_json: str, metadata_json: str) -> bool:
    """Return whether metadata meet a filter, both as JSON: the function ``medqa_holds`` of a connection."""
    part = _filter_of(filter_json)
    return matches(part, json.loads(metadata_json))


@lru_cache(maxsize=256)
def _filter_of(filter_json: str) -> MetadataFilter:
    return MetadataFilter(**json.loads(filter_json))


def _decided_here(part: MetadataFilter) -> SqlCondition:
    fields = {"key": part.key, "value": part.value, "operator": part.operator.value}
    return SqlCondition("medqa_holds(?, metadata)", (json.dumps(fields),))


def _of_column(part: MetadataFilter) -> SqlCondition | None:
    """Return a condition on a column of its own, of the filter or of the one that it is the opposite of."""
    values = values_of(part)
    if part.key in TEXT_COLUMNS and part.operator in _EQUALITY and _are_texts(values) and _is_fitting(part):
        text = f"{part.key} IN (SELECT value FROM json_each(?))"  # noqa: S608  # one of our columns
        return SqlCondition(text, (json.dumps(values),))
    number = part.value
    if part.key == NUMBER_COLUMN and part.operator in _COMPARISONS and type(number) is int:
        if abs(number) > _LARGEST_INTEGER:
            return None
        # Where the year is no whole number, the column is empty.
        other = _decided_here(part)
        text = f"CASE WHEN year IS NOT NULL THEN year {_COMPARISONS[part.operator]} ? ELSE {other.text} END"
        return SqlCondition(text, (number, *other.values))
    return None


def _of_texts(part: MetadataFilter) -> SqlCondition | None:
    """Return a condition on texts in the column of JSON."""
    values = values_of(part)
    if not _PLAIN_KEY.fullmatch(part.key) or not _are_texts(values):
        return None
    path = f'$."{part.key}"'
    if part.operator in _EQUALITY and _is_fitting(part):
        return SqlCondition(
            "json_type(metadata, ?) = 'text' AND json_extract(metadata, ?) IN (SELECT value FROM json_each(?))",
            (path, path, json.dumps(values)),
        )
    if part.operator in MEMBER_OPERATORS:
        member = (
            "json_type(metadata, ?) = 'array' AND "
            "EXISTS (SELECT 1 FROM json_each(metadata, ?) WHERE type = 'text' AND value = ?)"
        )
        join = " OR " if part.operator is FilterOperator.ANY else " AND "
        text = join.join(f"({member})" for _ in values)
        return SqlCondition(f"({text})", tuple(bound for value in values for bound in (path, path, value)))
    return None


def _are_texts(values: list[Any]) -> bool:
    # SQLite's functions of JSON end a text at a zero character.
    return bool(values) and all(type(value) is str and "\0" not in value for value in values)


def _is_fitting(part: MetadataFilter) -> bool:
    """Return whether a list is given to ``in`` and ``nin``, and one value to ``==`` and ``!=``."""
    return isinstance(part.value, list) == (part.operator in (FilterOperator.IN, FilterOperator.NIN))
