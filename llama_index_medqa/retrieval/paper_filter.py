"""Filters on the papers that may answer a question: years, kinds of study, journals."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from llama_index.core.schema import NodeWithScore, QueryBundle
from llama_index.core.vector_stores.types import FilterCondition, FilterOperator, MetadataFilter, MetadataFilters

from llama_index_medqa._common.late_imports import renamed
from llama_index_medqa.errors import InputError
from llama_index_medqa.vector_store.filter_values import ChunkFields, as_text, fitted
from llama_index_medqa.vector_store.filters import matches

_FOUR_DIGITS = range(1000, 10_000)


@dataclass(frozen=True)
class PaperFilter:
    """Conditions on the papers that may be used.

    Upper and lower case do not matter. A single name may be given in place of a list of them.

    Attributes:
        first_year: of publication; None for no limit.
        last_year: of publication; None for no limit.
        publication_types: PubMed's names, such as ``Randomized Controlled Trial``; one of them must be there.
        journals: names as the records have them; it must be one of them.

    Raises:
        InputError: a year is none, or the first is after the last.
    """

    first_year: int | None = None
    last_year: int | None = None
    publication_types: Sequence[str] = ()
    journals: Sequence[str] = ()

    def __post_init__(self) -> None:
        """Convert years and names that are texts, and refuse an empty span of years."""
        changes: dict[str, Any] = {name: _year(name, getattr(self, name)) for name in ("first_year", "last_year")}
        changes |= {name: _names(getattr(self, name)) for name in ("publication_types", "journals")}
        for name, value in changes.items():
            object.__setattr__(self, name, value)
        if self.first_year and self.last_year and self.first_year > self.last_year:
            raise InputError(f"No year lies between {self.first_year} and {self.last_year}: swap the two.")

    @property
    def is_empty(self) -> bool:
        """Return whether every paper may be used."""
        return not self.as_metadata_filters().filters

    def as_metadata_filters(self) -> MetadataFilters:
        """Return the same conditions as LlamaIndex's metadata filters."""
        conditions = (
            ("year", FilterOperator.GTE, self.first_year),
            ("year", FilterOperator.LTE, self.last_year),
            ("publication_types", FilterOperator.ANY, list(self.publication_types)),
            ("journal", FilterOperator.IN, list(self.journals)),
        )
        filters: list[MetadataFilter | MetadataFilters] = [
            MetadataFilter(key=key, operator=operator, value=value) for key, operator, value in conditions if value
        ]
        return MetadataFilters(filters=filters, condition=FilterCondition.AND)


@dataclass
class FilteredQuery(QueryBundle):
    """A question with a filter, for ``query`` and ``aquery``.

    ``PubMedRetriever`` searches among those papers only. Of what another retriever finds, the rest is left out.

    Attributes:
        papers: which papers may be used.
    """

    papers: PaperFilter = field(default_factory=PaperFilter)


def with_question(query_bundle: QueryBundle, question: str) -> QueryBundle:
    """Return a query with another question and the same filter.

    The same query where the question is the same.

    Args:
        query_bundle: what was asked.
        question: what is asked instead, such as a part of it, or its translation.
    """
    if question == query_bundle.query_str:
        return query_bundle
    return replace(query_bundle, query_str=question, custom_embedding_strs=None, embedding=None)


def papers_of(query_bundle: QueryBundle) -> PaperFilter:
    """Return the filter of a query; an empty one where it has none."""
    return query_bundle.papers if isinstance(query_bundle, FilteredQuery) else PaperFilter()


def written(papers: PaperFilter) -> str:
    """Write a filter for people: ``year >= 2019 and journal in ['Circulation']``."""
    return as_text(papers.as_metadata_filters())


def matching(nodes: Sequence[NodeWithScore], papers: PaperFilter) -> list[NodeWithScore]:
    """Return the chunks of papers that meet a filter."""
    if papers.is_empty:
        return list(nodes)
    filters = fitted(papers.as_metadata_filters(), ChunkFields(item.node.metadata for item in nodes))
    return [item for item in nodes if matches(filters, item.node.metadata)]


def not_met(filters: MetadataFilters, metadata: Mapping[str, Any]) -> str:
    """Return the conditions that a paper does not meet.

    ``year >= 2020 (2011)``, ``retracted``.
    """
    if filters.condition is FilterCondition.AND:
        parts = [part for part in filters.filters if not matches(MetadataFilters(filters=[part]), dict(metadata))]
    else:
        parts = [filters]
    conditions = [
        not_met(part, metadata)
        if isinstance(part, MetadataFilters) and part is not filters
        else _condition(part, metadata)
        for part in parts
    ]
    return ", ".join(conditions) or as_text(filters)


def _condition(part: MetadataFilter | MetadataFilters, metadata: Mapping[str, Any]) -> str:
    if isinstance(part, MetadataFilters):
        return as_text(part)
    value = metadata.get(part.key)
    if part.key == "status" and value:
        return str(value)
    known = ", ".join(map(str, value)) if isinstance(value, list) else str(value or "unknown")
    return f"{as_text(part)} ({known})"


def _year(name: str, value: Any) -> int | None:
    if value is None or value == "":
        return None
    text = str(value).strip().removesuffix(".0")
    if not (text.isascii() and text.isdigit() and int(text) in _FOUR_DIGITS):
        raise InputError(f"{name} must be a year such as 2019, got {value!r}.")
    return int(text)


def _names(value: Sequence[str] | str) -> tuple[str, ...]:
    return tuple(name for name in ((value,) if isinstance(value, str) else value) if name.strip())


__getattr__ = renamed(__name__, {"meeting": "matching"})
