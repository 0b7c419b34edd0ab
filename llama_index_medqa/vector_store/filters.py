"""LlamaIndex's metadata filters on any engine, all of them.

A filter is translated into the narrowest condition of the engine that keeps every match: Chroma's here, those of others
by a :class:`Dialect`. Where that keeps more, the
metadata of what it kept are looked at here. What the operators mean:

- a comparison (``==``, ``>``, ``in`` and so on) looks at a single value, and a missing field fails it; ``!=`` and
  ``nin`` are the opposites of ``==`` and ``in``, so a missing field passes them;
- ``contains``, ``any`` and ``all`` look at the members of a list, where ``2020`` is not ``2020.0``;
- ``text_match`` and ``text_match_insensitive`` look for a part of a text, or of one text of a list;
- ``is_empty``: the field is missing, an empty text or an empty list;
- a group is ``and``, ``or``, or ``not``, which is met when none of its filters is; an empty group is always met.
"""

import difflib
import operator
from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple, Protocol

from llama_index.core.vector_stores.types import FilterCondition, FilterOperator, MetadataFilter, MetadataFilters

from llama_index_medqa.errors import InputError

_Part = MetadataFilter | MetadataFilters

_SCALAR = {FilterOperator.EQ: ("$eq", "$ne"), FilterOperator.NE: ("$ne", "$eq")}
_ORDER: dict[FilterOperator, tuple[str, Callable[[Any, Any], Any]]] = {
    FilterOperator.GT: ("$gt", operator.gt),
    FilterOperator.GTE: ("$gte", operator.ge),
    FilterOperator.LT: ("$lt", operator.lt),
    FilterOperator.LTE: ("$lte", operator.le),
}
_CHOICE = {FilterOperator.IN: ("$in", "$nin"), FilterOperator.NIN: ("$nin", "$in")}
_MEMBERS = (FilterOperator.ANY, FilterOperator.ALL)
MEMBER_OPERATORS = (FilterOperator.CONTAINS, *_MEMBERS)
_TEXT = (FilterOperator.TEXT_MATCH, FilterOperator.TEXT_MATCH_INSENSITIVE)


class Condition(NamedTuple):
    """A condition in an engine's form.

    Attributes:
        where: as the engine takes it; None where everything passes.
        exact: whether it keeps nothing but matches; else :func:`matches` is to look again.
    """

    where: Any | None
    exact: bool


UNDECIDED = Condition(None, False)


class Dialect(Protocol):
    """The conditions of an engine."""

    def leaf(self, part: MetadataFilter, *, negated: bool) -> Condition:
        """Return the condition of one filter, whose value fits its operator, or of its opposite."""
        ...

    def joined(self, clauses: list[Any], *, is_or: bool) -> Any:
        """Return one condition of two or more, all or any of which are to be met."""
        ...


def to_condition(filters: MetadataFilters) -> Condition:
    """Translate metadata filters for Chroma.

    Raises:
        InputError: a value does not fit its operator.
    """
    return translated(filters, _ChromaDialect())


def translated(filters: MetadataFilters, dialect: Dialect) -> Condition:
    """Translate metadata filters for an engine.

    Raises:
        InputError: a value does not fit its operator.
    """
    return _translate(filters, dialect, negated=False)


def matches(part: _Part, metadata: Mapping[str, Any]) -> bool:
    """Return whether metadata meet filters."""
    if isinstance(part, MetadataFilter):
        return _leaf_matches(part, metadata.get(part.key))
    results = [matches(inner, metadata) for inner in part.filters]
    if not results:
        return True
    if part.condition is FilterCondition.NOT:
        return not any(results)
    return any(results) if part.condition is FilterCondition.OR else all(results)


def require_known_fields(filters: MetadataFilters, known: Collection[str]) -> None:
    """Raise on filters of fields that records do not have.

    Raises:
        InputError: there is no such field; the message names those that are there.
    """
    for part in filters.filters:
        if isinstance(part, MetadataFilters):
            require_known_fields(part, known)
        elif part.key not in known:
            close = difflib.get_close_matches(part.key, known, n=1)
            hint = f" Did you mean {close[0]!r}?" if close else ""
            raise InputError(
                f"No record has the field {part.key!r}.{hint} Filter on one of: {', '.join(sorted(known))}; or open "
                "the store with check_filter_fields=False, if something else than PubMedVectorStore wrote that field."
            )


def _translate(part: _Part, dialect: Dialect, *, negated: bool) -> Condition:
    if isinstance(part, MetadataFilter):
        _require_fitting_value(part)
        return dialect.leaf(part, negated=negated)
    if part.condition is FilterCondition.NOT:
        children = [_translate(inner, dialect, negated=not negated) for inner in part.filters]
        is_or = negated
    else:
        children = [_translate(inner, dialect, negated=negated) for inner in part.filters]
        is_or = (part.condition is FilterCondition.OR) != negated
    if not children:
        return Condition(None, not negated)
    return join(children, dialect, is_or=is_or)


def join(children: list[Condition], dialect: Dialect, *, is_or: bool) -> Condition:
    """Return the condition that is met when all, or any, of others are."""
    exact = all(child.exact for child in children)
    clauses = [child.where for child in children if child.where is not None]
    if not clauses or (is_or and len(clauses) < len(children)):
        return Condition(None, exact)
    return Condition(clauses[0] if len(clauses) == 1 else dialect.joined(clauses, is_or=is_or), exact)


class _ChromaDialect:
    """Conditions as Chroma's collections take them."""

    def leaf(self, part: MetadataFilter, *, negated: bool) -> Condition:
        if part.operator in MEMBER_OPERATORS:
            return self._members(part, negated=negated)
        # Chroma compares whole numbers with the whole part of a fraction.
        if any(type(value) is float and not value.is_integer() for value in values_of(part)):
            return UNDECIDED
        if part.operator in _SCALAR and not isinstance(part.value, list):
            return Condition({part.key: {_SCALAR[part.operator][negated]: part.value}}, True)
        if part.operator in _CHOICE and part.value:
            return Condition({part.key: {_CHOICE[part.operator][negated]: part.value}}, True)
        if part.operator in _ORDER and not negated and not isinstance(part.value, str):
            return Condition({part.key: {_ORDER[part.operator][0]: part.value}}, True)
        return UNDECIDED

    def joined(self, clauses: list[Any], *, is_or: bool) -> Any:
        return {"$or" if is_or else "$and": clauses}

    def _members(self, part: MetadataFilter, *, negated: bool) -> Condition:
        contains = "$not_contains" if negated else "$contains"
        clauses = [Condition({part.key: {contains: value}}, True) for value in values_of(part)]
        return join(clauses, self, is_or=(part.operator is FilterOperator.ANY) != negated)


def values_of(part: MetadataFilter) -> list[Any]:
    """Return the values of a filter, one or several."""
    return list(part.value) if isinstance(part.value, list) else [part.value]


def _leaf_matches(part: MetadataFilter, stored: Any) -> bool:
    values: Any = [part.value]
    if isinstance(part.value, list) and part.operator not in _SCALAR:
        values = part.value
    if part.operator in (FilterOperator.NE, FilterOperator.NIN):
        return not any(_are_equal(stored, value) for value in values)
    if part.operator is FilterOperator.IS_EMPTY:
        return stored is None or stored in ("", [])
    if part.operator in (FilterOperator.EQ, FilterOperator.IN):
        return any(_are_equal(stored, value) for value in values)
    if part.operator in _ORDER:
        return _are_comparable(stored, part.value) and bool(_ORDER[part.operator][1](stored, part.value))
    if part.operator in _TEXT:
        return _holds_text(stored, str(part.value), fold=part.operator is FilterOperator.TEXT_MATCH_INSENSITIVE)
    members = stored if isinstance(stored, list) else []
    decide = any if part.operator is FilterOperator.ANY else all
    return decide(any(type(value) is type(member) and value == member for member in members) for value in values)


def _are_equal(one: Any, other: Any) -> bool:
    return one == other and (type(one) is type(other) or _are_comparable(one, other))


def _are_comparable(one: Any, other: Any) -> bool:
    if type(one) in (int, float):
        return type(other) in (int, float)
    return type(one) is str and type(other) is str


def _holds_text(stored: Any, wanted: str, *, fold: bool) -> bool:
    texts = [text for text in (stored if isinstance(stored, list) else [stored]) if isinstance(text, str)]
    return any(wanted.lower() in text.lower() if fold else wanted in text for text in texts)


def _require_fitting_value(part: MetadataFilter) -> None:
    needed = None
    if part.operator in (*_CHOICE, *_MEMBERS):
        if not isinstance(part.value, list) or (part.operator in _MEMBERS and not part.value):
            needed = "a list of values"
    elif part.operator in _TEXT:
        needed = None if isinstance(part.value, str) else "a text"
    elif part.operator is not FilterOperator.IS_EMPTY and part.value is None:
        needed = "a value; use is_empty for a missing one"
    elif isinstance(part.value, list) and part.operator not in _SCALAR:
        needed = "a single value"
    if needed:
        raise InputError(f"The filter {part.operator.value!r} on {part.key!r} needs {needed}, not {part.value!r}.")


def without_retracted(filters: MetadataFilters | None) -> MetadataFilters:
    """Add a filter of retracted papers."""
    not_retracted = MetadataFilter(key="status", value="retracted", operator=FilterOperator.NE)
    return MetadataFilters(filters=[not_retracted, *([filters] if filters else [])])
