"""Every form of answer that models give to multiple-choice questions; what each takes was written down by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_index_medqa.evaluation.answers import Answer
from llama_index_medqa.evaluation.cases import EvaluationCase
from llama_index_medqa.evaluation.measures.accuracy import ChoiceAccuracy
from llama_index_medqa.evaluation.measures.choice_reading import DIFFERENT, NO_CHOICE, SEVERAL, read_choice

DRUGS = {"A": "Metformin", "B": "Insulin glargine", "C": "Aspirin", "D": "Vitamin B12"}
LABELS = {"A": "yes", "B": "no", "C": "maybe"}
GERMS = {"A": "C. difficile", "B": "E. coli", "C": "S. aureus", "D": "B cells", "E": "Hepatitis B virus"}
NERVE = {"A": "paralysis of the facial muscles", "B": "paralysis of the facial muscles and loss of taste", "C": "none"}
LETTERS = "ABCD"


@pytest.mark.parametrize(
    ("text", "choices", "expected"),
    [
        ("B", DRUGS, "B"),
        ("(B)", DRUGS, "B"),
        ("B.", DRUGS, "B"),
        ("B)", DRUGS, "B"),
        ("**B**", DRUGS, "B"),
        ("[B]", DRUGS, "B"),
        ("b", DRUGS, "B"),
        ("(b)", DRUGS, "B"),
        ("b)", DRUGS, "B"),
        ("\n B \n", DRUGS, "B"),
        ('"B"', DRUGS, "B"),
        ("Option B", DRUGS, "B"),
        ("Choice (B)", DRUGS, "B"),
        ("B. Insulin glargine", DRUGS, "B"),
        ("B: Insulin glargine", DRUGS, "B"),
        ("(B) Insulin glargine", DRUGS, "B"),
        ("B - Insulin glargine", DRUGS, "B"),
        ("B Insulin glargine", DRUGS, "B"),
        ("B) insulin glargine because it lasts", DRUGS, "B"),
        ("The answer is (B)", DRUGS, "B"),
        ("The answer is B.", DRUGS, "B"),
        ("the answer is b", DRUGS, "B"),
        ("The correct answer is **B**.", DRUGS, "B"),
        ("The correct answer is: B. Insulin glargine", DRUGS, "B"),
        ("Answer: B", DRUGS, "B"),
        ("ANSWER: (B)", DRUGS, "B"),
        ("Answer B", DRUGS, "B"),
        ("Final answer: B", DRUGS, "B"),
        ("The best option is B because it is long-acting.", DRUGS, "B"),
        ("B is correct.", DRUGS, "B"),
        ("Option B is the correct answer.", DRUGS, "B"),
        ("I would choose B.", DRUGS, "B"),
        ("I choose option (B).", DRUGS, "B"),
        ("Metformin lowers glucose. Aspirin does not. Therefore, the answer is (B).", DRUGS, "B"),
        ("Option A is incorrect because it is oral. Option C is wrong. Option B is the best choice.", DRUGS, "B"),
        ("Let's think step by step. A is oral. C is for pain. So the answer is B", DRUGS, "B"),
        ("First I thought the answer is A. But it is oral. Therefore, the answer is B.", DRUGS, "B"),
        ("Step 1: basal insulin is long acting.\nStep 2: glargine.\n\nB", DRUGS, "B"),
        ("Long reasoning about (A).\n\n**Final Answer:** (B) Insulin glargine", DRUGS, "B"),
        ('{"answer": "B"}', DRUGS, "B"),
        ('```json\n{"step_by_step_thinking": "A is oral", "answer_choice": "B"}\n```', DRUGS, "B"),
        ('{"answer": "B. Insulin glargine"}', DRUGS, "B"),
        ('{"answer_choice": "Insulin glargine"}', DRUGS, "B"),
        ('{"answer": ["A","B"]}', DRUGS, SEVERAL),
        ('{"answer": null}', DRUGS, NO_CHOICE),
        ('Here it is: {"answer_choice": "(B)"} Thanks.', DRUGS, "B"),
        ('["B"]', DRUGS, "B"),
        ('{"A": false, "B": true, "C": false, "D": false}', DRUGS, "B"),
        ('{"answer": "E"}', DRUGS, NO_CHOICE),
        ("<think>Maybe A. The answer is A.</think>B", DRUGS, "B"),
        ("$\\boxed{B}$", DRUGS, "B"),
        ("So it is \\boxed{\\text{B}}.", DRUGS, "B"),
        ("Insulin glargine", DRUGS, "B"),
        ("Insulin glargine.", DRUGS, "B"),
        ("The answer is insulin glargine.", DRUGS, "B"),
        ("Insulin glargine, because it lasts a day.", DRUGS, "B"),
        ("Long-acting basal insulin is needed, such as insulin glargine.", DRUGS, "B"),
        ("A or B", DRUGS, SEVERAL),
        ("A and B", DRUGS, SEVERAL),
        ("Both A and C are correct.", DRUGS, SEVERAL),
        ("(A) and (B)", DRUGS, SEVERAL),
        ("A, B", DRUGS, SEVERAL),
        ("A/B", DRUGS, SEVERAL),
        ("AB", DRUGS, SEVERAL),
        ("The answer is A or B.", DRUGS, SEVERAL),
        ("The answer is either A or C", DRUGS, SEVERAL),
        ("The answer is A. The answer is B.", DRUGS, SEVERAL),
        ("A. Metformin\nB. Insulin glargine\nC. Aspirin\nD. Vitamin B12", DRUGS, SEVERAL),
        ("A. Metformin\nB. Insulin glargine\nC. Aspirin\nD. Vitamin B12\n\nAnswer: B", DRUGS, "B"),
        ("", DRUGS, NO_CHOICE),
        ("I do not know.", DRUGS, NO_CHOICE),
        ("None of the above.", DRUGS, NO_CHOICE),
        ("It cannot be determined from the evidence.", DRUGS, NO_CHOICE),
        ("E", DRUGS, NO_CHOICE),
        ("The answer is E.", DRUGS, NO_CHOICE),
        ("A patient with diabetes should see a doctor.", DRUGS, NO_CHOICE),
        ("Because of Diabetes, Cardiac Disease and Arthritis.", DRUGS, NO_CHOICE),
        ("Vitamin B12 is low.", LABELS, NO_CHOICE),
        ("Hepatitis B and vitamin D deficiency are common.", DRUGS, NO_CHOICE),
        ("Type A influenza is a viral disease.", DRUGS, NO_CHOICE),
        ("Answer: A patient should be seen.", DRUGS, NO_CHOICE),
        ("BAD DAB", DRUGS, NO_CHOICE),
        ("Vitamin B is the correct treatment.", DRUGS, NO_CHOICE),
        ("The answer depends on the case.", DRUGS, NO_CHOICE),
        ("B. Metformin", DRUGS, DIFFERENT),
        ("The answer is A. Aspirin", DRUGS, DIFFERENT),
        ("The answer is not A.", DRUGS, NO_CHOICE),
        ("If the answer is A, the patient would have pain.", DRUGS, NO_CHOICE),
        ("Yes", LABELS, "A"),
        ("No, there is no evidence.", LABELS, "B"),
        ("A. yes", LABELS, "A"),
        ("The answer is no.", LABELS, "B"),
        ("The answer is no longer clear.", LABELS, NO_CHOICE),
        ("No effect was seen.", LABELS, NO_CHOICE),
        ("maybe", LABELS, "C"),
        ("C", LABELS, "C"),
        ("C. difficile", GERMS, "A"),
        ("C. difficile is the most common cause.", GERMS, "A"),
        ("The answer is C. difficile.", GERMS, "A"),
        ("E. coli", GERMS, "B"),
        ("B cells", GERMS, "D"),
        ("The answer is B cells.", GERMS, "D"),
        ("The answer is E. Hepatitis B virus", GERMS, "E"),
        ("D. B cells", GERMS, "D"),
        ("Hepatitis B virus", GERMS, "E"),
        ("The answer is paralysis of the facial muscles and loss of taste.", NERVE, "B"),
        ("B. paralysis of the facial muscles and loss of taste", NERVE, "B"),
        ("A. paralysis of the facial muscles", NERVE, "A"),
        ("A. paralysis of the facial muscles and loss of taste", NERVE, "A"),
        ("Answer: B\nExplanation: A is wrong since it is oral; C is for pain.", DRUGS, "B"),
        ("B\n\nExplanation: Option A is an oral drug, option C is for pain.", DRUGS, "B"),
        ("I believe B is correct.", DRUGS, "B"),
        ("The correct option is (B), since...", DRUGS, "B"),
        ("My answer: B.", DRUGS, "B"),
        ("B, because it lasts.", DRUGS, "B"),
        ("B because it lasts.", DRUGS, "B"),
        ("Correct answer - B", DRUGS, "B"),
        ("Answer is option B", DRUGS, "B"),
        ("It must be B.", DRUGS, "B"),
        ("The most likely answer would be (B).", DRUGS, "B"),
        ("Answer:\nB", DRUGS, "B"),
        ("The answer is: \n\n(B)", DRUGS, "B"),
        ("### Answer\nB", DRUGS, "B"),
        ("Response: (B).", DRUGS, "B"),
        ("(A) is wrong. (B) fits.", DRUGS, "B"),
        ("The answer might be B.", DRUGS, "B"),
        ("I think the answer could be (B), though A is close.", DRUGS, "B"),
        ("{'answer': 'B'}", DRUGS, "B"),
        ("answer_choice: B", DRUGS, "B"),
        ("<answer>B</answer>", DRUGS, "B"),
        ("A is oral and C is for pain. <answer>(B)</answer>", DRUGS, "B"),
        ("The answer is $B$.", DRUGS, "B"),
        ("Ans: B", DRUGS, "B"),
        ("Answer:B", DRUGS, "B"),
        ("B!", DRUGS, "B"),
        ("Therefore B", DRUGS, "B"),
        ("Hence, (B).", DRUGS, "B"),
        ("The answer is B, not A.", DRUGS, "B"),
        ("The answer is B and not A.", DRUGS, "B"),
        ("A is incorrect. B is incorrect. C is correct.", DRUGS, "C"),
        ("Not A.", DRUGS, NO_CHOICE),
        ("A\nB", DRUGS, SEVERAL),
        ("B\nB", DRUGS, "B"),
        ("B. Insulin glargine\n\nA. Metformin is oral.\nC. Aspirin is for pain.", DRUGS, "B"),
        ("A. Metformin\n\nB. Insulin is injected.\nC. Aspirin is for pain.", DRUGS, "A"),
        ("Option A is oral, and option C is for pain, which leaves option B as the best choice.", DRUGS, "B"),
        ("A, B and C", DRUGS, SEVERAL),
        ("A, C", DRUGS, SEVERAL),
        ("All of the above", DRUGS, NO_CHOICE),
        ("I would not give any of these.", dict(zip("ABCDEFGHI", "abcdefghi", strict=True)), NO_CHOICE),
        ("I would say D.", dict(zip("ABCDEFGHI", "abcdefghi", strict=True)), "D"),
        ("I", dict(zip("ABCDEFGHI", "abcdefghi", strict=True)), "I"),
    ],
)
def test_a_form_of_answer(text, choices, expected):
    found = read_choice(text, choices)
    assert (found.letter or found.reason) == expected
    assert (found.letter is None) == bool(found.reason)


FORMS = (
    "{}", "({})", "{}.", "Option {}", "The answer is {}.", "The correct answer is ({})", "Answer: {}",
    '{{"answer_choice": "{}"}}', "Some thoughts come first.\n\nFinal answer: {}", "{} is correct.", "\\boxed{{{}}}",
)  # fmt: skip


@given(st.sampled_from(FORMS), st.sampled_from(LETTERS))
def test_no_letter_is_favoured(form, letter):
    assert read_choice(form.format(letter), DRUGS).letter == letter


@given(st.sampled_from(FORMS[:8]), st.permutations(LETTERS), st.sampled_from([" or ", " and ", "/", ", "]))
def test_two_letters_are_never_one(form, letters, joint):
    assert read_choice(form.format(f"{letters[0]}{joint}{letters[1]}"), DRUGS).letter is None


@given(st.text(max_size=80))
def test_whatever_is_said_is_a_choice_or_has_a_reason(text):
    found = read_choice(text, DRUGS)
    assert found.letter in (None, *LETTERS)
    assert (found.letter is None) == (found.reason in (NO_CHOICE, SEVERAL, DIFFERENT))


@given(st.lists(st.sampled_from("badcab dab cabbage bacd abcd ace decade".split()), max_size=8).map(" ".join))
def test_letters_within_words_are_no_choices(text):
    assert read_choice(text, DRUGS).letter is None


@pytest.mark.parametrize(
    ("answer", "value", "reason"),
    [
        (Answer("The answer is (B)."), 1.0, ""),
        (Answer("A"), 0.0, ""),
        (Answer("A or B"), None, SEVERAL),
        (Answer("I cannot tell."), None, NO_CHOICE),
        (Answer(""), None, "empty answer"),
        (Answer("x", abstained="no_evidence"), None, "abstained"),
    ],
)
def test_right_wrong_or_unscored(answer, value, reason):
    case = EvaluationCase("1", "Which lasts a day?", choices=tuple(DRUGS.items()), gold_choice="B")
    score = ChoiceAccuracy.score(case, answer)
    assert (score.value, score.reason) == (value, reason)
    assert ChoiceAccuracy.score(EvaluationCase("1", "Which?"), answer).reason == "no choices"
