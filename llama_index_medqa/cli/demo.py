"""The demonstration: real abstracts, a real database, a real model, three questions."""

import re
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import islice
from pathlib import Path

from llama_index.core import Document

from llama_index_medqa.answering.query_engine import MedQAQueryEngine
from llama_index_medqa.cli.display.terminal import Terminal
from llama_index_medqa.components import open_drafter, open_embedder, open_engine, open_index
from llama_index_medqa.indexing.reader import PubMedReader
from llama_index_medqa.indexing.updating import ingest_files
from llama_index_medqa.profiles import Profile
from llama_index_medqa.pubmed.data_date import ATTRIBUTION
from llama_index_medqa.weights import locate

CORPUS = "pubmed21n1298.xml.gz"
QUESTIONS = (
    "Does cardiorespiratory fitness predict cardiovascular mortality?",
    "Does catheter ablation help patients with atrial fibrillation and heart failure?",
    "Does caffeine affect heart rate recovery after exercise?",
)

_MOST_DOCUMENTS = 200
_TOPIC = re.compile(r"\b(?:heart|cardi\w+|myocardi\w+|coronary|atrial)\b", re.IGNORECASE)
# Only records with an abstract worth the name are of use here.
_LEAST_ABSTRACT_CHARACTERS = 400


def run_demo(
    terminal: Terminal,
    profile: Profile,
    folder: str,
    *,
    xml: str | None = None,
    weights: str | None = None,
    weights_sha256: str | None = None,
) -> None:
    """Index part of a MEDLINE file and answer three questions; show the seconds.

    Args:
        terminal: where to show it.
        profile: what to index and answer with.
        folder: folder of the index, which a second run reuses.
        xml: PubMed file to use in place of the packaged sample; its first 200 records are used, whatever their topic.
        weights: see :func:`llama_index_medqa.components.open_drafter`.
        weights_sha256: likewise.

    Raises:
        EmptyCorpusError: the file holds no record with text.
    """
    with ExitStack() as stack:
        with terminal.stage("Models and corpus (fetched once)"), terminal.weights_progress() as bar:
            embedder = open_embedder(profile, bar, folder)
            records = PubMedReader().lazy_load_data(xml) if xml else _on_topic(locate(CORPUS, progress=bar))
            drafter = stack.enter_context(
                open_drafter(profile, weights=weights, weights_sha256=weights_sha256, progress=bar)
            )
        with terminal.stage("Index"), terminal.ingest_progress() as counter:
            index = open_index(profile, folder, embedder, create=True)
            report = ingest_files(index, islice(records, _MOST_DOCUMENTS), progress=counter)
        terminal.show_report(folder, report)
        engine = open_engine(profile, index, drafter)
        _answer_all(terminal, engine)
    terminal.line()
    if xml is None:
        terminal.line(f"{ATTRIBUTION}: the packaged sample.", "dim")
    terminal.line(f'Your turn: medqa ask --index {folder} "…" (or medqa info --index {folder})', "bold")


def _answer_all(terminal: Terminal, engine: MedQAQueryEngine) -> None:
    for number, question in enumerate(QUESTIONS, start=1):
        terminal.line()
        with terminal.stage(f"Question {number} of {len(QUESTIONS)}"):
            terminal.show_answer(engine, question)


def demo_documents() -> Iterator[Document]:
    """Yield the demonstration's abstracts from the packaged sample."""
    return islice(_on_topic(locate(CORPUS)), _MOST_DOCUMENTS)


def _on_topic(source: Path) -> Iterator[Document]:
    for document in PubMedReader().lazy_load_data(source):
        title = document.metadata["title"]
        abstract_characters = len(document.text) - len(title)
        if _TOPIC.search(title) and abstract_characters >= _LEAST_ABSTRACT_CHARACTERS:
            yield document
