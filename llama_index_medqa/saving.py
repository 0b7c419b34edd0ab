"""An answer into files."""

from datetime import UTC, datetime
from pathlib import Path

from llama_index_medqa.errors import InputError
from llama_index_medqa.references import as_bibtex, as_ris, references
from llama_index_medqa.rendering import as_markdown
from llama_index_medqa.rendering_html import as_html
from llama_index_medqa.response import MedQAResponse


def save_answer(
    question: str,
    response: MedQAResponse,
    *,
    html: Path | None = None,
    markdown: Path | None = None,
    bibtex: Path | None = None,
    ris: Path | None = None,
) -> None:
    """Writes an answer, and the papers that it cites, to the files that are given.

    Raises:
        InputError: a file cannot be written.
    """
    today = datetime.now(UTC).date()
    cited = references(response)
    contents = {
        html: as_html(question, response, today),
        markdown: as_markdown(question, response, today),
        bibtex: as_bibtex(cited),
        ris: as_ris(cited),
    }
    for file, content in contents.items():
        if file is not None:
            _write(file, content)


def _write(file: Path, content: str) -> None:
    try:
        file.write_text(content, encoding="utf-8", newline="")
    except OSError as error:
        raise InputError(f"{file} cannot be written: {error.strerror}. Choose another place.") from error
