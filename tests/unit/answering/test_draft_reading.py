"""What of a draft is the answer; the marks are those of the models' own chat templates and documentation."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_index_medqa.answering.draft_reading import DraftReader, without_frame, without_thoughts

QUESTION = "Does green tea lower the resting heart rate?"
FELL = "Green tea lowered the rate by 3.5 beats [PMID:1]."
REFUSAL = "I cannot answer this from the indexed literature."
THOUGHT = "Green tea is a drink. It holds caffeine."


def read(*pieces: str, cut_off: bool = False, question: str = QUESTION) -> list[tuple[str, str]]:
    reader = DraftReader(question)
    parts = [part for piece in pieces for part in reader.feed(piece)]
    return [(part.kind, part.text) for part in (*parts, *reader.finish(cut_off=cut_off))]


def sentences(*pieces: str) -> list[str]:
    return [text for kind, text in read(*pieces) if kind == "sentence"]


@pytest.mark.parametrize(
    "draft",
    [
        f"<think>{THOUGHT}</think>{FELL}",
        f"<think>\n{THOUGHT}\n\n</think>\n\n{FELL}",
        f"<thinking>{THOUGHT}</thinking>\n<answer>{FELL}</answer>",
        # DeepSeek-R1 and Qwen3: the template opens the thoughts, the draft only closes them.
        f"{THOUGHT}\n</think>\n\n{FELL}",
        f"Okay, let me see. {THOUGHT}\n</think>\n\n{FELL}",
        # gpt-oss, with its tokens and as servers that drop them show it.
        f"<|channel|>analysis<|message|>{THOUGHT}<|end|><|start|>assistant<|channel|>final<|message|>{FELL}",
        f"analysis{THOUGHT}assistantfinal{FELL}",
        # Magistral, Kimi, MedGemma.
        f"[THINK]{THOUGHT}[/THINK]{FELL}",
        f"◁think▷{THOUGHT}◁/think▷{FELL}",
        f"<unused94>thought\n{THOUGHT}<unused95>{FELL}",
        # Headings and labels.
        f"## Thinking\n{THOUGHT}\n\n## Answer\n{FELL}",
        f"**Reasoning:** {THOUGHT}\n**Answer:** {FELL}",
        f"Let's think step by step: {THOUGHT}\nFinal answer: {FELL}",
        f"The user asks about tea. {THOUGHT}\nAnswer: {FELL}",
    ],
)
def test_thoughts_are_no_answer(draft):
    shown = read(draft)
    assert shown[-1] == ("sentence", FELL)
    # What was given before its end mark was seen is taken back.
    assert all(kind == "withdrawal" for kind, _ in shown[:-1])


def test_thoughts_that_never_end_are_no_answer():
    assert read(f"<think>{THOUGHT}", cut_off=True) == []
    assert read(f"## Thinking\n{THOUGHT} {FELL}") == []


def test_sentences_after_a_thought_aloud_wait_for_the_answer():
    assert sentences(f"Okay, let me see. {THOUGHT} {FELL}") == ["Green tea is a drink.", "It holds caffeine.", FELL]
    assert sentences(f"I need to look at the passages. {THOUGHT}\nAnswer: {FELL}") == [FELL]


def test_what_was_given_is_withdrawn_when_it_turns_out_to_be_thoughts():
    parts = read(f"{THOUGHT} It is drunk hot. ", f"</think>{FELL}")
    assert [kind for kind, _ in parts] == ["sentence", "sentence", "withdrawal", "sentence"]
    assert parts[-1][1] == FELL


@pytest.mark.parametrize(
    "draft",
    [
        f"{QUESTION}\n{FELL}",
        f"Question: {QUESTION}\nAnswer: {FELL}",
        f"# Summary of evidence\n{FELL}",
        f"**Answer:** {FELL}",
        f"Sure! Here is the answer:\n{FELL}",
        f"Here is what the passages say:\n\n{FELL}",
        f"{FELL}\n\nQuestion: Does coffee lower it?\nAnswer: Coffee lowers it.",
        f"{FELL}\nPassages:\n[PMID:9] Coffee.\nCoffee lowers it.",
    ],
)
def test_headings_echoes_introductions_and_further_turns_are_taken_off(draft):
    assert read(draft) == [("sentence", FELL)]


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("The passage states that green tea lowered it.", "Green tea lowered it."),
        ("The first abstract reports that mTOR fell.", "mTOR fell."),
        ("According to the provided passages, tea helps.", "Tea helps."),
        ("The passage [PMID:7] shows that tea helps.", "Tea helps [PMID:7]."),
        ("[PMID:7] states that tea helps.", "Tea helps [PMID:7]."),
        # A hedge belongs to the claim.
        ("The passage suggests that tea may help.", "The passage suggests that tea may help."),
        ("The passage of stones was faster.", "The passage of stones was faster."),
        ("We found that tea helps.", "We found that tea helps."),
    ],
)
def test_what_a_passage_says_is_told_without_the_passage(said, kept):
    assert read(said) == [("sentence", kept)]
    assert without_frame(said) == kept


@pytest.mark.parametrize(
    "draft",
    [
        REFUSAL,
        f"Answer: {REFUSAL}",
        "I don't know.",
        "Based on the provided passages, I cannot answer the question.",
        "The provided passages do not contain enough information to answer the question.",
        "The passages do not contain an answer.",
        "There is no information in the provided context about tea.",
        f"The user asks about tea. {REFUSAL}",
        f"## Thinking\n{THOUGHT}\n{REFUSAL}",
    ],
)
def test_a_refusal_is_told(draft):
    assert [kind for kind, _ in read(draft)] == ["refusal"]


@pytest.mark.parametrize(
    "draft",
    [
        "The passages do not say whether green tea lowers it.",
        "None of the abstracts speak of it.",
        "The provided text says nothing.",
        "The passage does not mention migraine.",
        "However, the passages only discuss caffeine.",
        "The effect of coffee is not mentioned in the passages.",
    ],
)
def test_what_the_passages_lack_is_a_remark(draft):
    assert [kind for kind, _ in read(draft)] == ["remark"]


@pytest.mark.parametrize(
    "finding",
    [
        # Conclusions of reviews, and other sentences that only sound like talk about the draft.
        "There is insufficient evidence to support routine use of tea.",
        "No answer to therapy was seen in 30 %.",
        "Text messages improved adherence.",
        "Information leaflets helped parents.",
        "I-131 therapy cured it.",
        "Analysis of 30 trials showed less pain.",
        "Working memory improved.",
        "Thought disorder was rare.",
        "Only 3 patients died.",
        "The question of whether tea helps was studied in 30 adults.",
    ],
)
def test_a_finding_is_no_talk_about_the_draft(finding):
    assert read(finding) == [("sentence", finding)]


def test_a_label_of_the_answer_is_taken_off():
    assert sentences("Conclusion: It fell.") == ["It fell."]


def test_the_half_sentence_is_told_when_the_drafter_was_stopped():
    assert read(f"{FELL} It fell by 3.", cut_off=True) == [("sentence", FELL), ("cut_off", "It fell by 3.")]


def test_quotes_are_read_as_they_are():
    reader = DraftReader(QUESTION, is_quoted=True)
    text = "CONCLUSION: We believe that tea helps."
    assert [part.text for part in (*reader.feed(f"{text}\n"), *reader.finish(cut_off=False))] == [text]


def test_kinds_of_text_that_were_taken_off_are_told():
    reader = DraftReader(QUESTION)
    list(reader.feed(f"<think>{THOUGHT}</think>{QUESTION}\n## Answer\n{FELL}"))
    list(reader.finish(cut_off=False))
    assert reader.taken_off == ["thoughts", "question", "heading"]


def test_thoughts_around_a_text():
    assert without_thoughts("<think>a</think>b") == "b"
    assert without_thoughts("a</think>b") == "b"
    assert without_thoughts("<think>a") == ""
    assert without_thoughts("Is it safe?") == "Is it safe?"


_PIECES = (
    "<think>",
    "</think>",
    "Okay, let me see. ",
    f"{FELL} ",
    "It is safe. ",
    f"{REFUSAL} ",
    "\n## Thinking\n",
    "\n**Answer:** ",
    "The passages do not say more. ",
    f"{QUESTION}\n",
    "- a list\n",
)


@given(chosen=st.lists(st.sampled_from(_PIECES), max_size=8), cuts=st.lists(st.integers(0, 400), max_size=20))
def test_how_a_draft_is_cut_does_not_change_what_is_left_of_it(chosen, cuts):
    draft = "".join(chosen)
    edges = [0, *sorted(min(cut, len(draft)) for cut in cuts), len(draft)]

    def left(parts: list[tuple[str, str]]) -> list[tuple[str, str]]:
        """What stands after the last withdrawal."""
        numbers = [number for number, (kind, _) in enumerate(parts) if kind == "withdrawal"]
        return parts[numbers[-1] + 1 :] if numbers else parts

    assert left(read(*(draft[a:b] for a, b in itertools.pairwise(edges)))) == left(read(draft))


@given(st.text(max_size=200))
def test_any_text_can_be_read(text):
    for kind, said in read(text):
        assert kind == "withdrawal" or said
