"""The web page in a real browser: the real command on real files, and each outcome by a scripted model."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from llama_index.core.base.llms.types import CompletionResponse

from llama_index_medqa import MedQAQueryEngine, PubMedIndex, TokenNodeParser
from llama_index_medqa.indexing.reader import to_document
from llama_index_medqa.pubmed.record import AbstractSection, PublicationDate, PubMedRecord
from llama_index_medqa.testing import HashEmbedding, ScriptedEntailment, ScriptedLLM
from llama_index_medqa.verification.entailment import Entailment
from llama_index_medqa.verification.verifier import ClaimVerifier

playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright (the extra dev)")

pytestmark = pytest.mark.integration

REPOSITORY = Path(__file__).parents[2]
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
PAPERS = REPOSITORY / "examples/papers.jsonl"
SAFER = "Is vitrification safer than slow freezing for ovarian tissue?"
MILLISECONDS = 60_000

TEA = "Does green tea lower the resting heart rate?"
LOWERED = "Green tea lowered the resting heart rate by 3.5 beats per minute compared with water."
RAISED = "Green tea raised the resting heart rate of 40 athletes."
CURED = "Green tea cured arrhythmia in every nurse."
GERMAN = "Senkt grüner Tee die Herzfrequenz in Ruhe?"
TRANSLATED = "Grüner Tee senkte die Herzfrequenz in Ruhe um 3,5 Schläge pro Minute im Vergleich zu Wasser."
ABOUT_ME = "How much does sleep change my blood pressure in nurses?"
ATTACK = "<svg onload=alert(1)><b onclick=alert(2)>bold</b>"
SWELLING = "Cold packs reduced swelling of the ankle by 𝟝 mm."
# What the model says to a prompt that holds a text; the first that fits.
DRAFTS = {
    f"German: {GERMAN}": TEA,
    f"English: {LOWERED}": TRANSLATED,
    f"German: {TRANSLATED}": LOWERED,
    f"Question: {TEA}": f"{LOWERED} {CURED}",
    "Question: How do cold packs": f"{SWELLING} Every nurse in Norway likes {ATTACK}.",
    "Question: Do magnet bracelets": "Magnet bracelets cured arthritis in all patients.",
}


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        pytest.skip("needs Chromium: apt-get install chromium")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of ``medqa app`` without a model, over the abstracts that the examples use."""
    folder = tmp_path_factory.mktemp("app")
    command = [sys.executable, "-c", "from llama_index_medqa.cli.command import main; main()"]
    settings: dict[str, Any] = {"cwd": folder, "text": True, "env": {**os.environ, "HF_HUB_OFFLINE": "1"}}
    subprocess.run([*command, "index", str(PAPERS), "--index", "papers"], check=True, capture_output=True, **settings)
    arguments = ("app", "--index", "papers", "--llm", "extractive", "--port", "0")
    with subprocess.Popen([*command, *arguments], stdout=subprocess.PIPE, **settings) as process:
        assert process.stdout
        said = next((line for line in process.stdout if "listens on" in line), "")
        found = re.search(r"http://127\.0\.0\.1:\d+", said)
        try:
            assert found, said
            yield found.group()
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(60)


class Scripted(ScriptedLLM):
    """Answers by what is asked; a question about a queue waits until it may go on."""

    def __init__(self, release: threading.Event) -> None:
        super().__init__(["I cannot answer."])
        self._release = release

    _release: threading.Event

    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        return CompletionResponse(text=self._next(prompt))

    def _next(self, prompt: str) -> str:
        if "who waits" in prompt:
            self._release.wait(60)
            return LOWERED
        return next((reply for asked, reply in DRAFTS.items() if asked in prompt), super()._next(prompt))


RECORDS = (
    PubMedRecord(
        pmid="101",
        title="Green tea and resting heart rate: a randomized trial.",
        sections=(
            AbstractSection("We gave 120 adults green tea or water for 12 weeks.", "METHODS"),
            AbstractSection(f"{LOWERED} No serious adverse events occurred.", "RESULTS"),
        ),
        journal="Journal of Invented Trials",
        date=PublicationDate(2021, 5, 3),
        publication_types=("Journal Article", "Randomized Controlled Trial"),
    ),
    PubMedRecord(
        pmid="102",
        title="Green tea and resting heart rate of athletes.",
        sections=(AbstractSection(RAISED),),
        journal="Invented Sports",
        date=PublicationDate(2022),
        status="concern",
    ),
    PubMedRecord(
        pmid="103",
        title="Magnet bracelets cure arthritis.",
        sections=(AbstractSection("Magnet bracelets cured arthritis in all patients."),),
        journal="Invented Claims",
        date=PublicationDate(2018, 1),
        status="retracted",
    ),
    PubMedRecord(
        pmid="104",
        title=f"Cold packs and swelling of the ankle 𝛽 {ATTACK}",
        sections=(AbstractSection(f"We packed 𝟙𝟚 ankles {ATTACK}. {SWELLING}"),),
        journal=ATTACK,
        date=PublicationDate(2020),
    ),
    PubMedRecord(
        pmid="105",
        title="Sleep duration and blood pressure in nurses.",
        sections=(AbstractSection("Sleep of less than 6 hours went with higher blood pressure in nurses."),),
        journal="Invented Nursing",
        date=PublicationDate(2019),
    ),
)


@pytest.fixture(scope="module")
def release() -> threading.Event:
    """Lets the model go on that the question about a queue waits for."""
    return threading.Event()


@pytest.fixture(scope="module")
def scripted(tmp_path_factory: pytest.TempPathFactory, word_piece: str, release: threading.Event) -> Iterator[str]:
    """Address of a server whose model says what stands in ``DRAFTS``."""
    import uvicorn

    from llama_index_medqa.server.application import create_app
    from llama_index_medqa.server.service import AnswerService

    parser = TokenNodeParser(tokenizer=word_piece, chunk_size=64, chunk_overlap=16)
    folder = str(tmp_path_factory.mktemp("scripted"))
    index = PubMedIndex.open(folder, embed_model=HashEmbedding(), node_parser=parser, create=True)
    index.ingest([to_document(record) for record in RECORDS])
    against = {(RAISED, LOWERED): Entailment(0.0, 0.0, 1.0)}
    verifier = ClaimVerifier(ScriptedEntailment(against))
    engine = MedQAQueryEngine.from_index(index, Scripted(release), verifier=verifier, include_retracted=True)
    config = uvicorn.Config(create_app(AnswerService(index, engine)), port=0, log_level="warning")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        thread.join(0.05)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join(60)


class Reader:
    """Somebody at the page, and what the browser complained of meanwhile."""

    def __init__(self, page: Any, address: str) -> None:
        self.page = page
        self.complaints: list[str] = []
        self.asked: list[dict[str, Any]] = []
        page.set_default_timeout(MILLISECONDS)
        page.on("console", lambda message: self.complaints.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("dialog", lambda dialog: (self.complaints.append(dialog.message), dialog.dismiss()))
        page.on("request", lambda request: self._note(request, address))
        page.goto(f"{address}/")

    def _note(self, request: Any, address: str) -> None:
        if not request.url.startswith((f"{address}/", f"blob:{address}/")):
            self.complaints.append(f"request to {request.url}")
        if request.url == f"{address}/api/ask":
            self.asked.append(json.loads(request.post_data))

    def ask(self, question: str) -> Any:
        """Asks with the Enter key and waits for the whole answer; gives its part of the page."""
        count = self.page.locator(".turn").count()
        self.page.get_by_role("textbox", name="question").fill(question)
        self.page.keyboard.press("Enter")
        turn = self.page.locator(".turn").nth(count)
        turn.locator(".more:not([hidden])").wait_for()
        assert turn.get_by_role("heading", level=2).inner_text() == question
        return turn

    def width(self) -> int:
        return self.page.evaluate("document.documentElement.scrollWidth")


Open = Callable[..., Reader]


@pytest.fixture
def open_page(browser: Any) -> Iterator[Open]:
    readers = []

    def open_page(address: str, width: int = 1200, height: int = 800, **settings: Any) -> Reader:
        page = browser.new_page(viewport={"width": width, "height": height}, accept_downloads=True, **settings)
        readers.append(Reader(page, address))
        return readers[-1]

    yield open_page
    complaints = [complaint for reader in readers for complaint in reader.complaints]
    for reader in readers:
        reader.page.close()
    assert complaints == []


def mark_of(turn: Any) -> str:
    turn.locator("mark.now").first.wait_for()
    return " ".join(turn.locator("mark.now").all_inner_texts())


def stored(pmid: str) -> dict[str, Any]:
    return next(row for row in map(json.loads, PAPERS.read_text().splitlines()) if row["pmid"] == pmid)


def test_a_sentence_is_read_beside_the_highlighted_words_that_support_it(open_page, real):
    reader = open_page(real)
    assert reader.page.get_by_text("8 records, 2019 to 2024").is_visible()
    turn = reader.ask(SAFER)
    assert turn.get_by_role("heading", name="Answer", exact=True).is_visible()
    assert "not medical advice" in turn.locator(".notice").inner_text()
    assert "as of" in turn.locator(".ends").inner_text()
    paper = stored("106")
    sentence = turn.locator("a.sentence", has_text="4% of follicles were damaged")
    sentence.click()
    assert sentence.get_attribute("aria-current") == "true"
    pane = turn.get_by_role("complementary")
    assert pane.get_by_role("heading").inner_text() == paper["title"]
    assert mark_of(turn) in paper["abstract"]
    assert mark_of(turn) == sentence.inner_text().strip("“”")
    shown = " ".join(pane.locator(".text").inner_text().split())
    assert shown == paper["abstract"]
    assert f"{paper['journal']}, {paper['year']}" in pane.locator(".about").inner_text()
    link = pane.get_by_role("link", name="PMID 106 in PubMed")
    assert link.get_attribute("href") == "https://pubmed.ncbi.nlm.nih.gov/106/"
    assert "noopener" in link.get_attribute("rel")
    said, beside = turn.locator(".said").bounding_box(), pane.bounding_box()
    assert beside["x"] >= said["x"] + said["width"]
    assert beside["y"] < said["y"] + said["height"]


def test_the_keyboard_alone_is_enough(open_page, real):
    reader = open_page(real)
    reader.page.keyboard.press("Tab")
    assert reader.page.evaluate("document.activeElement.className") == "skip"
    reader.page.keyboard.press("Enter")
    reader.page.keyboard.type(SAFER)
    reader.page.keyboard.press("Enter")
    turn = reader.page.locator(".turn")
    turn.locator(".more:not([hidden])").wait_for()
    assert reader.page.get_by_role("status").inner_text().startswith("Answer: ")
    turn.locator("a.sentence").first.focus()
    # Away from it, and back as a reader comes.
    reader.page.keyboard.press("Tab")
    reader.page.keyboard.press("Shift+Tab")
    focused = reader.page.locator("a:focus")
    assert focused.get_attribute("aria-current") == "true"
    assert mark_of(turn)
    assert focused.evaluate("element => getComputedStyle(element).outlineStyle") == "solid"
    reader.page.keyboard.press("Escape")
    assert turn.locator(".record").is_hidden()
    assert reader.page.evaluate("document.activeElement.dataset.span") is not None


def test_a_filter_is_sent_shown_and_said_to_have_left_papers_out(open_page, real):
    reader = open_page(real)
    reader.page.get_by_text("Filters").click()
    reader.page.get_by_label("From year").fill("2024")
    reader.page.get_by_label("Publication type").fill("Journal Article")
    turn = reader.ask(SAFER)
    assert {key: reader.asked[0][key] for key in ("first_year", "publication_types")} == {
        "first_year": 2024,
        "publication_types": ["Journal Article"],
    }
    assert turn.get_by_text("Papers: from 2024 · Journal Article").is_visible()
    assert turn.get_by_role("heading", name="Nothing found").is_visible()
    assert turn.locator(".plain").get_by_role("link", name=stored("106")["title"]).first.is_visible()
    assert f"year >= 2024 ({stored('106')['year']})" in turn.locator(".said").inner_text()


def test_a_follow_up_keeps_the_conversation_and_a_new_one_forgets_it(open_page, real):
    reader = open_page(real)
    first = reader.ask(SAFER)
    answer = first.locator("a.sentence").first.inner_text().strip("“”")
    second = reader.ask("And which of them damaged more follicles?")
    assert second.locator("a.sentence").count() >= 1
    assert [item["role"] for item in reader.asked[1]["history"]] == ["user", "assistant"]
    assert reader.asked[1]["history"][0]["content"] == SAFER
    assert answer.rstrip(".") in reader.asked[1]["history"][1]["content"]
    reader.page.get_by_role("button", name="New conversation").click()
    assert reader.page.locator(".turn").count() == 0
    reader.ask("Does music before surgery lessen anxiety?")
    assert reader.asked[2]["history"] == []


def test_what_the_index_does_not_hold_is_refused_with_the_nearest_papers(open_page, real):
    reader = open_page(real)
    turn = reader.ask("What is the capital of Mongolia?")
    said = turn.locator(".said").inner_text()
    assert "I cannot answer this from the indexed literature." in said
    assert "Searched for: What is the capital of Mongolia?" in said
    assert turn.locator("a.sentence").count() == 0
    assert turn.get_by_role("button", name="Save as BibTeX").count() == 0
    near = turn.locator(".more .plain a").first
    near.click()
    assert turn.get_by_role("complementary").get_by_role("heading").inner_text() == near.inner_text()
    assert turn.locator("mark").count() == 0


def test_an_answer_is_saved_in_four_formats(open_page, real, tmp_path):
    turn = (reader := open_page(real)).ask(SAFER)
    holds = {"BibTeX": "@article{PMID106", "RIS": "AN  - 106", "HTML": "</mark>", "JSON": '"PMID:106"'}
    for name, held in holds.items():
        with reader.page.expect_download() as download:
            turn.get_by_role("button", name=f"Save as {name}").click()
        saved = tmp_path / download.value.suggested_filename
        download.value.save_as(saved)
        assert held in saved.read_text()
    assert {path.suffix for path in tmp_path.glob("medqa-answer.*")} == {".bib", ".ris", ".html", ".json"}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_phone_nothing_is_wider_than_the_screen(open_page, real, scheme):
    reader = open_page(real, 360, 740, color_scheme=scheme, has_touch=True)
    assert reader.width() == 360
    turn = reader.ask(SAFER)
    reader.page.get_by_text("Filters").click()
    turn.locator("summary").click()
    assert reader.width() == 360
    turn.locator("a.sentence").last.tap()
    mark_of(turn)
    said, below = turn.locator(".said").bounding_box(), turn.get_by_role("complementary").bounding_box()
    assert below["y"] >= said["y"] + said["height"]
    assert 0 <= below["x"] <= below["x"] + below["width"] <= 360
    turn.get_by_role("button", name="Close the record").tap()
    assert turn.locator("a.sentence").last.evaluate("element => element === document.activeElement")


def test_the_colours_follow_the_system(open_page, real):
    seen = {}
    for scheme in ("light", "dark"):
        body = open_page(real, color_scheme=scheme).page.locator("body")
        colours = body.evaluate(
            "element => [getComputedStyle(element).backgroundColor, getComputedStyle(element).color]"
        )
        seen[scheme] = [sum(map(int, re.findall(r"\d+", colour)[:3])) / 765 for colour in colours]
    assert seen["light"][0] > 0.9 > 0.3 > seen["light"][1]
    assert seen["dark"][0] < 0.15 < 0.8 < seen["dark"][1]


def test_disagreement_concern_and_what_was_left_out_are_said(open_page, scripted):
    turn = open_page(scripted).ask(TEA)
    assert turn.locator("a.sentence").all_inner_texts() == ["Yes.", LOWERED]
    disagreement = turn.locator(".disagreement")
    assert f"Papers disagree on: {LOWERED}" in " ".join(disagreement.inner_text().split())
    disagreement.get_by_role("link", name="Source 2").click()
    assert mark_of(turn) == RAISED
    assert turn.locator("mark.now.opposing").count() == 1
    assert turn.locator(".record .badge.care").inner_text() == "Expression of concern"
    turn.get_by_text("Why: 1 sentence left out").click()
    why = turn.locator(".why").inner_text()
    assert CURED in why
    assert "Drafted by scripted: 3 sentences, 2 shown." in why
    assert "Drafted by scripted." in turn.locator(".ends").inner_text()


def test_a_retracted_paper_is_marked_in_red_wherever_it_stands(open_page, scripted):
    turn = open_page(scripted).ask("Do magnet bracelets cure arthritis?")
    mark_of(turn)
    assert "Careful: PMID:103 is retracted." in turn.locator(".said").inner_text()
    for part in (".said", ".record", ".papers"):
        badge = turn.locator(part).locator(".badge.grave").first
        assert badge.inner_text() == "Retracted"
        red, green, blue = map(
            int, re.findall(r"\d+", badge.evaluate("item => getComputedStyle(item).backgroundColor"))
        )
        assert red > 2 * max(green, blue)


def test_findings_are_said_to_be_quotes_and_a_person_is_cautioned(open_page, scripted):
    turn = open_page(scripted).ask(ABOUT_ME)
    assert turn.get_by_role("heading", name="Findings").is_visible()
    said = turn.locator(".said").inner_text()
    assert "No answer could be verified. These are quotes, not an answer" in said
    assert "ask a doctor or pharmacist" in turn.locator(".caution").inner_text()
    assert mark_of(turn) == RECORDS[4].sections[0].text
    assert turn.locator("blockquote").inner_text().startswith(f"“{RECORDS[4].sections[0].text}”")


def test_a_translation_is_marked_as_a_machine_s(open_page, scripted):
    translation = open_page(scripted).ask(GERMAN).locator(".translation")
    assert "machine translation, not verified" in translation.get_by_role("heading").inner_text().lower()
    assert f"{TRANSLATED} [PMID:101]" in translation.locator("[lang=de]").inner_text()
    assert f"“{TEA}”" in translation.inner_text()


def test_hostile_texts_are_shown_as_text_and_spans_count_characters(open_page, scripted):
    reader = open_page(scripted)
    turn = reader.ask(f"How do cold packs {ATTACK} change swelling of the ankle?")
    turn.locator("a.sentence", has_text=SWELLING).first.click()
    assert mark_of(turn) == SWELLING
    assert turn.get_by_role("complementary").get_by_role("heading").inner_text() == RECORDS[3].title
    assert ATTACK in turn.locator(".record .text").inner_text()
    assert ATTACK in turn.locator(".record .about").inner_text()
    assert ATTACK in turn.locator(".why").text_content()
    assert reader.page.locator("svg, b, img, main script").count() == 0


def test_the_queue_is_shown_and_may_be_left(open_page, scripted, release):
    first, second = open_page(scripted), open_page(scripted, reduced_motion="reduce")
    for reader, question in ((first, f"{TEA} For one who waits."), (second, "How does sleep help one who waits?")):
        reader.page.get_by_role("textbox", name="question").fill(question)
        reader.page.keyboard.press("Enter")
        reader.page.locator(".waiting").wait_for()
        if reader is first:
            first.page.wait_for_timeout(1_500)
    waiting = second.page.locator(".waiting")
    waiting.get_by_text("Waiting: 1 question before this one").wait_for()
    waiting.get_by_text(re.compile(r"· [1-9]\d* s$")).wait_for()
    still = waiting.evaluate("element => getComputedStyle(element, '::before').animationName")
    assert still == "none"
    second.page.get_by_role("button", name="Stop").click()
    second.page.get_by_text("Stopped.").first.wait_for()
    assert second.page.get_by_role("textbox", name="question").input_value() == "How does sleep help one who waits?"
    release.set()
    first.page.locator(".more:not([hidden])").wait_for()
    assert LOWERED in first.page.locator(".said").inner_text()
    first.page.keyboard.press("Escape")


def test_a_refusal_of_the_server_is_told_and_the_question_kept(open_page, scripted):
    reader = open_page(scripted)
    reader.page.get_by_text("Filters").click()
    reader.page.get_by_label("From year").fill("0999")
    reader.page.get_by_role("textbox", name="question").fill(TEA)
    reader.page.get_by_role("button", name="Ask").click()
    assert reader.page.get_by_role("alert").inner_text().startswith("The request does not fit: first_year")
    assert reader.page.get_by_role("textbox", name="question").input_value() == TEA
    # The browser itself says so of every reply that is an error.
    assert [text for text in reader.complaints if "422" not in text] == []
    reader.complaints.clear()


@pytest.fixture(scope="module")
def axe() -> str:
    """The source of axe-core, which is not part of the repository."""
    files = (os.environ.get("MEDQA_AXE"), REPOSITORY / ".medqa/axe-core/axe.min.js")
    found = next((Path(file) for file in files if file and Path(file).is_file()), None)
    if found is None:
        pytest.skip("needs axe-core: make .medqa/axe-core/axe.min.js (by npm), or set MEDQA_AXE to its axe.min.js")
    return found.read_text(encoding="utf-8")


@contextmanager
def looked_at(reader: Reader, axe: str, seen: str) -> Iterator[None]:
    yield
    reader.page.evaluate(axe)
    violations = reader.page.evaluate("async () => (await axe.run()).violations")
    assert [(seen, item["id"], item["nodes"][0]["html"]) for item in violations] == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1200, 360])
def test_axe_finds_no_fault(open_page, scripted, axe, scheme, width):
    reader = open_page(scripted, width, color_scheme=scheme)
    with looked_at(reader, axe, "start"):
        reader.page.get_by_text("Filters").click()
    for seen, question in (
        ("answer", TEA),
        ("retracted", "Do magnet bracelets cure arthritis?"),
        ("findings", ABOUT_ME),
        ("translation", GERMAN),
        ("nothing", "What is the capital of Mongolia?"),
    ):
        with looked_at(reader, axe, seen):
            turn = reader.ask(question)
            turn.locator(".why summary").click()
            turn.locator("a[data-span]").last.focus()
