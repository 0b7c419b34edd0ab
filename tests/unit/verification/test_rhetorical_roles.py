"""Sentences that ask, plan or suppose, and sentences that report; written by us, each judged by eye."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_index_medqa.verification.rhetorical_roles import (
    describes_method,
    draws_conclusion,
    is_question,
    reports_no_result,
    states_objective,
)

QUESTIONS = [
    "Does iron lower fatigue?",
    "What causes caffeine to slow recovery?",
    "Iron for fatigue: who benefits?",
    "“Does iron lower fatigue?”",
    "Do polyps of younger and older women show similar receptors.",
    "BACKGROUND: Is the knee lax after surgery.",
]
OBJECTIVES = [
    # aims
    "We sought evidence that iron strengthens nails.",
    "Omega-3 oil was expected to improve dry eye.",
    "We review the literature on tea and sleep.",
    "This article discusses the role of tea in sleep.",
    "The aim of this study was to find out whether iron lowers fatigue.",
    "OBJECTIVE: To assess the effect of iron on fatigue in women.",
    "To determine if apixaban prevents strokes.",
    "In order to evaluate tea as a remedy.",
    "We aimed to compare tea and coffee.",
    "This trial seeks to establish that walking helps.",
    "Our main objectives are safety and survival.",
    "The purpose of the present work is the comparison of both drugs.",
    "The trial was designed to test the drug in children.",
    "We examined whether iron lowers fatigue.",
    "We therefore investigated the influence of tea on the pulse.",
    "This study assessed how tea acts.",
    "The present study explores the relationship between sleep and mood.",
    "OBJECTIVE: To compare 2% chlorhexidine with saline, alone and combined, in 40 adults.",
    "AIM: To show the efficacy of training, that promotes balance, for more people.",
    "Purpose To assess effects of a more intensive programme compared to less comprehensive care.",
    "OBJECTIVES: To: 1) describe satisfaction, and 2) compare increased use.",
    "To examine the safety of tea, a drink that promotes sleep, in patients with severe insomnia.",
    "In order to find out the increased risk of falls, in particular in women.",
    "The aim of this study was to compare lidocaine 0.4% and 2% in reducing the severity of injection pain.",
    "We aimed to investigate whether insulin improves control in adults with HbA1c below 7.5% (58 mmol/mol).",
    "Therefore, the purpose of this pilot study was to profile the response to 0.1 g/kg of soda, and compare it.",
    "The aim is twofold: to assess the improved lipid profile, and to model it.",
    # plans
    "This randomised trial will evaluate an app for insomnia.",
    "The results will inform the care of stroke.",
    "Pain and sleep will be compared between the groups.",
    "Trial Forge will help to address this lack of evidence.",
    # hypotheses and expectations
    "We hypothesised that iron lowers fatigue.",
    "We expect that walking improves sleep.",
    "It was hypothesized that the drug could prevent relapse.",
    "Our hypothesis is that tea has no influence on the pulse.",
    "The programme is expected to facilitate lasting change.",
    "The extract is supposed to prevent diabetes.",
    "We hypothesized the garment group would have a 50% reduction in adverse outcomes.",
    "A second hypothesis was that patients who use the tool would have significantly better outcomes.",
    "The two main hypotheses are that the method may cause less pain, allowing an enhanced recovery.",
    "We piloted an intervention, and hypothesised that lay carers would improve the behaviour of staff.",
    "We conducted an analysis to test the hypothesis that supplements prime the response to later ones.",
    "We tested the hypotheses that blockade would improve survival, and that it would be associated with pain.",
    "We expect that fewer patients fall with the drug.",
]
OPEN = [
    "The mechanism is still largely unknown.",
    "It remains controversial whether survival differs between women and men.",
    "The effect of such meetings on depression has not yet been evaluated.",
    "Little is known about sleep in nurses.",
    "There are few data on the safety of the herb.",
    "Studies of the relation between workload and pressure are lacking.",
    "Drug A, an oral inhibitor, is being investigated for the treatment of anaemia.",
]
RESULTS = [
    # findings
    "Apixaban reduces strokes.",
    "No difference was recorded.",
    "There was no evidence of a rise.",
    "Survival was longer with the drug.",
    "Iron did not lower fatigue.",
    "Tea may lower the pulse.",
    "Trials to date show no benefit.",
    "If given early, tea lowered the pulse.",
    "If untreated, patients may die within days.",
    "This review shows that tea lowers the pulse.",
    "IL-6 levels were expected to rise and rose by 3.5.",
    # a finding beside an aim or an open question
    "We tested whether tea lowers the pulse, and found that it does.",
    "We tested whether tea lowers the pulse; mortality was lower.",
    "To prevent strokes, apixaban is effective.",
    "To assess pain, a scale was used, and scores fell.",
    "The mechanism is unclear, but tea lowered the pulse.",
    "The role of tea is debated; coffee may prevent it.",
    "We investigated the effect of tea, which lowered the pulse.",
    "We compared both drugs and found fewer falls with the first.",
    "This study found lower rates of falls.",
    "OBJECTIVE: To assess pain, a scale was used, and scores fell.",
    "To examine the response, 12 women received tea.",
    "To date, more trials show benefit.",
    "To our knowledge, tea lowered the pulse for the first time.",
    "The aim was to test tea; deaths were fewer with it.",
    "The aim of the study was to lower the pulse, and it fell by 3 beats.",
    "We hypothesised that tea lowers the pulse, but it was higher with tea.",
    "We hypothesised that tea lowers the pulse, and this was confirmed in 40 women.",
    "The aim was to lower the pulse, which was lowered (p = 0.02).",
    "In line with our hypothesis, the concentration was significantly lower.",
    "Behavioral tasks on wanting and expected satiety showed more liking.",
    "Fewer patients fell than expected by chance.",
    # words for aims in another sense
    "These results support the hypothesis that light relieves depression.",
    "Most of the hypothesised risk factors were not significant.",
    "Knowledge of the purpose of the medicine increased.",
    "Return to work is a goal that few reached.",
    "The technique aims at less trauma.",
    "Of those who tried to stop, half succeeded.",
    # methods support what is said of the methods
    "Patients were randomly assigned to apixaban or warfarin.",
    "Ferritin was measured in all women.",
    "We evaluated 15 athletes in two groups.",
    "We searched four databases for trials of statins.",
    "The primary outcome is death within a month.",
    "Women who were not aware of it took part.",
    "Is not",
    "",
]


@pytest.mark.parametrize("text", QUESTIONS)
def test_questions(text: str) -> None:
    assert is_question(text)
    assert reports_no_result(text)


@pytest.mark.parametrize("text", OBJECTIVES)
def test_objectives(text: str) -> None:
    assert states_objective(text)
    assert reports_no_result(text)
    assert not is_question(text)


@pytest.mark.parametrize("text", OPEN)
def test_what_is_open_is_no_result(text: str) -> None:
    assert reports_no_result(text)
    assert not is_question(text)


@pytest.mark.parametrize("text", RESULTS)
def test_what_is_found_or_done_is_none_of_them(text: str) -> None:
    assert not is_question(text)
    assert not states_objective(text)
    assert not reports_no_result(text)


def test_an_open_question_is_no_objective() -> None:
    assert not states_objective("The mechanism is still largely unknown.")


@pytest.mark.parametrize(
    "text",
    [
        "If lavender oil reduces anxiety, it could be used before surgery.",
        "CONCLUSION: If exercise reduces falls, it should be prescribed.",
    ],
)
def test_what_would_follow_reports_no_result(text: str) -> None:
    assert reports_no_result(text)


@given(st.text(max_size=80))
def test_any_text_has_an_answer(text: str) -> None:
    if is_question(text) or states_objective(text):
        assert reports_no_result(text)


@given(st.sampled_from(OBJECTIVES + OPEN), st.sampled_from(["Deaths fell by 3 %.", "Survival was longer with it."]))
def test_a_result_behind_it_is_a_result(text: str, result: str) -> None:
    assert not reports_no_result(f"{text} {result}")


@given(st.sampled_from(RESULTS[:-2]), st.sampled_from(["RESULTS: ", "CONCLUSIONS: ", "METHODS AND RESULTS: "]))
def test_a_heading_changes_nothing(text: str, heading: str) -> None:
    assert not reports_no_result(heading + text)


@pytest.mark.parametrize(
    ("text", "describes"),
    [
        ("Patients were randomly assigned to apixaban or warfarin.", True),
        ("We searched four databases for trials of statins.", True),
        ("Pain was assessed and fell by 30 %.", False),
        ("Pain fell.", False),
        ("Tea is a drink.", False),
    ],
)
def test_what_was_done_is_told_from_what_was_found(text: str, describes: bool) -> None:
    assert describes_method(text) == describes


@pytest.mark.parametrize(
    ("text", "concludes"),
    [
        ("We conclude that tea helps.", True),
        ("In conclusion, tea helps.", True),
        ("Our findings suggest that tea helps.", True),
        ("Tea helps.", False),
    ],
)
def test_conclusions_say_that_they_are_some(text: str, concludes: bool) -> None:
    assert draws_conclusion(text) == concludes
