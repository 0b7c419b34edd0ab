"""The command ``medqa chat``: a conversation with models loaded once."""

import sys
from typing import Annotated

import typer

from llama_index_medqa.cli.asking import AnsweredWith, opened
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
    QuietOption,
    RetractedOption,
    RetrievalOption,
    StrictnessOption,
    TopKOption,
    TypeOption,
    VerboseOption,
    WeightsHashOption,
    WeightsOption,
    terminal_for,
)
from llama_index_medqa.profiles import EMBEDDED

# Some lines of a pipe could not be carried out; all others were.
EXIT_INCOMPLETE = 3


def chat(
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
    history: Annotated[
        bool, typer.Option("--history/--no-history", help="Whether to keep what is typed, for the next conversation.")
    ] = True,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Answer questions one after the other, follow-ups too. Without a terminal, a question or command a line."""
    from llama_index_medqa.cli.chat.line_reading import (
        history_file,
        is_interactive,
        lines_of_pipe,
        lines_of_terminal,
        require_line_editing,
    )

    terminal = terminal_for(False)
    is_typed = is_interactive()
    if is_typed:
        require_line_editing()
    with terminal.working("Starting", in_pipes=False):
        from llama_index_medqa.cli.chat.session import ChatSession
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
        chosen.require()
    read = lines_of_terminal(history_file() if history else None) if is_typed else lines_of_pipe()
    with opened(terminal, chosen) as answering:
        session = ChatSession(answering, chosen, terminal, papers, is_interactive=is_typed)
        if is_typed:
            terminal.line(f"{answering.engine.answered_by} drafts, every sentence is verified. Ask, or type /help.")
        is_whole = session.run(read)
    if not is_whole and not is_typed:
        sys.exit(EXIT_INCOMPLETE)
