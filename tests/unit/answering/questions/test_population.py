"""Groups of people in questions, and texts that are about them or are not."""

import pytest

from llama_index_medqa.answering.questions.population import unnamed_populations

ADULTS = "We gave 120 adults green tea or water for 12 weeks."


@pytest.mark.parametrize(
    ("question", "text", "unnamed"),
    [
        ("And in women?", ADULTS, ["women"]),
        ("Does tea help pregnant women?", "We asked 96 women.", ["pregnancy"]),
        ("Does tea help pregnant women?", "Tea in pregnancy: maternal outcomes.", []),
        ("Is it safe in children?", ADULTS, ["children"]),
        ("Is it safe in children?", "A paediatric cohort.", []),
        ("Is it safe in children?", "Infants and adolescents were enrolled.", []),
        ("Is it safe in newborns?", "School children.", ["newborns"]),
        ("What is the dose for elderly patients?", "Patients aged 65 years and older.", []),
        ("What is the dose for older adults?", "Patients aged 40 to 50.", ["older people"]),
        ("Does it work in humans?", "Mice lived longer.", ["people"]),
        ("Does it work in humans?", "Patients lived longer.", []),
        ("Does it work in men?", "['Male', 'Humans']", []),
        ("Does it work in men?", "Treatment of mental disorders in Yemen.", ["men"]),
        ("Does green tea lower the heart rate?", "Mice lived longer.", []),
        ("What does the Women's Health Initiative show?", "Postmenopausal hormones were tried.", []),
    ],
)
def test_groups_that_no_text_names(question, text, unnamed):
    assert unnamed_populations(question, [text]) == unnamed


def test_one_text_of_several_is_enough():
    assert unnamed_populations("Does it work in women?", [ADULTS, "Female nurses."]) == []
