"""The command ``medqa chat``: a conversation with models loaded once."""

import sys
from typing import Annotated

import typer

from llama_index_medqa.cli.asking import AnsweredWith, opened
from llama_index_medqa.cli.option_groups import AnsweringOptions, PaperOptions, with_groups
from llama_index_medqa.cli.options import EXIT_INCOMPLETE, QuietOption, VerboseOption, terminal_for


@with_groups
def chat(
    answering: AnsweringOptions,
    paper_options: PaperOptions,
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

        papers = paper_options.as_filter()
        chosen = AnsweredWith.of_options(answering)
        chosen.require()
    read = lines_of_terminal(history_file() if history else None) if is_typed else lines_of_pipe()
    with opened(terminal, chosen) as ready:
        session = ChatSession(ready, chosen, terminal, papers, is_interactive=is_typed)
        if is_typed:
            terminal.line(f"{ready.engine.answered_by} drafts, every sentence is verified. Ask, or type /help.")
        is_whole = session.run(read)
    # Some lines of a pipe could not be carried out; all others were.
    if not is_whole and not is_typed:
        sys.exit(EXIT_INCOMPLETE)
