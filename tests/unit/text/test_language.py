"""English is told from other languages; keywords and symbols pass for English."""

import pytest

from llama_index_medqa.text.language import foreign_language


@pytest.mark.parametrize(
    "question",
    [
        "Does green tea lower the resting heart rate?",
        "metformin PCOS",
        "TNF-α inhibitors vs. IL-6 in RA?",
        "Which genes are involved in Charcot-Marie-Tooth disease type 1A?",
        "List side effects of semaglutide.",
        "Is Guillain–Barré syndrome caused by vaccines?",
        "What is the role of Helicobacter pylori in MALT lymphoma?",
        "Is die casting dust a risk for the lungs?",
        "α β γ δ-secretase in Alzheimer",
        "5-HT3 antagonists",
        "",
    ],
)
def test_english(question):
    assert foreign_language(question) is None


@pytest.mark.parametrize(
    ("question", "language"),
    [
        ("Senkt grüner Tee die Herzfrequenz und ist das sicher?", "German"),
        ("Was sind die Nebenwirkungen von Metformin?", "German"),
        ("Le thé vert réduit-il la fréquence cardiaque chez les adultes ?", "French"),
        ("¿Cuáles son los efectos secundarios de la metformina?", "Spanish"),
        ("Quali sono gli effetti collaterali della metformina?", "Italian"),
        ("Quais são os efeitos colaterais da metformina?", "Portuguese"),
        ("Wat zijn de bijwerkingen van metformine?", "Dutch"),
        ("Jakie są skutki uboczne metforminy i czy jest bezpieczna?", "Polish"),
        ("二甲双胍有哪些副作用？", "a script other than Latin"),
        ("Каковы побочные эффекты метформина?", "a script other than Latin"),
        ("ما هي الآثار الجانبية للميتفورمين؟", "a script other than Latin"),
    ],
)
def test_other_languages(question, language):
    assert foreign_language(question) == language


def test_the_questions_of_the_benchmarks_are_english(shared_data):
    import json

    files = ("qa/pubmedqa_dev.jsonl", "qa/bioasq/questions.jsonl")
    lines = [line for file in files for line in (shared_data / file).read_text().split("\n") if line]
    foreign = [question for line in lines if foreign_language(question := json.loads(line)["question"])]
    assert foreign == []
