"""Names that are imported late, and the former paths of modules."""

import importlib
import subprocess
import sys

import pytest

from llama_index_medqa._common.late_imports import late_attributes, moved_to, renamed
from tests.repository.test_architecture import MODULES, PACKAGE, is_former_path

FORMER = [".".join(path.relative_to(PACKAGE).with_suffix("").parts) for path in MODULES if is_former_path(path)]


def test_a_name_comes_from_the_module_that_defines_it():
    get = late_attributes("numbers_of", {"Fraction": "fractions"})
    assert get("Fraction") is importlib.import_module("fractions").Fraction
    with pytest.raises(AttributeError, match="'numbers_of' has no attribute 'Decimal'"):
        get("Decimal")


def test_a_moved_name_warns_and_a_special_one_does_not():
    get = moved_to("fractions")
    with pytest.warns(DeprecationWarning, match="Import Fraction from fractions"):
        assert get("Fraction") is importlib.import_module("fractions").Fraction
    with pytest.raises(AttributeError):
        get("__path__")


def test_a_former_name_warns_and_others_are_not_there():
    get = renamed("fractions", {"Ratio": "Fraction"})
    with pytest.warns(DeprecationWarning, match="Ratio of fractions is now Fraction"):
        assert get("Ratio") is importlib.import_module("fractions").Fraction
    with pytest.raises(AttributeError, match="'fractions' has no attribute 'Decimal'"):
        get("Decimal")


@pytest.mark.parametrize(
    ("module", "former", "name"),
    [
        ("answering.answerability", "Signals", "AnswerabilitySignals"),
        ("answering.response", "spoken", "with_citations"),
        ("retrieval.paper_filter", "meeting", "matching"),
    ],
)
def test_renamed_parts_of_the_documented_modules_are_found(module, former, name):
    found = importlib.import_module(f"llama_index_medqa.{module}")
    with pytest.warns(DeprecationWarning, match=name):
        assert getattr(found, former) is getattr(found, name)


@pytest.mark.parametrize("name", FORMER)
def test_each_former_path_leads_to_a_module_that_is_there(name):
    former = importlib.import_module(f"llama_index_medqa.{name}")
    new = former.__doc__.partition(":mod:`")[2].partition("`")[0]
    public = next(name for name in vars(importlib.import_module(new)) if name[0].isupper())
    with pytest.warns(DeprecationWarning, match=new):
        assert getattr(former, public) is getattr(importlib.import_module(new), public)


@pytest.mark.parametrize(
    "package",
    [
        "evaluation",
        "evaluation.gate",
        "evaluation.statistics",
        "pubmed.formats",
        "rendering",
        "serving",
        "vector_store",
        "weights",
    ],
)
def test_a_package_gives_what_it_names_and_loads_nothing_before(package):
    full = f"llama_index_medqa.{package}"
    program = f"import sys, {full}; print(sorted({{'chromadb', 'openai', 'llama_index.core'}} & set(sys.modules)))"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert loaded == "[]\n"
    module = importlib.import_module(full)
    assert all(getattr(module, name) is not None for name in module.__all__)
