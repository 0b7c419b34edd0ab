"""Groups of options, as frozen dataclasses, and the commands that take them."""

import inspect
from collections.abc import Callable
from dataclasses import MISSING, dataclass, fields, is_dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any, get_type_hints

from llama_index_medqa.cli.options import (
    AdapterOption,
    ApiBaseOption,
    EmbedderOption,
    FirstYearOption,
    IndexOption,
    JournalOption,
    LastYearOption,
    LlmOption,
    ManifestOption,
    ModelOption,
    PolicyOption,
    ProfileOption,
    RetractedOption,
    RetrievalOption,
    StrictnessOption,
    TopKOption,
    TypeOption,
    WeightsHashOption,
    WeightsOption,
)
from llama_index_medqa.errors import UsageError
from llama_index_medqa.profiles import EMBEDDED

if TYPE_CHECKING:
    from llama_index_medqa.retrieval.paper_filter import PaperFilter


def with_groups(command: Callable[..., None]) -> Callable[..., None]:
    """Return a command for Typer whose groups are single options.

    Typer makes an option or argument of each parameter. A parameter whose type is a dataclass stands for the fields of
    that class: each becomes a parameter by its own name, annotation and default, in its order.

    Args:
        command: a function that takes dataclasses, and options beside them.
    """
    hints = get_type_hints(command, include_extras=True)
    groups = {name: hints[name] for name in inspect.signature(command).parameters if is_dataclass(hints[name])}
    parameters: list[inspect.Parameter] = []
    for parameter in inspect.signature(command).parameters.values():
        if parameter.name in groups:
            parameters += _parameters_of(groups[parameter.name])
        else:
            parameters.append(parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY, annotation=hints[parameter.name]))

    @wraps(command)
    def run(**values: Any) -> None:
        made = {
            name: group(**{field.name: values.pop(field.name) for field in fields(group) if field.name in values})
            for name, group in groups.items()
        }
        command(**made, **values)

    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return run


def _parameters_of(group: Any) -> list[inspect.Parameter]:
    hints = get_type_hints(group, include_extras=True)
    return [
        inspect.Parameter(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=inspect.Parameter.empty if field.default is MISSING else field.default,
            annotation=hints[field.name],
        )
        for field in fields(group)
    ]


@dataclass(frozen=True)
class AnsweringOptions:
    """Options of every command that answers, as they were typed."""

    folder: IndexOption = "medqa_index"
    profile: ProfileOption = EMBEDDED.name
    embedder: EmbedderOption = None
    llm: LlmOption = None
    weights: WeightsOption = None
    weights_sha256: WeightsHashOption = None
    api_base: ApiBaseOption = None
    model: ModelOption = None
    adapter: AdapterOption = None
    manifest: ManifestOption = None
    top_k: TopKOption = None
    retrieval: RetrievalOption = None
    include_retracted: RetractedOption = False
    policy: PolicyOption = "strict"
    strictness: StrictnessOption = "balanced"


@dataclass(frozen=True)
class PaperOptions:
    """Options that say which papers may be found."""

    first_year: FirstYearOption = None
    last_year: LastYearOption = None
    publication_type: TypeOption = None
    journal: JournalOption = None

    def as_filter(self) -> "PaperFilter":
        """Return the filter of papers.

        Raises:
            UsageError: the first year is after the last.
        """
        if self.first_year and self.last_year and self.first_year > self.last_year:
            raise UsageError(f"--from-year {self.first_year} is after --to-year {self.last_year}: swap the two.")
        from llama_index_medqa.retrieval.paper_filter import PaperFilter

        return PaperFilter(self.first_year, self.last_year, self.publication_type or (), self.journal or ())
