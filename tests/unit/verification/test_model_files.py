"""Files of a verifier's model: a folder of one's own, and what is wrong with one."""

import json
import shutil
from importlib.resources import files

import pytest

from llama_index_medqa.errors import WeightsError
from llama_index_medqa.verification.entailment import EntailmentEncoder

PACKAGED = files("llama_index_medqa.verification") / "model"
PAIRS = [("Tea slowed the pulse.", "Tea slowed the pulse.")]


@pytest.fixture
def folder(tmp_path):
    """A folder with the packaged model."""
    return shutil.copytree(str(PACKAGED), tmp_path / "model")


def card_with(folder, **changes):
    card = json.loads((folder / "card.json").read_text(encoding="utf-8")) | changes
    (folder / "card.json").write_text(json.dumps(card), encoding="utf-8")


def test_a_folder_gives_model_and_card(folder):
    card_with(folder, name="mine", version="9")
    encoder = EntailmentEncoder(folder, threads=1)
    assert (encoder.identity["verifier"], encoder.identity["version"]) == ("mine", "9")
    assert encoder.judge(PAIRS)[0] == pytest.approx(EntailmentEncoder(threads=1).judge(PAIRS)[0], abs=1e-6)


def test_the_temperature_of_the_card_scales_the_chances(folder):
    card_with(folder, temperature=1e9)
    # Of figures that are all but equal the chances are: 1/3 each.
    assert EntailmentEncoder(folder, threads=1).judge(PAIRS)[0] == pytest.approx((1 / 3,) * 3)
    assert EntailmentEncoder(threads=1).judge(PAIRS)[0].supported > 0.8


def test_a_model_that_was_changed_is_refused(folder):
    with (folder / "model.onnx").open("ab") as model:
        model.write(b"!")
    with pytest.raises(WeightsError, match=r"model\.onnx has sha256 \w{64}, but its card says \w{64}\. Install"):
        EntailmentEncoder(folder).judge(PAIRS)


@pytest.mark.parametrize("name", ["model.onnx", "card.json"])
def test_a_missing_file_is_named(folder, name):
    (folder / name).unlink()
    with pytest.raises(WeightsError, match=name):
        EntailmentEncoder(folder).logits(PAIRS)


def test_a_card_of_something_else_is_refused(folder):
    (folder / "card.json").write_text('{"name": "x", "version": "1", "sha256": ""}', encoding="utf-8")
    with pytest.raises(WeightsError, match="lacks temperature, thresholds: it is not the card of a verifier"):
        _ = EntailmentEncoder(folder).thresholds
