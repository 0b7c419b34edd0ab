"""What several tests need: data from outside the repository, tiny models made on the spot, records of our own."""

import os
import sys

# Read when the libraries below are imported.
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TQDM_DISABLE", "1")

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from llama_index.core import Document
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

from llama_index_medqa import PubMedIndex, TokenNodeParser
from llama_index_medqa.indexing.reader import to_document
from llama_index_medqa.pubmed.record import AbstractSection, PublicationDate, PubMedRecord
from llama_index_medqa.testing import HashEmbedding
from llama_index_medqa.vector_store.database import close_databases

REPOSITORY = Path(__file__).parent.parent
Command = Callable[..., tuple[int, str, str]]

# How long an example takes says how busy the machine is, not whether the code is right.
settings.register_profile("no time limits", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("no time limits")

# Written for these tests; the papers do not exist.
RECORDS = (
    PubMedRecord(
        pmid="101",
        title="Green tea and resting heart rate: a randomized trial.",
        sections=(
            AbstractSection("To evaluate whether green tea changes the resting heart rate.", "OBJECTIVE"),
            AbstractSection("We gave 120 adults green tea or water for 12 weeks.", "METHODS"),
            AbstractSection(
                "Green tea lowered the resting heart rate by 3.5 beats per minute compared with water. "
                "No serious adverse events occurred.",
                "RESULTS",
            ),
            AbstractSection("Green tea lowers the resting heart rate slightly.", "CONCLUSIONS"),
        ),
        journal="Journal of Invented Trials",
        date=PublicationDate(2021, 5, 3),
        mesh=("Tea", "Heart Rate"),
        publication_types=("Randomized Controlled Trial",),
    ),
    PubMedRecord(
        pmid="102",
        title="Sleep duration and blood pressure in nurses.",
        sections=(
            AbstractSection(
                "Nurses who slept less than 6 hours had higher systolic blood pressure. H. pylori was rare."
            ),
        ),
        journal="Invented Nursing",
        date=PublicationDate(2019),
        mesh=("Sleep", "Blood Pressure"),
    ),
    PubMedRecord(
        pmid="103",
        title="Magnet bracelets cure arthritis.",
        sections=(AbstractSection("Magnet bracelets cured arthritis in all patients."),),
        journal="Invented Claims",
        date=PublicationDate(2018, 1),
        status="retracted",
    ),
    PubMedRecord(
        title="Seed records carry no identifier.",
        sections=(AbstractSection("Walking barefoot strengthened the arch of the foot."),),
    ),
)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of the real public data, which is not part of the repository."""
    folder = Path(os.environ.get("MEDQA_SHARED_DATA", REPOSITORY.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"needs the shared data: {folder} is missing (set MEDQA_SHARED_DATA)")
    return folder


@pytest.fixture(autouse=True)
def own_cache(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Keeps converted tiny models out of the user's cache; integration tests need the weights that lie there."""
    if "integration" not in request.keywords:
        monkeypatch.setenv("MEDQA_CACHE_DIR", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture(scope="module", autouse=True)
def closed_databases() -> Iterator[None]:
    """Gives back what the databases of a file of tests hold: their open files alone would pass 1,024."""
    yield
    close_databases()


@pytest.fixture
def medqa(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs the command in a folder of its own and gives (exit code, standard output, standard error)."""
    from llama_index_medqa.cli.command import main

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MEDQA_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "200")
    # A developer's own medqa.toml must change no test.
    if not os.environ.get("XDG_CONFIG_HOME", "").startswith(str(tmp_path)):
        monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["medqa", *map(str, arguments)])
        code = 0
        try:
            main()
        except SystemExit as exit_:
            code = exit_.code or 0
        return code, *capsys.readouterr()

    return run


@pytest.fixture
def records() -> list[PubMedRecord]:
    return list(RECORDS)


@pytest.fixture
def documents() -> list[Document]:
    return [to_document(record) for record in RECORDS]


@pytest.fixture
def index(tmp_path: Path, documents: list[Document], word_piece: str) -> PubMedIndex:
    """An index of the documents; its vectors are hashes of words. Files that need another define their own."""
    parser = TokenNodeParser(tokenizer=word_piece, chunk_size=64, chunk_overlap=16)
    index = PubMedIndex.open(str(tmp_path), embed_model=HashEmbedding(), node_parser=parser, create=True)
    index.ingest(documents)
    return index


@pytest.fixture(scope="session")
def word_piece(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Folder of a small WordPiece tokenizer, the kind that BERT and e5-large have."""
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    trainer = trainers.WordPieceTrainer(vocab_size=400, special_tokens=special, show_progress=False)
    return _trained(tokenizer, trainer, tmp_path_factory.mktemp("word_piece"))


@pytest.fixture(scope="session")
def unigram(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Folder of a small Unigram tokenizer, the kind that multilingual-e5 has."""
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.Sequence([normalizers.Nmt(), normalizers.NFKC()])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = trainers.UnigramTrainer(vocab_size=300, unk_token="<unk>", special_tokens=["<unk>"], show_progress=False)
    return _trained(tokenizer, trainer, tmp_path_factory.mktemp("unigram"))


@pytest.fixture(scope="session")
def merging(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Folder of a tokenizer that merges across spaces, so that words cannot be counted one by one."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    trainer = trainers.BpeTrainer(vocab_size=500, special_tokens=["<unk>"], show_progress=False)
    return _trained(tokenizer, trainer, tmp_path_factory.mktemp("merging"))


def _trained(tokenizer: Tokenizer, trainer: trainers.Trainer, folder: Path) -> str:
    texts = [record.text for record in RECORDS]
    tokenizer.train_from_iterator(texts * 3, trainer)
    tokenizer.save(str(folder / "tokenizer.json"))
    return str(folder)


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory, word_piece: str) -> str:
    """Folder of a BERT with random weights: the real code path of an embedder in milliseconds."""
    import torch
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    folder = tmp_path_factory.mktemp("tiny") / "tiny-bert"
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_file=f"{word_piece}/tokenizer.json",
        model_max_length=64,
        pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]", mask_token="[MASK]",
    )  # fmt: skip
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(tokenizer), hidden_size=32, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=64, max_position_embeddings=64,
    )  # fmt: skip
    BertModel(config).save_pretrained(folder)
    return str(folder)
