"""Writes an answer to files."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from llama_index_medqa._common.writable import unwritable
from llama_index_medqa.answering.response import MedQAResponse
from llama_index_medqa.rendering.html import as_html
from llama_index_medqa.rendering.references import as_bibtex, as_ris, references
from llama_index_medqa.rendering.text import as_markdown


def save_answer(
    question: str,
    response: MedQAResponse,
    *,
    html: Path | None = None,
    markdown: Path | None = None,
    bibtex: Path | None = None,
    ris: Path | None = None,
) -> None:
    """Write an answer and its references to the given files.

    A file that cannot be written keeps no other from being written.

    Raises:
        InputError: a file cannot be written.
    """
    today = datetime.now(UTC).date()
    cited = references(response)
    contents: tuple[tuple[Path | None, Callable[[], str]], ...] = (
        (html, lambda: as_html(question, response, today)),
        (markdown, lambda: as_markdown(question, response, today)),
        (bibtex, lambda: as_bibtex(cited)),
        (ris, lambda: as_ris(cited)),
    )
    failures = []
    for file, content in contents:
        if file is not None:
            try:
                file.write_text(content(), encoding="utf-8", newline="")
            except OSError as error:
                failures.append(unwritable(file, error.strerror or str(error)))
    if failures:
        raise failures[0]
