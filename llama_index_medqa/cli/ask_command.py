"""The command ``medqa ask``: a question, or a file of them, answered from an index."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llama_index_medqa._common.writable import require_writable
from llama_index_medqa.cli.asking import AnsweredWith, opened
from llama_index_medqa.cli.option_groups import AnsweringOptions, PaperOptions, with_groups
from llama_index_medqa.cli.options import (
    JsonOption,
    QuietOption,
    VerboseOption,
    print_json,
    require_index,
    terminal_for,
)
from llama_index_medqa.errors import UsageError

if TYPE_CHECKING:
    from llama_index_medqa.answering.response import MedQAResponse
    from llama_index_medqa.cli.display.terminal import Terminal
    from llama_index_medqa.retrieval.paper_filter import PaperFilter


@dataclass(frozen=True)
class QuestionOptions:
    """A question, or a file of them and the file of their answers."""

    question: Annotated[
        str | None, typer.Argument(help="A question in English; a model translates it from six other languages.")
    ] = None
    questions: Annotated[
        Path | None,
        typer.Option(help="In place of a question: a .csv, .jsonl or .txt file of them, answered one by one."),
    ] = None
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Their answers, .csv or .jsonl; what is in it is not asked again."),
    ] = None


@dataclass(frozen=True)
class FileOptions:
    """Files that the answer to one question is also written to."""

    html: Annotated[Path | None, typer.Option(help="Also write the answer to this HTML file, abstracts beside.")] = None
    markdown: Annotated[Path | None, typer.Option(help="Also write it to this Markdown file.")] = None
    bibtex: Annotated[Path | None, typer.Option(help="Also write the cited papers to this BibTeX file.")] = None
    ris: Annotated[Path | None, typer.Option(help="Also write the cited papers to this RIS file.")] = None


@with_groups
def ask(
    asked: QuestionOptions,
    answering: AnsweringOptions,
    papers: PaperOptions,
    files: FileOptions,
    why: Annotated[
        bool, typer.Option("--why", help="Also tell what was drafted, and why each sentence of it was left out.")
    ] = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Answer a question from an index; else quote the findings that come nearest, or say that there are none."""
    terminal = terminal_for(as_json)
    question, questions, output = asked.question, asked.questions, asked.output
    saved = asdict(files)
    _require_one_way(question, questions, output, is_for_one=why or any(saved.values()))
    with terminal.working("Starting", in_pipes=False):
        paper_filter = papers.as_filter()
        chosen = AnsweredWith.of_options(answering)
    if questions and output:
        from llama_index_medqa.cli.question_list.answering import answer_list

        answer_list(terminal, chosen, paper_filter, questions, output, as_json=as_json)
    elif question:
        _ask_one(terminal, chosen, paper_filter, question, saved, with_reasons=why, as_json=as_json)


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
        # What cannot be written is told first: the modules below take seconds to load.
        require_writable(*files.values())
        from llama_index_medqa.components import require_language, require_server, start_answer
        from llama_index_medqa.rendering.export import save_answer
        from llama_index_medqa.rendering.text import as_data

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
