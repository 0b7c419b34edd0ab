"""The verifier's training from end to end, on the real encoder and a handful of pairs written for this test."""

import gzip
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("onnx")

from llama_index_medqa.verification import entailment
from llama_index_medqa.verification.entailment import EntailmentEncoder
from training.verifier.encoder import new_encoder
from training.verifier.fit import Fitting
from training.verifier.recipe import VerifierRecipe
from training.verifier.run import train

pytestmark = pytest.mark.integration

SHIPPED = Path(entailment.__file__).with_name("model")

SENTENCES = [
    "We gave zinc to 200 adults with a cold.",
    "Zinc shortened colds by two days compared with placebo.",
    "Nausea was more frequent with zinc than with placebo.",
]
CLAIMS = [
    ("supported", "paraphrase", "Colds ended two days sooner with zinc than with placebo.", [2]),
    ("contradicted", "direction", "Zinc lengthened colds by two days.", [2]),
    ("not_stated", "plausible", "Zinc prevents pneumonia in adults.", [1]),
]
QUICK = Fitting(learning_rate=1e-5, batch_tokens=512)


def packed(path, rows):
    path.parent.mkdir(exist_ok=True)
    with gzip.open(path, "wt", encoding="utf-8") as stream:
        stream.writelines(json.dumps(row) + "\n" for row in rows)


@pytest.fixture
def data(tmp_path):
    """The files that the recipe reads, each with a few rows."""
    folder = tmp_path / "data"
    folder.mkdir()
    pair = {"premise": "A man sleeps.", "hypothesis": "A man is awake.", "label": "contradiction"}
    packed(folder / "nli" / "redist.train.jsonl.gz", [{**pair, "source": "snli_cad", "group": "1"}])
    packed(folder / "claims" / "abstracts.jsonl.gz", [{"pmid": "1", "title": "Zinc", "sentences": SENTENCES}])
    rows = [
        {"pmid": "1", "claim": claim, "kind": kind, "label": label, "sentences": deciding, "part": part}
        for part in ("train", "dev")
        for label, kind, claim, deciding in CLAIMS
    ]
    packed(folder / "claims" / "claims.jsonl.gz", rows)
    for name in ("sft", "qa/bioasq"):
        (folder / name).mkdir(parents=True)
    abstract = {"pmid": "2", "title": "Zinc and colds in adults", "abstract": " ".join(SENTENCES)}
    (folder / "sft" / "pmcoa_ccby_cc0.jsonl").write_text(json.dumps(abstract) + "\n")
    split = {name: {"final": [], "calibration": [], "training": []} for name in ("PubMedQA", "BioASQ")}
    (folder / "qa" / "split.json").write_text(json.dumps(split))
    (folder / "qa" / "pubmedqa_dev.jsonl").write_text("")
    (folder / "qa" / "bioasq" / "questions.jsonl").write_text("")
    return folder


@pytest.mark.parametrize("claim", ["Zinc made colds two days shorter.", "Zinc did not shorten colds.", "Tea is hot."])
def test_an_earlier_verifier_is_read_back_with_its_own_figures(claim):
    """Held against onnxruntime's run of the same file, which rounds the activations to int8 as well."""
    import torch
    from tokenizers import Tokenizer

    pair = (f"Zinc for colds. {SENTENCES[1]}", claim)
    tokenizer = Tokenizer.from_file(str(SHIPPED / "tokenizer.json"))
    tokenizer.no_padding()
    encoded = tokenizer.encode(*pair)
    model = new_encoder(SHIPPED / "model.onnx").eval()
    with torch.no_grad():
        logits = model(input_ids=torch.tensor([encoded.ids]), token_type_ids=torch.tensor([encoded.type_ids])).logits
    encoder = EntailmentEncoder()
    cooled = torch.softmax(logits[0] / encoder.card["temperature"], -1).numpy()
    found = np.array(encoder.judge([pair])[0])
    assert found == pytest.approx(cooled, abs=0.04)


def test_two_rounds_make_a_folder_that_the_verifier_opens_and_a_finished_round_is_not_repeated(data, tmp_path):
    rounds = (
        VerifierRecipe(public={"snli_cad": 1}, most_twins=4, claim_epochs=1.0, fitting=QUICK),
        VerifierRecipe(public={"snli_cad": 1}, most_twins=4, claim_epochs=2.0, apart=False, fitting=QUICK),
    )
    told = []
    folder = train(rounds, data, SHIPPED, tmp_path / "work", told.append)
    card = json.loads((folder / "card.json").read_text())
    assert [sorted(stage) for stage in card["training"][1]["stages"]][1] == [
        "claims direction",
        "claims paraphrase",
        "claims plausible",
    ]
    assert card["training"][1]["stages"][0]["snli_cad"] == 1
    assert sum(EntailmentEncoder(folder).judge([(SENTENCES[1], CLAIMS[0][2])])[0]) == pytest.approx(1.0)
    assert any(line.startswith("round 1 of 2") for line in told)
    shutil.rmtree(folder)
    told.clear()
    train(rounds, data, SHIPPED, tmp_path / "work", told.append)
    assert told == ["calibrating on the kept-back claims"]
