"""The whole path with the real models on real abstracts, as a user runs it."""

import json
import re

import pytest

from llama_index_medqa.answering.response import FINDINGS_LEAD
from llama_index_medqa.cli.demo import QUESTIONS
from tests.integration.conftest import medqa_process as medqa

pytestmark = pytest.mark.integration

ABSTENTION = "I cannot answer this from the indexed literature."


def shown(answer: dict) -> list[dict]:
    """The spans that an answer cites, or that its findings are quoted from; never both."""
    citations = [citation for sentence in answer["sentences"] for citation in sentence["citations"]]
    assert answer["outcome"] == ("answer" if citations else "findings")
    assert not (citations and answer["findings"])
    return citations or answer["findings"]


@pytest.fixture(scope="module")
def texts() -> dict[str, str]:
    """The texts of the whole packaged file, by document id."""
    from llama_index_medqa.indexing.reader import PubMedReader
    from llama_index_medqa.weights import locate

    documents = PubMedReader().lazy_load_data(locate("pubmed21n1298.xml.gz"))
    return {document.id_: document.text for document in documents}


def require_spans(spans: list[dict], texts: dict[str, str]) -> None:
    """Every quote stands in the record that it is said to be of, where it is said to stand."""
    assert spans
    for span in spans:
        assert texts[span["document_id"]][span["start"] : span["end"]] == span["quote"]


def test_three_questions_are_answered_with_papers_of_the_index(demo):
    from llama_index_medqa import PubMedVectorStore

    folder, output = demo
    assert "200 records added" in output
    said = re.findall(r"^(Answer|Findings): (.*?)^(?:Answered by|Quoted from)", output, re.MULTILINE | re.DOTALL)
    assert len(said) == len(QUESTIONS) == 3
    cited = [re.findall(r"\[(PMID:\d+)\]", text) for _, text in said]
    assert all(cited)
    assert all(FINDINGS_LEAD in text for outcome, text in said if outcome == "Findings")
    store = PubMedVectorStore(persist_dir=str(folder / ".medqa/demo"), create=False)
    first_chunks = {f"{document_id}#0" for ids in cited for document_id in ids}
    assert set(store.metadata_of(sorted(first_chunks))) == first_chunks
    assert "qwen2.5-coder-1.5b-instruct" in output
    assert len(re.findall(r"^  Question \d of 3: \d+\.\d s$", output, re.MULTILINE)) == 3
    assert re.search(r"^  Index: \d+\.\d s$", output, re.MULTILINE)


@pytest.mark.parametrize("question", QUESTIONS)
def test_without_a_model_a_question_gets_quotes_of_the_records(demo, texts, question):
    folder, _ = demo
    answer = json.loads(
        medqa("ask", question, "--index", ".medqa/demo", "--llm", "extractive", "--json", folder=folder)
    )
    require_spans(shown(answer), texts)


# With a model it is not asked, so one question is enough to see that.
@pytest.mark.parametrize(
    ("llm", "question"),
    [
        ("local", "What is the capital of Mongolia?"),
        ("extractive", "What is the capital of Mongolia?"),
        ("extractive", "How should migraine in children be treated?"),
    ],
)
def test_a_question_that_the_corpus_cannot_answer(demo, llm, question):
    folder, _ = demo
    output = medqa("ask", question, "--index", ".medqa/demo", "--llm", llm, "--json", folder=folder)
    answer = json.loads(output)
    assert (answer["outcome"], answer["answer"]) == ("nothing_found", ABSTENTION)
    assert (answer["sentences"], answer["findings"]) == ([], [])
    assert answer["searched"] == [question]


def test_the_same_protocol_reaches_any_server_and_spans_lie_in_the_records(demo, texts):
    """The packaged model behind its loopback server, reached as a stranger's server would be."""
    from llama_index_medqa.serving.llama_cpp_process import LlamaCppServer
    from llama_index_medqa.weights import locate

    folder, _ = demo
    with LlamaCppServer(locate("qwen2.5-coder-1.5b-instruct"), model="served") as server:
        arguments = ("--index", ".medqa/demo", "--api-base", server.api_base, "--json")
        answer = json.loads(medqa("ask", QUESTIONS[1], *arguments, folder=folder))
    assert answer["answered_by"] == "served"
    assert answer["draft"]
    require_spans(shown(answer), texts)
