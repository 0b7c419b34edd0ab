"""The command ``medqa ask``: a question, or a file of them, answered from an index."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llama_index_medqa.cli.asking import AnsweredWith, opened
from llama_index_medqa.cli.options import (
    AdapterOption,
    ApiBaseOption,
    EmbedderOption,
    FirstYearOption,
    IndexOption,
    JournalOption,
    JsonOption,
    LastYearOption,
    LlmOption,
    ManifestOption,
    ModelOption,
    PolicyOption,
    ProfileOption,
    QuietOption,
    RetractedOption,
    RetrievalOption,
    StrictnessOption,
    TopKOption,
    TypeOption,
    VerboseOption,
    WeightsHashOption,
    WeightsOption,
    print_json,
    require_index,
    terminal_for,
)
from llama_index_medqa.errors import UsageError
from llama_index_medqa.profiles import EMBEDDED

if TYPE_CHECKING:
    from llama_index_medqa.answering.response import MedQAResponse
    from llama_index_medqa.cli.display.terminal import Terminal
    from llama_index_medqa.retrieval.paper_filter import PaperFilter


def ask(
    question: Annotated[
        str | None, typer.Argument(help="A question in English; a model translates it from six other languages.")
    ] = None,
    questions: Annotated[
        Path | None,
        typer.Option(help="In place of a question: a .csv, .jsonl or .txt file of them, answered one by one."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Their answers, .csv or .jsonl; what is in it is not asked again."),
    ] = None,
    folder: IndexOption = "medqa_index",
    profile: ProfileOption = EMBEDDED.name,
    embedder: EmbedderOption = None,
    llm: LlmOption = None,
    weights: WeightsOption = None,
    weights_sha256: WeightsHashOption = None,
    api_base: ApiBaseOption = None,
    model: ModelOption = None,
    adapter: AdapterOption = None,
    manifest: ManifestOption = None,
    top_k: TopKOption = None,
    retrieval: RetrievalOption = None,
    include_retracted: RetractedOption = False,
    policy: PolicyOption = "strict",
    strictness: StrictnessOption = "balanced",
    first_year: FirstYearOption = None,
    last_year: LastYearOption = None,
    publication_type: TypeOption = None,
    journal: JournalOption = None,
    html: Annotated[
        Path | None, typer.Option(help="Also write the answer to this HTML file, abstracts beside.")
    ] = None,
    markdown: Annotated[Path | None, typer.Option(help="Also write it to this Markdown file.")] = None,
    bibtex: Annotated[Path | None, typer.Option(help="Also write the cited papers to this BibTeX file.")] = None,
    ris: Annotated[Path | None, typer.Option(help="Also write the cited papers to this RIS file.")] = None,
    why: Annotated[
        bool, typer.Option("--why", help="Also tell what was drafted, and why each sentence of it was left out.")
    ] = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Answer a question from an index; else quote the findings that come nearest, or say that there are none."""
    terminal = terminal_for(as_json)
    files = {"html": html, "markdown": markdown, "bibtex": bibtex, "ris": ris}
    _require_one_way(question, questions, output, is_for_one=why or any(files.values()))
    with terminal.working("Starting", in_pipes=False):
        from llama_index_medqa.retrieval.paper_filter import PaperFilter

        papers = PaperFilter(first_year, last_year, publication_type or (), journal or ())
        chosen = AnsweredWith.of_options(
            profile,
            folder,
            policy=policy,
            strictness=strictness,
            llm=llm,
            api_base=api_base,
            embedder=embedder,
            base_model=model,
            adapter=adapter,
            manifest=manifest,
            similarity_top_k=top_k,
            retrieval=retrieval,
            weights=weights,
            weights_sha256=weights_sha256,
            include_retracted=include_retracted,
        )
    if questions and output:
        from llama_index_medqa.cli.question_list.answering import answer_list

        answer_list(terminal, chosen, papers, questions, output, as_json=as_json)
    elif question:
        _ask_one(terminal, chosen, papers, question, files, with_reasons=why, as_json=as_json)


def _require_one_way(question: str | None, questions: Path | None, output: Path | None, *, is_for_one: bool) -> None:
    """Check that there is either a question or a file of them.

    Raises:
        UsageError: there are both or none, or what goes with one of them stands beside the other.
    """
    if question is not None and questions is not None:
        raise UsageError("Give either a question or --questions FILE, not both.")
    if (questions is None) != (output is None):
        raise UsageError("--questions FILE and --output FILE go together: the answers to a file go into a file.")
    if questions is not None:
        if is_for_one:
            raise UsageError("--html, --markdown, --bibtex, --ris and --why are of one question: leave them out.")
    elif not (question or "").strip():
        raise UsageError('The question is empty: give one in quotation marks, such as medqa ask "Does tea help?"')


def _ask_one(
    terminal: "Terminal",
    chosen: AnsweredWith,
    papers: "PaperFilter",
    question: str,
    files: dict[str, Path | None],
    *,
    with_reasons: bool,
    as_json: bool,
) -> None:
    with terminal.working("Starting", in_pipes=False):
        from llama_index_medqa.components import require_language, require_server, start_answer
        from llama_index_medqa.rendering.export import require_writable, save_answer
        from llama_index_medqa.rendering.text import as_data

        require_writable(*files.values())
        require_index(chosen.folder)
        require_language(chosen.profile, question)
        require_server(chosen.profile)
    with opened(terminal, chosen) as answering:
        response: MedQAResponse
        if as_json:
            response = start_answer(answering.engine, question, papers).get_response()
            print_json(as_data(question, response))
        else:
            response = terminal.show_answer(answering.engine, question, papers, with_reasons=with_reasons)
    save_answer(question, response, **files)
