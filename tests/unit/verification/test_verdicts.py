"""The documented old place of the verdicts still works, and says where they are now."""

import importlib
import sys

import pytest

from llama_index_medqa.verification import verdicts


def test_the_old_place_warns_and_gives_the_same_classes(monkeypatch):
    monkeypatch.delitem(sys.modules, "llama_index_medqa.answer_sentences", raising=False)
    old = importlib.import_module("llama_index_medqa.answer_sentences")
    for name in ("AnswerSentence", "Citation", "Finding", "FindingKind", "Verdict"):
        with pytest.warns(DeprecationWarning, match=rf"Import {name} from llama_index_medqa\.verification\.verdicts"):
            assert getattr(old, name) is getattr(verdicts, name)


def test_a_sentence_is_shown_with_the_marks_of_its_papers_before_the_stop():
    tea = verdicts.Citation("PMID:7", "7", "Tea", 0, 4, "Tea.")
    again = verdicts.Citation("PMID:7", "7", "Tea", 5, 9, "Cha.")
    other = verdicts.Citation("SHA:ab", None, "Coffee", 0, 4, "Tea.")
    cited = verdicts.AnswerSentence("Tea helps.", "supported", 0.9, (tea, again, other))
    assert str(cited) == f"Tea helps {tea.mark}{other.mark}."
    assert tea.mark == "[PMID:7]"
    assert str(verdicts.AnswerSentence("Tea helps.")) == "Tea helps."


def test_only_what_a_text_supports_is_supported():
    sentences = [verdicts.AnswerSentence("Tea.", verdict) for verdict in ("supported", "contradicted", "unsupported")]
    assert [sentence.supported for sentence in sentences] == [True, False, False]
    assert not verdicts.AnswerSentence("Tea.").supported
    assert verdicts.AnswerSentence("Tea.").support == 0.0
