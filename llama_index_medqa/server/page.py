"""The web page: HTML, one script, one style sheet, and answers as files."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from importlib.resources import files
from types import MappingProxyType
from typing import NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from pydantic import Field, ValidationError
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from llama_index_medqa.answering.drafting import EXTRACTIVE
from llama_index_medqa.answering.response import NOT_MEDICAL_ADVICE, MedQAResponse
from llama_index_medqa.errors import InputError
from llama_index_medqa.pubmed.data_date import is_stale
from llama_index_medqa.rendering.html import as_html
from llama_index_medqa.rendering.references import as_bibtex, as_ris, references
from llama_index_medqa.rendering.text import as_data
from llama_index_medqa.server.json_api import AskBody, chat_messages
from llama_index_medqa.server.replies import refusal, while_connected
from llama_index_medqa.server.results import IndexStatus
from llama_index_medqa.server.service import AnswerService
from llama_index_medqa.text.printable import printable, printable_json

EXAMPLES = (
    "Does cardiorespiratory fitness predict cardiovascular mortality?",
    "Which drugs lower the risk of stroke in atrial fibrillation?",
    "What do trials say about exercise in people with heart failure?",
)
# PubMed's names of the publication types that people filter by.
PUBLICATION_TYPES = (
    "Case Reports",
    "Clinical Trial",
    "Comparative Study",
    "Guideline",
    "Meta-Analysis",
    "Multicenter Study",
    "Observational Study",
    "Practice Guideline",
    "Randomized Controlled Trial",
    "Review",
    "Systematic Review",
)
_MEDIA_TYPES: Mapping[str, str] = MappingProxyType(
    {"page.css": "text/css", "page.js": "text/javascript", "icon.svg": "image/svg+xml"}
)
# The address of a file changes with its content.
_FOREVER = "public, max-age=31536000, immutable"
_HASH_CHARACTERS = 12

Endpoint = Callable[[Request], Awaitable[Response]]


class ExportBody(AskBody):
    """A question that was answered, and the answer that is to be saved."""

    answer: str = Field(description="The answer as it was given; no other is written to a file.")


class _FileFormat(NamedTuple):
    """A format that an answer is saved in."""

    media_type: str
    ending: str
    write: Callable[[str, MedQAResponse], str]


_FILE_FORMATS: Mapping[str, _FileFormat] = MappingProxyType(
    {
        "bibtex": _FileFormat("application/x-bibtex", "bib", lambda _, response: as_bibtex(references(response))),
        "ris": _FileFormat(
            "application/x-research-info-systems", "ris", lambda _, response: as_ris(references(response))
        ),
        "html": _FileFormat("text/html", "html", lambda question, response: as_html(question, response, _today())),
        "json": _FileFormat(
            "application/json", "json", lambda question, response: printable_json(as_data(question, response))
        ),
    }
)


def page_routes(service: AnswerService, *, examples: Sequence[str] = EXAMPLES) -> list[Route]:
    """Return the routes of the page.

    ``/``, ``/static/…``, and ``/export/…``, which gives an answer as a file.

    The page holds no script or style of its own, and asks for nothing from elsewhere, so that it works under
    ``Content-Security-Policy: default-src 'self'``. All its addresses are relative: it may lie below a prefix.

    Args:
        service: answers; the page says from what.
        examples: questions that are shown before the first one is asked.
    """
    contents = _static_files()
    template = _environment(contents).get_template("page.html")
    return [
        Route("/", _page(service, template, examples), name="page"),
        Route("/static/{name}", _static(contents), name="static"),
        Route("/export/{format}", _export(service), methods=["POST"], name="export"),
    ]


def _static_files() -> dict[str, bytes]:
    folder = files(__package__) / "static"
    return {name: (folder / name).read_bytes() for name in _MEDIA_TYPES}


def _environment(contents: Mapping[str, bytes]) -> Environment:
    environment = Environment(
        loader=PackageLoader(__package__), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    hashes = {name: hashlib.sha256(content).hexdigest()[:_HASH_CHARACTERS] for name, content in contents.items()}
    environment.globals["static"] = lambda name: f"static/{name}?v={hashes[name]}"
    return environment


def _page(service: AnswerService, template: Template, examples: Sequence[str]) -> Endpoint:
    async def page(request: Request) -> Response:
        status = await asyncio.to_thread(service.status)
        shown = template.render(
            index_line=_index_line(status),
            age=_age(status.as_of, _today()),
            years=status.years,
            drafted_by=_drafted_by(status.drafter),
            notice=NOT_MEDICAL_ADVICE,
            examples=examples,
            publication_types=PUBLICATION_TYPES,
            most_characters=service.limits.most_question_characters,
        )
        return HTMLResponse(printable(shown), headers={"Cache-Control": "no-store"})

    return page


def _static(contents: Mapping[str, bytes]) -> Endpoint:
    async def static(request: Request) -> Response:
        name = request.path_params["name"]
        if name not in contents:
            return PlainTextResponse("There is no such file.", status_code=404)
        return Response(contents[name], media_type=_MEDIA_TYPES[name], headers={"Cache-Control": _FOREVER})

    return static


def _export(service: AnswerService) -> Endpoint:
    """Return the endpoint that gives an answer as a file.

    The client names question and answer. The service, which keeps answers, gives the answer again; only one that is
    still the same is written, so that no file says what its reader has not seen, and none holds a client's words.
    """

    async def export(request: Request) -> Response:
        file_format = _FILE_FORMATS.get(request.path_params["format"])
        if file_format is None:
            return refusal(404, "format", f"There is no such format: choose {', '.join(_FILE_FORMATS)}.")
        body = _export_body(await request.body())
        work = service.ask(body.question, body.papers, history=chat_messages(body.history))
        response = await while_connected(request, work)
        if response is None:
            return Response(status_code=499)
        if printable(response.response or "") != body.answer:
            return refusal(409, "changed", "The question has another answer now: ask it again, and save that one.")
        content = await asyncio.to_thread(file_format.write, body.question, response)
        name = f'attachment; filename="medqa-answer.{file_format.ending}"'
        return Response(content, media_type=file_format.media_type, headers={"Content-Disposition": name})

    return export


def _export_body(body: bytes) -> ExportBody:
    try:
        return ExportBody.model_validate_json(body)
    except ValidationError as error:
        fields = ", ".join(".".join(map(str, problem["loc"])) or "body" for problem in error.errors())
        raise InputError(f"The request does not fit: {fields}. Send the fields of /api/ask, and answer.") from error


def _today() -> date:
    return datetime.now(UTC).date()


def _index_line(status: IndexStatus) -> str:
    """Return what is searched, in a line.

    ``12,223 records, 1977 to 2021, as of 2021-05-03``.
    """
    parts = [f"{status.records:,} record{'' if status.records == 1 else 's'}"]
    if status.years:
        first, last = status.years
        parts.append(str(first) if first == last else f"{first} to {last}")
    if status.as_of:
        parts.append(f"as of {status.as_of.isoformat()}")
    return ", ".join(parts)


def _age(as_of: date | None, today: date) -> str:
    """Return a warning for old records; empty where they are not."""
    if as_of is None or not is_stale(as_of, today):
        return ""
    return (
        f"The records are {(today - as_of).days:,} days old: papers may have been revised or retracted since "
        "(medqa update)."
    )


def _drafted_by(name: str) -> str:
    if name == EXTRACTIVE:
        return "Answers are sentences quoted from the records; no model writes them."
    return f"Answers are drafted by {name}; a verifier decides which of its sentences are shown."
