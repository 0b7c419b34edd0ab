"""The documented old place of the verdicts still works, and says where they are now."""

import importlib
import sys

import pytest

from llama_index_medqa.verification import verdicts


def test_the_old_place_warns_and_gives_the_same_classes(monkeypatch):
    monkeypatch.delitem(sys.modules, "llama_index_medqa.answer_sentences", raising=False)
    with pytest.warns(DeprecationWarning, match=r"llama_index_medqa\.verification\.verdicts"):
        old = importlib.import_module("llama_index_medqa.answer_sentences")
    assert {name: getattr(old, name) for name in old.__all__} == {name: getattr(verdicts, name) for name in old.__all__}
    assert set(old.__all__) == {"AnswerSentence", "Citation", "Finding", "FindingKind", "Verdict"}
