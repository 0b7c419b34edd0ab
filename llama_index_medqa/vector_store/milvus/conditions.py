"""Metadata filters as expressions of Milvus.

Fields that every search or ingestion filters by have columns of their own; all others lie in one JSON column. What an
expression says of a missing key, or of a value of another type, differs between Milvus's versions: so an expression is
only trusted with what is the same in all, and the rest is looked at here (:func:`filters.matches`).
"""

import json
import re
from typing import Any

from llama_index.core.vector_stores.types import FilterOperator, MetadataFilter

from llama_index_medqa.vector_store.filters import MEMBER_OPERATORS, UNDECIDED, Condition, join, values_of
from llama_index_medqa.vector_store.milvus.schema import COLUMNS, METADATA

_OPPOSITES = {
    FilterOperator.EQ: FilterOperator.NE,
    FilterOperator.NE: FilterOperator.EQ,
    FilterOperator.IN: FilterOperator.NIN,
    FilterOperator.NIN: FilterOperator.IN,
    FilterOperator.GT: FilterOperator.LTE,
    FilterOperator.GTE: FilterOperator.LT,
    FilterOperator.LT: FilterOperator.GTE,
    FilterOperator.LTE: FilterOperator.GT,
}
_WORDS = {FilterOperator.NIN: "not in"}
_ORDER = (FilterOperator.GT, FilterOperator.GTE, FilterOperator.LT, FilterOperator.LTE)
_CHOICE = (FilterOperator.IN, FilterOperator.NIN)
_WITHOUT = (FilterOperator.NE, FilterOperator.NIN)
# Keys that need no escapes in an expression.
_PLAIN_KEY = re.compile(r"[\w .:-]+", re.ASCII)


class MilvusDialect:
    """Conditions as Milvus takes them: texts."""

    def leaf(self, part: MetadataFilter, *, negated: bool) -> Condition:
        """Return the condition of one filter, or of its opposite."""
        if part.key in COLUMNS:
            return _of_column(part, negated=negated)
        if negated or not _PLAIN_KEY.fullmatch(part.key):
            return UNDECIDED
        field, values = f'{METADATA}["{part.key}"]', values_of(part)
        clauses = [UNDECIDED]
        if part.operator in MEMBER_OPERATORS:
            clauses = [_member(field, value) for value in values]
        elif (part.operator is FilterOperator.IN and values) or (
            part.operator is FilterOperator.EQ and not isinstance(part.value, list)
        ):
            clauses = [_comparison(field, "==", value) for value in values]
        elif part.operator in _ORDER and _is_number(part.value):
            clauses = [_comparison(field, part.operator.value, part.value)]
        return join(clauses, self, is_or=part.operator in (FilterOperator.ANY, FilterOperator.IN))

    def joined(self, clauses: list[Any], *, is_or: bool) -> str:
        """Return one condition of several."""
        return (" or " if is_or else " and ").join(f"({clause})" for clause in clauses)


def literal(value: str | int | list[str]) -> str:
    """Write a value as expressions hold it."""
    return json.dumps(value, ensure_ascii=False)


def id_in(ids: list[str]) -> str:
    """Return the condition that a row is one of some."""
    return f"id in {literal(ids)}"


def _of_column(part: MetadataFilter, *, negated: bool) -> Condition:
    values, kind = values_of(part), COLUMNS[part.key]
    operator = _OPPOSITES.get(part.operator)
    if operator is None or not values or any(type(value) is not kind for value in values):
        return UNDECIDED
    if isinstance(part.value, list) != (part.operator in _CHOICE) or (part.operator in _ORDER and kind is str):
        return UNDECIDED
    asked = operator if negated else part.operator
    where = f"{part.key} {_WORDS.get(asked, asked.value)} {literal(part.value)}"  # type: ignore[arg-type]  # as checked
    # A missing value fails a comparison, and passes its opposite.
    passes_where_missing = negated != (part.operator in _WITHOUT)
    return Condition(f"{part.key} is null or {where}" if passes_where_missing else where, True)


def _member(field: str, value: Any) -> Condition:
    # Whether 2020 is a member of [2020.0] is another thing here than there.
    return Condition(f"json_contains({field}, {literal(value)})", True) if type(value) is str else UNDECIDED


def _comparison(field: str, operator: str, value: Any) -> Condition:
    if type(value) is str:
        return Condition(f"{field} {operator} {literal(value)}", True)
    # A number may meet true and false, which are none.
    return Condition(f"{field} {operator} {value!r}", False) if _is_number(value) else UNDECIDED


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and "e" not in repr(value)
