"""Values of metadata filters, fitted to the types and spellings of their fields.

``year >= "2019"`` compares a number with a text, and ``publication_types == "review"`` a list with a text in another
spelling: as they stand both meet nothing, which looks as if no record answered the question. So before a filter is
used

- numbers and texts become what the field holds, or are refused where they cannot be meant;
- a day may be written as ``2019-05-01``, and as ``2019-05`` or ``2019`` where it is compared;
- an operator for single values works on the members of a list field, and ``any`` on a single value;
- a value of a vocabulary (journals, MeSH headings, publication types ...) that no record has is taken in the spelling
  that the records have, where only upper and lower case, width or spaces differ.

Where a filter still meets nothing, :func:`unmet` says which one, and what the field holds.
"""

import calendar
import difflib
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NoReturn, Protocol, get_args

from llama_index.core.vector_stores.types import FilterCondition, FilterOperator, MetadataFilter, MetadataFilters

from llama_index_medqa.errors import InputError
from llama_index_medqa.pubmed.pmids import pmid_of
from llama_index_medqa.pubmed.record import Status
from llama_index_medqa.redaction import logger_of
from llama_index_medqa.vector_store.filters import matches
from llama_index_medqa.vector_store.row_codec import RECORD_FIELDS

_logger = logger_of(__name__)

Scalar = str | int | float | bool
_Part = MetadataFilter | MetadataFilters

_NUMBERS = frozenset({"year", "chunk_count"})
_DAYS = frozenset({"date", "revised"})
_LISTS = frozenset({"mesh", "publication_types"})
_TEXTS = RECORD_FIELDS - _NUMBERS - _DAYS - _LISTS
_VOCABULARIES = frozenset({"journal", "publication_types", "mesh", "doi", "section", "status"})
# Values that are right even where no record has them, so that nothing is looked up.
_KNOWN_VALUES: Mapping[str, frozenset[str]] = {"status": frozenset(get_args(Status))}

_EQUAL = (FilterOperator.EQ, FilterOperator.NE)
_CHOICE = (FilterOperator.IN, FilterOperator.NIN)
_ORDER = (FilterOperator.GT, FilterOperator.GTE, FilterOperator.LT, FilterOperator.LTE)
_MEMBERS = (FilterOperator.CONTAINS, FilterOperator.ANY, FilterOperator.ALL)
_WANTING = (FilterOperator.EQ, FilterOperator.IN, *_MEMBERS)
_TEXT_MATCH = (FilterOperator.TEXT_MATCH, FilterOperator.TEXT_MATCH_INSENSITIVE)
_OPPOSITES = {FilterOperator.NE: FilterOperator.EQ, FilterOperator.NIN: FilterOperator.IN}

_DAY = re.compile(r"(\d{4})(?:[-/]?(\d{2})(?:[-/]?(\d{2}))?)?")
_DOI_ADDRESS = re.compile(r"(?:https?://(?:dx\.)?doi\.org/|doi:\s*)", re.IGNORECASE)
_NAMED_AT_MOST = 12
_SUGGESTED_AT_MOST = 3


class Fields(Protocol):
    """The fields that filters look at.

    The metadata of a collection, or of some chunks.
    """

    def meet(self, filters: MetadataFilters) -> bool:
        """Return whether any chunk meets filters, as they are."""
        ...

    def values(self, key: str) -> frozenset[Scalar]:
        """Return the values of chunks under a key.

        Members of lists one by one.
        """
        ...


class ChunkFields:
    """Metadata of chunks in memory.

    For :func:`fitted` and :func:`unmet`.

    Args:
        metadatas: of the chunks.
    """

    def __init__(self, metadatas: Iterable[Mapping[str, Any]]) -> None:
        self._metadatas = list(metadatas)

    def meet(self, filters: MetadataFilters) -> bool:
        """Return whether any chunk meets filters, as they are."""
        return any(matches(filters, metadata) for metadata in self._metadatas)

    def values(self, key: str) -> frozenset[Scalar]:
        """Return the values of chunks under a key.

        Members of lists one by one.
        """
        return frozenset(value for metadata in self._metadatas for value in members(metadata.get(key)))


def members(stored: Any) -> list[Scalar]:
    """Return the members of a list, or the value itself.

    Nothing for a missing value.
    """
    if isinstance(stored, list):
        return stored
    return [stored] if isinstance(stored, str | int | float) else []


def fitted(filters: MetadataFilters, fields: Fields) -> MetadataFilters:
    """Return filters with values and operators of their fields.

    They mean the same.

    Args:
        filters: as they were given.
        fields: what they look at; asked only where a value is not certain to be right.

    Raises:
        InputError: a value or an operator does not fit its field.
    """
    return MetadataFilters(filters=[_fitted(part, fields) for part in filters.filters], condition=filters.condition)


def unmet(filters: MetadataFilters, fields: Fields) -> str:
    """Describe the filters that no record meets.

    In a sentence, with what there is instead; empty where any record meets all.

    Args:
        filters: fitted ones.
        fields: what they look at.
    """
    if fields.meet(filters):
        return ""
    parts = list(_conjuncts(filters))
    alone = [part for part in parts if not fields.meet(MetadataFilters(filters=[part]))]
    if not alone:
        return f"No record meets all of these filters together: {', '.join(map(as_text, parts))}."
    return " ".join(_unmet_sentence(part, fields) for part in alone)


def as_text(part: _Part) -> str:
    """Write a filter as people read it: ``year >= 2019``."""
    if isinstance(part, MetadataFilter):
        value = "" if part.operator is FilterOperator.IS_EMPTY else f" {part.value!r}"
        return f"{part.key} {part.operator.value}{value}"
    inner = f" {(part.condition or FilterCondition.AND).value} ".join(map(as_text, part.filters))
    return f"not ({inner.replace(' not ', ' or ')})" if part.condition is FilterCondition.NOT else inner


def _fitted(part: _Part, fields: Fields) -> _Part:
    if isinstance(part, MetadataFilters):
        return fitted(part, fields)
    if part.operator is FilterOperator.IS_EMPTY or part.value is None:
        return part
    return _spelled(_structured(_typed(part, fields)), fields)


def _typed(part: MetadataFilter, fields: Fields) -> _Part:
    """Return a filter with values of its field's type."""
    if part.operator in _TEXT_MATCH:
        if part.key in _NUMBERS | _DAYS:
            _refuse(part, "looks for a part of a text, and the field holds numbers: use '==', '>=' or '<='")
        return part
    if part.key in _NUMBERS:
        return _with_values(part, lambda value: _number(value, part))
    if part.key in _DAYS:
        return _with_days(part)
    if part.key in _TEXTS | _LISTS:
        return _with_values(part, lambda value: _text(value, part.key))
    return _as_stored(part, fields)


def _with_values(part: MetadataFilter, change: Callable[[Any], Scalar]) -> MetadataFilter:
    value: Any = part.value
    return _changed(part, value=[change(one) for one in value] if isinstance(value, list) else change(value))


def _number(value: Scalar, part: MetadataFilter) -> Scalar:
    if not isinstance(value, str):
        return value
    number = _read_number(value)
    if number is None:
        _refuse(part, f"needs a number such as 2019, not {value!r}")
    return number


def _read_number(text: str) -> int | float | None:
    found = re.fullmatch(r"\s*([-+]?\d+)(\.\d+)?\s*", text, re.ASCII)
    if found is None:
        return None
    return float(text) if found[2] and found[2].strip(".0") else int(found[1])


def _text(value: Scalar, key: str) -> str:
    text = str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
    if key == "pmid":
        return pmid_of(text) or text.strip()
    return _DOI_ADDRESS.sub("", text.strip()) if key == "doi" else text


def _with_days(part: MetadataFilter) -> _Part:
    """Return a filter on days, as integers yyyymmdd. A year or a month stands for all of its days."""
    if isinstance(part.value, list):
        spans = [_span(value, part) for value in part.value]
        if any(first != last for first, last in spans):
            _refuse(part, "needs whole days such as 2019-05-01; for a span of days use '>=' and '<='")
        return _changed(part, value=[first for first, _ in spans])
    first, last = _span(part.value, part)
    if part.operator in _EQUAL and first != last:
        bounds = [(FilterOperator.GTE, first), (FilterOperator.LTE, last)]
        span = MetadataFilters(filters=[_changed(part, operator=operator, value=day) for operator, day in bounds])
        return span if part.operator is FilterOperator.EQ else _not(span)
    return _changed(part, value=last if part.operator in (FilterOperator.GT, FilterOperator.LTE) else first)


def _span(value: Any, part: MetadataFilter) -> tuple[int, int]:
    whole = int(value) if isinstance(value, float) and value.is_integer() else value
    found = _DAY.fullmatch(str(whole).strip())
    year, month, day = (int(group) if group else None for group in found.groups()) if found else (None, None, None)
    if year is None or not 1 <= (month or 1) <= 12 or not 1 <= (day or 1) <= 31:
        _refuse(part, f"needs a day such as 2019-05-01, or a year, not {value!r}")
    last_month = month or 12
    last_day = day or calendar.monthrange(max(year, 1), last_month)[1]
    return year * 10_000 + (month or 1) * 100 + (day or 1), year * 10_000 + last_month * 100 + last_day


def _as_stored(part: MetadataFilter, fields: Fields) -> MetadataFilter:
    """Return a filter with a number for a text, or reverse. On a field of the user's own that holds no other type."""
    values: list[Any] = part.value if isinstance(part.value, list) else [part.value]
    if not any(
        type(value) in (int, float) or (type(value) is str and _read_number(value) is not None) for value in values
    ):
        return part
    if fields.meet(MetadataFilters(filters=[_changed(part, operator=_OPPOSITES.get(part.operator, part.operator))])):
        return part
    kinds = {type(value) for value in fields.values(part.key)}
    if kinds == {str} and part.operator in _ORDER:
        _refuse(part, "compares numbers, and the records hold texts there")
    if kinds == {str}:
        return _with_values(part, lambda value: _text(value, ""))
    if kinds and kinds <= {int, float}:
        return _with_values(part, lambda value: _number(value, part))
    return part


def _structured(part: _Part) -> _Part:
    """Return a filter with an operator that fits its field. For lists, or for single values."""
    if isinstance(part, MetadataFilters):
        return part
    if part.key in _LISTS:
        return _for_list(part)
    if part.key in RECORD_FIELDS:
        return _for_single(part)
    return part


def _for_list(part: MetadataFilter) -> _Part:
    if part.operator in _ORDER:
        _refuse(part, "compares single values, and the field holds a list: use 'contains', 'any' or 'all'")
    if part.operator in _EQUAL and not isinstance(part.value, list):
        contains = _changed(part, operator=FilterOperator.CONTAINS)
        return contains if part.operator is FilterOperator.EQ else _not(contains)
    if part.operator in _CHOICE and isinstance(part.value, list) and part.value:
        has_any = _changed(part, operator=FilterOperator.ANY)
        return has_any if part.operator is FilterOperator.IN else _not(has_any)
    return part


def _for_single(part: MetadataFilter) -> MetadataFilter:
    if part.operator is FilterOperator.ANY and part.value:
        return _changed(part, operator=FilterOperator.IN)
    if part.operator in (FilterOperator.CONTAINS, FilterOperator.ALL) and part.value:
        _refuse(part, "looks at the members of a list, and the field holds a single value: use '==' or 'text_match'")
    if part.operator in _EQUAL and isinstance(part.value, list):
        other = "in" if part.operator is FilterOperator.EQ else "nin"
        _refuse(part, f"needs a single value: use {other!r} for a choice of values")
    return part


def _spelled(part: _Part, fields: Fields) -> _Part:
    """Return a filter with values as records spell them."""
    if isinstance(part, MetadataFilters):
        return MetadataFilters(filters=[_spelled(one, fields) for one in part.filters], condition=part.condition)
    if part.key not in _VOCABULARIES or part.operator not in (*_EQUAL, *_CHOICE, *_MEMBERS):
        return part
    if isinstance(part.value, list) and part.operator in _EQUAL:
        return part
    values = part.value if isinstance(part.value, list) else [part.value]
    spellings = [_spellings(str(value), part.key, fields) for value in values]
    if len(values) > 1 or part.operator in _OPPOSITES:
        # The others of a choice, or all papers, meet it: without a word nobody would notice.
        for value in (value for value, found in zip(values, spellings, strict=True) if not found):
            _logger.warning(_unmet_sentence(_having(part.key, str(value)), fields))
    spellings = [found or [str(value)] for value, found in zip(values, spellings, strict=True)]
    if all(len(found) == 1 for found in spellings):
        single = [found[0] for found in spellings]
        return _changed(part, value=single if isinstance(part.value, list) else single[0])
    if part.operator is FilterOperator.ALL:
        choices = [_changed(part, operator=FilterOperator.ANY, value=found) for found in spellings]
        return MetadataFilters(filters=[*choices], condition=FilterCondition.AND)
    several = {FilterOperator.EQ: FilterOperator.IN, FilterOperator.NE: FilterOperator.NIN}
    several[FilterOperator.CONTAINS] = FilterOperator.ANY
    flat = [spelling for found in spellings for spelling in found]
    return _changed(part, operator=several.get(part.operator, part.operator), value=flat)


def _spellings(value: str, key: str, fields: Fields) -> list[str]:
    """Return how records spell a value. The value itself where one has it; empty where none comes near."""
    if value in _KNOWN_VALUES.get(key, ()) or fields.meet(MetadataFilters(filters=[_having(key, value)])):
        return [value]
    folded = _folded(value)
    known = [one for one in fields.values(key) if isinstance(one, str)]
    return sorted(one for one in known if _folded(one) == folded)


def _having(key: str, value: Scalar) -> MetadataFilter:
    operator = FilterOperator.CONTAINS if key in _LISTS else FilterOperator.EQ
    return MetadataFilter(key=key, operator=operator, value=value)


def _folded(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def _changed(part: MetadataFilter, **changes: Any) -> MetadataFilter:
    return MetadataFilter(**{"key": part.key, "operator": part.operator, "value": part.value, **changes})


def _not(part: _Part) -> MetadataFilters:
    return MetadataFilters(filters=[part], condition=FilterCondition.NOT)


def _refuse(part: MetadataFilter, problem: str) -> NoReturn:
    raise InputError(f"The filter {part.operator.value!r} on {part.key!r} {problem}.")


def _conjuncts(part: _Part) -> Iterable[_Part]:
    """Return the parts of a filter that must all be met."""
    if isinstance(part, MetadataFilters) and part.condition is FilterCondition.AND:
        for inner in part.filters:
            yield from _conjuncts(inner)
    else:
        yield part


def _unmet_sentence(part: _Part, fields: Fields) -> str:
    return f"No record meets the filter {as_text(part)}{_if_insensitive(part, fields) or _instead(part, fields)}"


def _if_insensitive(part: _Part, fields: Fields) -> str:
    """Describe that only upper and lower case differ.

    As the rest of a sentence; empty where that is not the reason.
    """
    if not isinstance(part, MetadataFilter) or part.operator is not FilterOperator.TEXT_MATCH:
        return ""
    insensitive = FilterOperator.TEXT_MATCH_INSENSITIVE
    is_met = fields.meet(MetadataFilters(filters=[_changed(part, operator=insensitive)]))
    return f" in these upper and lower case letters: use {insensitive.value!r}." if is_met else ""


def _instead(part: _Part, fields: Fields) -> str:
    """Describe what the field of a filter holds.

    As the rest of a sentence; empty where the filter is of several fields.
    """
    if isinstance(part, MetadataFilters):
        return "."
    values = fields.values(part.key)
    if not values:
        return ": no record has that field."
    numbers = [value for value in values if isinstance(value, int | float)]
    if len(numbers) == len(values):
        return f": the records hold {min(numbers)} to {max(numbers)}."
    texts = sorted(value for value in values if isinstance(value, str))
    wanted = part.value if isinstance(part.value, list) else [part.value]
    near = [close for value in wanted for close in _near(str(value), texts)] if part.operator in _WANTING else []
    if near:
        return f". Did you mean {' or '.join(map(repr, near[:_SUGGESTED_AT_MOST]))}?"
    if len(texts) <= _NAMED_AT_MOST:
        return f": the records hold {', '.join(map(repr, texts))}."
    return f": none of the {len(texts)} values that records have comes near it."


def _near(value: str, texts: Sequence[str]) -> list[str]:
    """Return values that are close to another. They hold all of its words, or are spelled nearly as it is."""
    words = set(re.findall(r"\w+", _folded(value)))
    holding = [text for text in texts if words and words <= set(re.findall(r"\w+", _folded(text)))]
    # A journal is known by its name without the town: "Lancet (London, England)".
    by_folded: dict[str, str] = {}
    for text in texts:
        for name in (text, text.partition(" (")[0]):
            by_folded.setdefault(_folded(name), text)
    close = difflib.get_close_matches(_folded(value), by_folded, n=_SUGGESTED_AT_MOST)
    shortest = sorted(holding, key=len)[:_SUGGESTED_AT_MOST]
    return list(dict.fromkeys([*shortest, *(by_folded[text] for text in close)]))
