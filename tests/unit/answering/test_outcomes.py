"""Answer, findings or nothing; what is left out of a draft and why; over a real index with scripted models."""

import pytest

from llama_index_medqa import MedQAQueryEngine
from llama_index_medqa.answering.response import CAUTIONS, FINDINGS_LEAD, WITHDRAWN
from llama_index_medqa.errors import InputError
from llama_index_medqa.evaluation.answers import answer_of
from llama_index_medqa.rendering.text import as_data, notes, reasons
from llama_index_medqa.retrieval.paper_filter import FilteredQuery, PaperFilter
from llama_index_medqa.testing import ScriptedEntailment, ScriptedLLM
from llama_index_medqa.verification.entailment import Entailment
from llama_index_medqa.verification.verifier import ClaimVerifier

QUESTION = "What does green tea do to the resting heart rate?"
ASKED = "Does green tea lower the resting heart rate?"
STATEMENT = "Green tea lower the resting heart rate."
TRUE = "Green tea lowered the resting heart rate by 3.5 beats per minute compared with water."
SHOWN = f"{TRUE[:-1]} [PMID:101]."
SAFE = "No serious adverse events occurred."
INVENTED = "Green tea doubles the blood pressure of nurses in Norway."
REFUSAL = "I cannot answer this from the indexed literature."


def ask(index, draft, question=QUESTION, script=None, **kwargs):
    verifier = ClaimVerifier(ScriptedEntailment(script))
    return MedQAQueryEngine.from_index(index, ScriptedLLM([draft]), verifier=verifier, **kwargs).query(question)


def why(response) -> dict[str, str]:
    return {item.text: item.findings[0].kind for item in response.dropped}


@pytest.mark.parametrize(
    "draft",
    [
        f"The passage states that g{TRUE[1:]}",
        f"According to the provided passages, g{TRUE[1:]}",
        f"<think>Let me look. {SAFE}</think>{TRUE}",
        f"{SAFE}\n</think>\n{TRUE}",
        f"## Thinking\n{SAFE}\n## Answer\n{TRUE}",
        f"{QUESTION}\n{TRUE}",
    ],
)
def test_only_the_answer_of_a_draft_is_judged(index, draft):
    response = ask(index, draft)
    assert str(response) == SHOWN
    assert response.draft == draft


def test_a_headless_sentence_goes_with_the_one_that_it_leans_on(index):
    leaning = "This could explain the lower resting heart rate."
    supported = {("", leaning): Entailment(1.0, 0.0, 0.0)}
    response = ask(index, f"{TRUE} {INVENTED} {leaning} {SAFE}", script=supported)
    assert [sentence.text for sentence in response.sentences] == [TRUE, SAFE]
    assert why(response) == {INVENTED: "not_entailed", leaning: "antecedent"}
    # With its antecedent it stays.
    assert leaning[:-1] in str(ask(index, f"{TRUE} {leaning}", script=supported))


def test_no_sentence_tells_the_reader_what_to_do(index):
    order = "Stop drinking green tea."
    for policy in ("strict", "mark", "report"):
        response = ask(index, f"{TRUE} {order}", script={("", order): Entailment(1.0, 0.0, 0.0)}, policy=policy)
        assert order not in str(response)
        assert why(response) == {order: "directive"}


@pytest.mark.parametrize(
    ("chances", "shown"),
    [
        (Entailment(1.0, 0.0, 0.0), f"Yes [PMID:101]. {SHOWN}"),
        (Entailment(0.0, 1.0, 0.0), SHOWN),
        (Entailment(0.0, 0.0, 1.0), SHOWN),
    ],
)
def test_yes_is_said_only_where_the_evidence_says_it_to_the_question(index, chances, shown):
    assert str(ask(index, f"Yes, {TRUE}", ASKED, script={("", STATEMENT): chances})) == shown


def test_a_bare_yes_or_no_needs_the_evidence_too(index):
    says_so, denies = Entailment(1.0, 0.0, 0.0), Entailment(0.0, 0.0, 1.0)
    assert str(ask(index, f"Yes. {TRUE}", ASKED, script={("", STATEMENT): says_so})).startswith("Yes [PMID:101].")
    assert str(ask(index, f"No. {SAFE}", ASKED, script={("", STATEMENT): denies})).startswith("No [PMID:101].")
    wrong = ask(index, f"No. {TRUE}", ASKED, script={("", STATEMENT): says_so})
    assert (str(wrong), why(wrong)) == (SHOWN, {"No.": "yes_no"})


def test_a_record_s_own_sentence_stands_for_a_drafted_one_that_is_not_supported(index):
    drafted = "Green tea lowered the resting heart rate of nurses by 9 beats per minute compared with water."
    response = ask(index, drafted)
    [sentence] = response.sentences
    assert sentence.is_quote
    assert str(response) == f"“{TRUE}” [PMID:101]"
    assert sentence.citations[0].quote == TRUE
    assert why(response) == {drafted: "quantity"}
    # What was drafted on another subject is quoted by nothing.
    assert ask(index, INVENTED).outcome == "findings"


def test_a_quote_is_not_said_twice(index):
    drafted = "Green tea lowered the resting heart rate of nurses by 9 beats per minute compared with water."
    assert str(ask(index, f"{TRUE} {drafted}")) == SHOWN


def test_a_short_answer_is_followed_by_what_else_speaks_of_the_question(index):
    response = ask(index, SAFE)
    assert [(sentence.text, sentence.is_quote) for sentence in response.sentences] == [
        (SAFE, False),
        (f"“{TRUE}”", True),
    ]
    assert [sentence.text for sentence in ask(index, SAFE, policy="mark").sentences] == [SAFE]


def test_a_stream_says_that_it_withdraws_what_the_drafter_took_back(index):
    stream = ask(index, f"{TRUE} {SAFE} {REFUSAL}", streaming=True)
    text = "".join(stream.response_gen)
    response = stream.get_response()
    said, _, rest = text.partition(WITHDRAWN)
    assert said.startswith(SHOWN)
    assert rest.strip() == str(response)
    assert (response.outcome, response.abstained) == ("findings", "model_declined")
    assert why(response) == {TRUE: "withdrawn", SAFE: "withdrawn"}


def test_a_refusal_before_an_answer_does_not_win(index):
    assert str(ask(index, f"{REFUSAL} {TRUE}")) == SHOWN
    assert str(ask(index, f"{TRUE} The passages do not say whether it is safe.")) == SHOWN


def test_findings_are_no_answer_for_an_evaluation(index):
    answer = answer_of(ask(index, INVENTED))
    assert answer.abstained == "nothing_supported"
    assert answer.cited == ()
    assert answer.text.startswith(FINDINGS_LEAD)


def test_reasons_are_told_on_request(index):
    told = reasons(ask(index, f"<think>Hm.</think>{TRUE} {INVENTED}"))
    assert told[0] == "Drafted by scripted: 2 sentences, 1 shown."
    assert told[1] == "Not part of an answer, and not judged: thoughts."
    assert told[2].startswith(f"Left out: “{INVENTED}” no retrieved text says all of this")
    unasked = reasons(ask(index, TRUE, "What is the capital of Mongolia?"))
    assert unasked == ["Nothing was drafted: No retrieved record speaks of what was asked."]


def test_what_a_filter_left_out_is_told(index):
    question = FilteredQuery(QUESTION, papers=PaperFilter(last_year=2019))
    response = ask(index, TRUE, question)
    assert response.outcome == "nothing_found"
    assert [(paper.document_id, paper.why) for paper in response.excluded] == [("PMID:101", "year <= 2019 (2021)")]
    assert as_data(QUESTION, response)["excluded"][0]["title"].startswith("Green tea")
    retracted = ask(index, TRUE, "Do magnet bracelets cure arthritis?")
    assert [(paper.document_id, paper.why) for paper in retracted.excluded] == [("PMID:103", "retracted")]
    assert ask(index, TRUE, "What is the capital of Mongolia?").excluded == []


def test_a_filter_on_another_retriever_is_told_too(index):
    engine = MedQAQueryEngine(index.as_retriever(similarity_top_k=6), ScriptedLLM([TRUE]))
    response = engine.query(FilteredQuery(QUESTION, papers=PaperFilter(last_year=2019)))
    assert [paper.document_id for paper in response.excluded] == ["PMID:101"]


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ("Should I drink green tea to lower my resting heart rate?", "advice"),
        ("I have chest pain: what does green tea do to the resting heart rate?", "emergency"),
    ],
)
@pytest.mark.parametrize("streaming", [False, True])
def test_a_person_is_told_to_ask_or_to_call_for_help_first(index, question, kind, streaming):
    response = ask(index, TRUE, question, streaming=streaming)
    assert str(response) == f"{CAUTIONS[kind]}\n\n{SHOWN}"
    whole = response.get_response() if streaming else response
    assert (whole.caution, whole.response) == (CAUTIONS[kind], SHOWN)


def test_a_follow_up_of_a_person_is_met_as_it_was_written(index):
    llm = ScriptedLLM([TRUE, "Is green tea safe for the resting heart rate?", SAFE])
    chat = MedQAQueryEngine.from_index(index, llm).as_chat_engine()
    assert not str(chat.chat(QUESTION)).startswith(CAUTIONS["advice"])
    assert str(chat.chat("Should I drink it?")).startswith(CAUTIONS["advice"])


def test_a_rewritten_question_holds_no_thoughts(index):
    rewritten = "Is green tea safe for the resting heart rate?"
    llm = ScriptedLLM([TRUE, f"<think>It is tea.</think>\n{rewritten}", SAFE])
    chat = MedQAQueryEngine.from_index(index, llm).as_chat_engine()
    chat.chat(QUESTION)
    assert chat.chat("Is it safe?").sources[0].raw_input == {"query": rewritten}


def test_the_index_gives_verified_engines(index):
    response = index.as_query_engine(llm=ScriptedLLM([f"{TRUE} {INVENTED}"]), similarity_top_k=4).query(QUESTION)
    assert str(response) == SHOWN
    assert str(index.as_query_engine(llm="extractive").query(QUESTION)).startswith("Green tea lower")
    chat = index.as_chat_engine(llm=ScriptedLLM([f"{TRUE} {INVENTED}"]))
    assert str(chat.chat(QUESTION)) == SHOWN


def test_an_unverified_engine_says_so_in_its_name(index):
    llm = ScriptedLLM([INVENTED])
    assert str(index.as_unverified_query_engine(llm=llm, similarity_top_k=2).query(QUESTION)) == INVENTED
    assert str(index.as_unverified_chat_engine("context", llm=llm).chat(QUESTION)) == INVENTED
    found = index.as_unverified_query_engine(llm=llm, similarity_top_k=9).query("Do magnet bracelets cure arthritis?")
    assert "PMID:103" not in {item.node.ref_doc_id for item in found.source_nodes}


def test_arguments_that_only_unverified_engines_take_are_refused(index):
    with pytest.raises(InputError, match="takes no response_mode"):
        index.as_query_engine(llm=ScriptedLLM([TRUE]), response_mode="refine")
    with pytest.raises(InputError, match="no mode 'context'"):
        index.as_chat_engine("context", llm=ScriptedLLM([TRUE]))


def test_a_missing_model_is_told(index, monkeypatch):
    from llama_index.core import Settings

    monkeypatch.setattr(Settings, "_llm", None)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("IS_TESTING", raising=False)
    with pytest.raises(InputError, match="llm='extractive'"):
        index.as_query_engine()


def test_people_whom_no_cited_record_names_are_told(index):
    response = ask(index, TRUE, "What does green tea do to the resting heart rate of children?")
    assert str(response) == SHOWN
    assert response.unnamed_populations == ["children"]
    assert notes(response)[0] == (
        "The question asks about children. What was read of the cited records does not name them."
    )
    assert as_data(QUESTION, response)["unnamed_populations"] == ["children"]
    # The record says "adults".
    assert ask(index, TRUE, "What does green tea do to the heart rate in humans?").unnamed_populations == []
    assert ask(index, TRUE).unnamed_populations == []


def test_nothing_found_is_about_nobody(index):
    response = ask(index, REFUSAL, "What is the capital of Mongolia for children?")
    assert response.outcome == "nothing_found"
    assert response.unnamed_populations == []
