import hashlib
import json
import re
from datetime import date
from html.parser import HTMLParser
from importlib.resources import files
from urllib.parse import urljoin

import httpx
import pytest

from llama_index_medqa import MedQAQueryEngine
from llama_index_medqa.server.application import create_app
from llama_index_medqa.server.page import _age, page_routes
from llama_index_medqa.server.replies import CONTENT_SECURITY_POLICY
from llama_index_medqa.server.service import AnswerService
from llama_index_medqa.testing import ScriptedEntailment, ScriptedLLM
from llama_index_medqa.verification.verifier import ClaimVerifier

ADDRESS = "http://127.0.0.1:8765/"
QUESTION = "What does green tea do to the resting heart rate?"
DRAFT = "Green tea lowered the resting heart rate by 3.5 beats per minute compared with water."
STATIC = files("llama_index_medqa.server") / "static"
# Everything that reads text as HTML or as code.
SINKS = re.compile(
    r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|createContextualFragment|setHTMLUnsafe|DOMParser|srcdoc"
    r"|\beval\b|\bFunction\(|setTimeout\(\s*['\"`]|setInterval\(\s*['\"`]|javascript:|\.style\b|\bimport\b"
)


class Elements(HTMLParser):
    """The elements of a page: (name, attributes), and the text in each."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.texts.append((self.found[-1][0], data.strip()))

    def named(self, name: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.found if tag == name]


@pytest.fixture
def service(index) -> AnswerService:
    verifier = ClaimVerifier(ScriptedEntailment())
    service = AnswerService(index, MedQAQueryEngine.from_index(index, ScriptedLLM([DRAFT]), verifier=verifier))
    yield service
    service.close()


@pytest.fixture
async def client(service):
    async with httpx.AsyncClient(transport=httpx.ASGITransport(create_app(service)), base_url=ADDRESS) as client:
        yield client


@pytest.fixture
async def page(client) -> str:
    reply = await client.get("/")
    assert (reply.status_code, reply.headers["content-type"]) == (200, "text/html; charset=utf-8")
    return reply.text


def rendered(service: AnswerService, *examples: str) -> str:
    """The page with examples of one's own, by way of its route alone."""
    from starlette.applications import Starlette
    from starlette.testclient import TestClient

    return TestClient(Starlette(routes=page_routes(service, examples=examples))).get("/").text


def test_the_page_says_what_is_searched_and_who_drafts(page):
    texts = [text for _, text in Elements(page).texts]
    # The conftest's four records: one is of 2018, one of 2019, one of 2021, one has no date.
    assert "4 records, 2018 to 2021" in texts
    assert "Answers are drafted by scripted; a verifier decides which of its sentences are shown." in texts
    assert "This is a summary of literature, not medical advice." in texts


def test_without_a_model_the_page_says_so(index):
    engine = MedQAQueryEngine.from_index(index, "extractive", verifier=ClaimVerifier(ScriptedEntailment()))
    assert "Answers are sentences quoted from the records; no model writes them." in rendered(
        AnswerService(index, engine)
    )


@pytest.mark.parametrize(
    ("as_of", "warning"),
    [
        (None, ""),
        (date(2026, 6, 3), ""),
        (
            date(2026, 6, 2),
            "The records are 181 days old: papers may have been revised or retracted since (medqa update).",
        ),
    ],
)
def test_old_records_are_warned_of(as_of, warning):
    assert _age(as_of, date(2026, 11, 30)) == warning


def test_texts_in_the_page_are_escaped_and_cannot_control(service):
    example = '"><script>alert(1)</script><img src=x onerror=alert(1)>\x1b[31m\u202e'
    elements = Elements(rendered(service, example))
    assert len(elements.named("script")) == 1
    assert elements.named("img") == []
    [shown] = [text for tag, text in elements.texts if tag == "button" and "alert" in text]
    assert shown == example.replace("\x1b", "\ufffd").replace("\u202e", "\ufffd")


def test_the_page_holds_no_code_or_style_of_its_own(page):
    elements = Elements(page)
    assert elements.named("style") == []
    [script] = elements.named("script")
    assert set(script) == {"src", "defer"}
    assert not [text for tag, text in elements.texts if tag == "script"]
    for _, attributes in elements.found:
        assert not [name for name in attributes if name.startswith("on") or name == "style"]
        assert not (attributes.get("href") or "").startswith("javascript:")


def test_everything_that_the_page_loads_is_its_own(page):
    elements = Elements(page)
    loaded = [attributes["href"] for attributes in elements.named("link")]
    loaded += [attributes["src"] for attributes in elements.named("script")]
    assert len(loaded) == 3
    # Relative, so that the page may lie below a prefix of a proxy.
    assert all(urljoin("http://proxy/prefix/", address).startswith("http://proxy/prefix/static/") for address in loaded)


def test_every_control_has_a_label(page):
    elements = Elements(page)
    labels = {attributes["for"] for attributes in elements.named("label")}
    controls = [attributes for name in ("input", "textarea", "select") for attributes in elements.named(name)]
    assert {control["id"] for control in controls} == labels
    assert len(controls) == 5
    assert {name for name, _ in elements.found} >= {"header", "main", "footer", "h1"}
    assert elements.named("html") == [{"lang": "en"}]


@pytest.mark.parametrize(
    ("name", "media_type"),
    [
        ("page.css", "text/css; charset=utf-8"),
        ("page.js", "text/javascript; charset=utf-8"),
        ("icon.svg", "image/svg+xml"),
    ],
)
async def test_static_files_have_their_type_and_an_address_that_changes_with_them(client, page, name, media_type):
    content = (STATIC / name).read_bytes()
    [address] = set(re.findall(rf'"(static/{name}\?v=[^"]+)"', page))
    assert address.endswith(f"?v={hashlib.sha256(content).hexdigest()[:12]}")
    reply = await client.get(address)
    assert reply.content == content
    assert reply.headers["content-type"] == media_type
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert "immutable" in reply.headers["cache-control"]


@pytest.mark.parametrize(
    "address",
    [
        "/static/",
        "/static/nothing.js",
        "/static/../page.py",
        "/static/%2e%2e/page.py",
        "/static/..%2fpage.py",
        "/static/..%5cpage.py",
        "/static/%2fetc%2fpasswd",
        "/static/page.js%00.css",
        "/static/PAGE.JS",
    ],
)
async def test_no_other_file_is_served(client, address):
    reply = await client.get(address)
    assert reply.status_code == 404
    assert "import" not in reply.text


async def test_the_policy_of_the_page_allows_its_own_files_alone(client):
    for address in ("/", "/static/page.js", "/static/nothing"):
        policy = (await client.get(address)).headers["content-security-policy"]
        assert policy == CONTENT_SECURITY_POLICY
    directives = dict(part.split(None, 1) for part in policy.split("; "))
    assert directives["default-src"] == "'self'"
    assert set(directives.values()) <= {"'self'", "'none'"}
    assert (await client.get("/")).headers["cache-control"] == "no-store"


def test_the_script_puts_in_text_and_asks_nobody_else():
    script = (STATIC / "page.js").read_text()
    assert script.startswith('"use strict";')
    assert not SINKS.findall(script)
    assert len(script.splitlines()) <= 500
    # PubMed is linked to, and what else is linked to must begin so.
    assert set(re.findall(r"\bhttps?://[\w./-]*", script)) == {"https://pubmed.ncbi.nlm.nih.gov/", "https://"}
    assert set(re.findall(r'(?:post|fetch)\([`"]([\w/]+)', script)) == {"api/ask", "api/records/", "export/"}


def test_the_style_loads_nothing_and_stills_motion_where_asked():
    style = (STATIC / "page.css").read_text()
    assert "url(" not in style
    assert "@import" not in style
    assert "@media (prefers-reduced-motion: reduce)" in style
    assert "@media print" in style


def luminance(colour: str) -> float:
    """Relative luminance as WCAG 2.1 defines it."""
    channels = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    ("front", "back", "least"),
    [
        *((front, back, 4.5) for front in ("ink", "soft", "accent") for back in ("paper", "sheet")),
        *(("ink", back, 4.5) for back in ("mark", "mark-soft", "against", "care-soft", "grave-soft")),
        ("care", "paper", 4.5),
        ("care", "sheet", 4.5),
        ("care", "care-soft", 4.5),
        ("accent", "care-soft", 4.5),
        ("on-accent", "accent", 4.5),
        ("on-grave", "grave", 4.5),
        # Borders of controls: WCAG 1.4.11.
        ("frame", "paper", 3.0),
        ("frame", "sheet", 3.0),
    ],
)
def test_colours_have_the_contrast_of_aa(scheme, front, back, least):
    style = (STATIC / "page.css").read_text()
    light, dark = (dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", block)) for block in style.split("@media", 2)[:2])
    colours = light if scheme == "light" else {**light, **dark}
    brighter, darker = sorted((luminance(colours[front]), luminance(colours[back])), reverse=True)
    assert (brighter + 0.05) / (darker + 0.05) >= least


async def answered(client, **more) -> dict:
    asked = {"question": QUESTION, **more}
    answer = (await client.post("/api/ask", json=asked)).json()
    assert answer["outcome"] == "answer"
    return {**asked, "answer": answer["answer"]}


@pytest.mark.parametrize(
    ("format_", "media_type", "ending", "holds"),
    [
        ("bibtex", "application/x-bibtex", "bib", ["@article{PMID101,", "journal = {Journal of Invented Trials}"]),
        ("ris", "application/x-research-info-systems", "ris", ["TY  - JOUR\r\n", "AN  - 101\r\n", "PY  - 2021\r\n"]),
        ("html", "text/html; charset=utf-8", "html", [f"{DRAFT}</mark>", "<h2>Answer</h2>"]),
        ("json", "application/json", "json", ['"document_id": "PMID:101"']),
    ],
)
async def test_an_answer_is_saved(client, format_, media_type, ending, holds):
    body = await answered(client)
    reply = await client.post(f"/export/{format_}", json=body)
    assert (reply.status_code, reply.headers["content-type"]) == (200, media_type)
    # Never shown in the page's own origin.
    assert reply.headers["content-disposition"] == f'attachment; filename="medqa-answer.{ending}"'
    assert all(part in reply.text for part in holds)


async def test_what_is_saved_is_what_was_shown(client):
    body = await answered(client, first_year=2020)
    saved = (await client.post("/export/json", json=body)).json()
    assert (saved["question"], saved["answer"]) == (QUESTION, body["answer"])
    for citation in (citation for sentence in saved["sentences"] for citation in sentence["citations"]):
        record = (await client.get(f"/api/records/{citation['document_id']}")).json()
        assert record["text"][citation["start"] : citation["end"]] == citation["quote"]


async def test_an_answer_that_was_not_given_is_not_saved(client):
    body = await answered(client)
    reply = await client.post("/export/html", json={**body, "answer": "Green tea cures everything."})
    assert reply.status_code == 409
    assert "ask it again" in reply.json()["error"]["message"]
    assert "cures" not in reply.text


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"answer": None}, "answer"),
        ({"question": ["<b>"]}, "question"),
        ({"first_year": "<b>"}, "first_year"),
        ({"path": "/etc/passwd"}, "path"),
    ],
)
async def test_a_bad_request_for_a_file_is_refused_without_its_words(client, change, field):
    reply = await client.post("/export/json", json={"question": QUESTION, "answer": DRAFT, **change})
    assert reply.status_code == 400
    assert f"does not fit: {field}" in reply.json()["error"]["message"]
    assert not {"<b>", "/etc/passwd"} & set(re.findall(r"<b>|/etc/passwd", reply.text))


@pytest.mark.parametrize("format_", ["pdf", "..%2fpage", "HTML"])
async def test_other_formats_are_not_known(client, format_):
    reply = await client.post(f"/export/{format_}", json={"question": QUESTION, "answer": DRAFT})
    assert reply.status_code == 404
    assert (await client.get("/export/html")).status_code == 405


async def test_pages_elsewhere_get_no_file(client):
    body = json.dumps(await answered(client))
    headers = {"Content-Type": "application/json", "Origin": "https://elsewhere.example"}
    assert (await client.post("/export/html", content=body, headers=headers)).status_code == 403
