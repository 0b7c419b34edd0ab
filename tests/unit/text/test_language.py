"""English is told from other languages; keywords and symbols pass for English."""

import json
import subprocess
import sys
from pathlib import Path

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
        "Is 黄芪 (Astragalus) effective for fatigue?",
        "long covid fatigue treatment",
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
        ("二甲双胍有哪些副作用？", "Chinese"),
        ("COPDの治療は?", "Japanese"),
        ("SGLT2 inhibitor 对 HFpEF 有效吗", "Chinese"),
        ("메트포르민의 부작용은 무엇입니까?", "Korean"),
        ("Was ist der Get With The Guidelines Score und für wen gilt er?", "German"),
        ("Zeigt die Studie Diabetes Control and Complications Trial einen Nutzen?", "German"),
        ("Каковы побочные эффекты метформина?", "a script other than Latin"),
        ("ما هي الآثار الجانبية للميتفورمين؟", "a script other than Latin"),
    ],
)
def test_other_languages(question, language):
    assert foreign_language(question) == language


@pytest.mark.parametrize("part", ["choosing", "reporting"])
def test_written_questions_are_recognised(part):
    lines = Path(__file__).with_name("foreign_questions.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [row for row in map(json.loads, lines) if row["part"] == part]
    assert len(rows) >= 60
    found = [(row["question"], foreign_language(row["question"])) for row in rows]
    assert found == [(row["question"], row["language"]) for row in rows]


def test_questions_in_english_words_or_in_other_scripts_load_no_model():
    program = (
        "import sys; from llama_index_medqa.text.language import foreign_language as told; "
        "assert told('What is the dose of aspirin?') is None; assert told('阿司匹林的剂量是多少？') == 'Chinese'; "
        "assert 'py3langid' not in sys.modules; told('Dosis von Aspirin'); assert 'py3langid' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_the_questions_of_the_benchmarks_are_english(shared_data):
    files = ("qa/pubmedqa_dev.jsonl", "qa/bioasq/questions.jsonl")
    lines = [line for file in files for line in (shared_data / file).read_text().split("\n") if line]
    foreign = [question for line in lines if foreign_language(question := json.loads(line)["question"])]
    assert foreign == []
