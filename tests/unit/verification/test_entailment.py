"""The shipped model: what it must get right, copies of it, long claims; verdicts by reading."""

import copy
import pickle
from concurrent.futures import ThreadPoolExecutor

import pytest

from llama_index_medqa.verification.entailment import EntailmentEncoder, checked_card, packaged_card
from llama_index_medqa.verification.verifier import ClaimVerifier
from tests.unit.verification.evidence import passage

ENCODER = EntailmentEncoder()
NO_EFFECT = "Spironolactone did not improve survival in patients with heart failure."
PAIRS = [(NO_EFFECT, "Spironolactone improves survival in patients with heart failure."), (NO_EFFECT, NO_EFFECT)]


def test_the_chances_of_a_pair_add_up_to_one_whatever_stands_beside_it():
    alone = [ENCODER.judge([pair])[0] for pair in PAIRS]
    together = ENCODER.judge([*PAIRS, ("Tea. " * 150, "Tea.")])
    for one, other in zip(alone, together, strict=False):
        assert sum(one) == pytest.approx(1.0)
        assert one == pytest.approx(other, abs=0.05)


@pytest.mark.parametrize("condition", ["heart failure", "lack of sleep", "absence seizures", "free tissue transfer"])
def test_a_condition_that_sounds_like_a_negation_hides_none(condition):
    text = passage(f"Spironolactone did not improve survival in patients with {condition}.", title="")
    claim = f"Spironolactone improves survival in patients with {condition}."
    [found] = ClaimVerifier(ENCODER).verify([claim], [text])
    assert found.verdict != "supported"


@pytest.mark.parametrize(
    ("claim", "text"),
    [
        ("Patients received morphine 5 mg daily.", "Patients received morphine 5 mg/kg daily."),
        ("Apixaban was given once daily.", "Apixaban was given twice daily."),
        ("The change was 3.5 points.", "The change was -3.5 points."),
        ("Glucose was 5 mg/dL.", "Glucose was 5 mg/L."),
        ("Fever was 38 °F.", "Fever was 38 °C."),
        ("Nausea occurred in 20% of patients.", "Nausea occurred in 20 patients."),
    ],
)
def test_another_unit_sign_or_frequency_never_passes(claim, text):
    [found] = ClaimVerifier(ENCODER, strictness="open").verify([claim], [passage(text, title="")])
    assert found.verdict != "supported"


def test_a_claim_too_long_to_be_read_whole_is_not_supported():
    claim = " ".join(["Tea slowed the resting pulse of adults"] * 20)
    assert ENCODER.judge([(claim, claim)])[0].supported == 0.0


def test_a_pair_is_read_up_to_208_tokens():
    # Three marks, "tea" and the stop of the claim, and so many words of one token.
    shorter, longest, cut = (ENCODER.logits([("tea " * words, "Tea.")]) for words in (202, 203, 204))
    assert (longest == cut).all()
    assert (shorter != longest).any()


def test_a_claim_of_up_to_104_tokens_is_read():
    # Two of them are marks; "dermatofibrosarcoma" is seven tokens, and twenty words are never counted.
    not_read = (0.0, 1.0, 0.0)
    assert ENCODER.judge([("Tea.", "tea " * 102)])[0] != not_read
    assert ENCODER.judge([("Tea.", "tea " * 103)])[0] == not_read
    assert ENCODER.judge([("Tea.", "dermatofibrosarcoma " * 21)])[0] == not_read
    assert ENCODER.judge([("Tea.", "dermatofibrosarcoma " * 20)])[0] != not_read


def test_a_verifier_can_be_copied_sent_and_shared():
    verifier = ClaimVerifier(EntailmentEncoder(threads=1))
    expected = verifier.verify([NO_EFFECT], [passage(NO_EFFECT)])
    for other in (copy.deepcopy(verifier), pickle.loads(pickle.dumps(verifier))):
        assert other.verify([NO_EFFECT], [passage(NO_EFFECT)]) == expected
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: ENCODER.judge(PAIRS), range(8)))
    assert all(one == found[0] for one in found)


def test_the_identity_names_version_and_hash():
    card = packaged_card()
    assert checked_card() == card
    assert ENCODER.identity == {"verifier": "medqa-verifier", "version": card["version"], "sha256": card["sha256"]}
    assert 0.5 < card["thresholds"]["balanced"] < card["thresholds"]["strict"] < 1.0
