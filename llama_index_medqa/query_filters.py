"""A question with conditions on the papers that may answer it: years, kinds of study, journals."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from llama_index.core.schema import NodeWithScore, QueryBundle
from llama_index.core.vector_stores.types import FilterCondition, FilterOperator, MetadataFilter, MetadataFilters

from llama_index_medqa.errors import InputError
from llama_index_medqa.metadata_filters import matches


@dataclass(frozen=True)
class PaperFilter:
    """Which papers may be used.

    Attributes:
        first_year: of publication; None for no limit.
        last_year: of publication; None for no limit.
        publication_types: PubMed's names, such as ``Randomized Controlled Trial``; one of them must be there.
        journals: names as the records have them; it must be one of them.

    Raises:
        InputError: the first year is after the last.
    """

    first_year: int | None = None
    last_year: int | None = None
    publication_types: Sequence[str] = ()
    journals: Sequence[str] = ()

    def __post_init__(self) -> None:
        """Refuses an empty span of years."""
        if self.first_year and self.last_year and self.first_year > self.last_year:
            raise InputError(f"No year lies between {self.first_year} and {self.last_year}: swap the two.")

    @property
    def is_empty(self) -> bool:
        """Whether every paper may be used."""
        return not self.as_metadata_filters().filters

    def as_metadata_filters(self) -> MetadataFilters:
        """The same as LlamaIndex's filters on a record's metadata."""
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
    """A question to papers that meet a filter, for ``query`` and ``aquery``.

    ``PubMedRetriever`` searches among those papers only. Of what another retriever finds, the rest is left out.

    Attributes:
        papers: which papers may be used.
    """

    papers: PaperFilter = field(default_factory=PaperFilter)


def papers_of(query_bundle: QueryBundle) -> PaperFilter:
    """The filter of a question; one that every paper meets where it has none."""
    return query_bundle.papers if isinstance(query_bundle, FilteredQuery) else PaperFilter()


def meeting(nodes: Sequence[NodeWithScore], papers: PaperFilter) -> list[NodeWithScore]:
    """The chunks of papers that meet a filter."""
    filters = papers.as_metadata_filters()
    return [item for item in nodes if matches(filters, item.node.metadata)]
