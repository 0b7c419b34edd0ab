"""The data sets that ``python -m data_tools sft`` writes. Expected values: records of our own, counted by hand."""

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from llama_index.core.schema import NodeWithScore, TextNode
from typer.testing import CliRunner

from data_tools.__main__ import app
from data_tools.sft import support
from data_tools.sft.grounded_recipe import GroundedItems, GroundedSettings
from data_tools.sft.output import draw
from data_tools.sft.screening import is_english
from llama_index_medqa import PubMedIndex, PubMedRetriever, TokenNodeParser
from llama_index_medqa.answering.drafting import GenerativeDrafter
from llama_index_medqa.answering.sentence_selection import EvidenceSelector
from llama_index_medqa.prompts import ABSTENTION, GROUNDED_ANSWER, template_hash
from llama_index_medqa.pubmed.formats.jsonl import write_jsonl
from llama_index_medqa.pubmed.record import AbstractSection, PubMedRecord
from llama_index_medqa.testing import HashEmbedding, ScriptedEntailment, ScriptedLLM
from llama_index_medqa.text.sentences import split_sentences
from llama_index_medqa.verification.passages import passages_of
from llama_index_medqa.verification.verifier import ClaimVerifier

THINGS = ("tea", "coffee", "cocoa", "water", "juice", "milk", "broth", "wine")
EFFECTS = ("sleep", "pressure", "pulse", "weight", "appetite", "memory", "vision", "balance")
GERMAN = "Wir untersuchten, ob der Tee die Herzfrequenz der Pflegenden senkt, und fanden keinen Unterschied zu Wasser."


def trial(number: int) -> PubMedRecord:
    """A made-up trial; no other has its drug, its disease, its numbers."""
    drink, effect = THINGS[number % 8], EFFECTS[number // 8]
    drug, disease, enzyme = f"{drink}{effect[:3]}ol", f"{effect}{drink[:3]}itis", f"{drink}{effect}ase"
    return PubMedRecord(
        pmid=str(1000 + number),
        title=f"Does {drug} relieve {disease} in adults?",
        sections=(
            AbstractSection(
                f"Little was known of {drug} and of what it does for {disease} in the clinic.", "BACKGROUND"
            ),
            AbstractSection(f"We gave {drug} or nothing to all who were ill with {disease} at the time.", "METHODS"),
            AbstractSection(
                f"{drug} relieved {disease} in {100 + number} adults. "
                f"{drug} caused {enzyme}uria in {200 + number} adults.",
                "RESULTS",
            ),
            AbstractSection(f"{drug} relieves severe {disease} by way of {enzyme}.", "CONCLUSIONS"),
        ),
    )


TRIALS = [trial(number) for number in range(64)]


def records_file(folder: Path, records: list[PubMedRecord], name: str = "records.jsonl") -> Path:
    path = folder / name
    with path.open("w", encoding="utf-8") as stream:
        write_jsonl(records, stream)
    return path


def run(*arguments: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["sft", *map(str, arguments)], env={"COLUMNS": "200"})
    return result.exit_code, result.stdout, result.stderr


def rows_of(folder: Path, split: str) -> list[dict[str, str]]:
    return [json.loads(line) for line in (folder / f"{split}.jsonl").read_text(encoding="utf-8").splitlines()]


def test_the_seed_recipe(tmp_path) -> None:
    out = tmp_path / "out"
    arguments = ("--recipe", "seed", "--out", out, "--json", "--validation-share", 0.2)
    code, output, errors = run(records_file(tmp_path, TRIALS), *arguments)
    assert code == 0, errors
    manifest = json.loads(output)
    rows = rows_of(out, "train") + rows_of(out, "validation")
    assert {row["id"]: (row["input"], row["output"]) for row in rows} == {
        record.document_id: (record.title, " ".join(section.text for section in record.sections)) for record in TRIALS
    }
    assert {row["instruction"] for row in rows} == {"Write the abstract of the medical paper that has this title."}
    assert manifest["rows"]["train"]["abstract"] + manifest["rows"]["validation"]["abstract"] == 64
    assert json.loads((out / "manifest.json").read_text()) == manifest
    assert json.loads((out / "dataset_info.json").read_text())["medqa_seed_train"] == {
        "file_name": "train.jsonl",
        "formatting": "alpaca",
        "columns": {"prompt": "instruction", "query": "input", "response": "output"},
    }
    for written in manifest["outputs"]:
        assert written["sha256"] == hashlib.sha256((out / written["name"]).read_bytes()).hexdigest()


def test_the_filters_count_by_reason(tmp_path) -> None:
    first = TRIALS[0]
    text = first.sections[2].text
    odd = [
        replace(first, pmid="1", title="Teas!"),  # five characters, too short by one
        replace(first, pmid="2", title="Teas!!", sections=(AbstractSection("The " + "x" * 46),)),  # 50 characters
        replace(TRIALS[2], pmid="3", status="retracted"),
        replace(TRIALS[3], pmid="4", status="retraction_notice"),
        replace(TRIALS[4], pmid="5", sections=(AbstractSection(GERMAN),)),
        replace(first, pmid="6", title="The same abstract again", sections=first.sections),
        replace(first, pmid="7", sections=(*first.sections, AbstractSection("Funded by the town."))),
        replace(first, pmid="8", title="Teas!!", sections=(AbstractSection(f"It is {text} And that of all is so."),)),
    ]
    code, output, _ = run(
        records_file(tmp_path, [first, *odd]),
        *("--recipe", "seed", "--out", tmp_path / "o", "--json", "--validation-share", 0),
    )
    assert code == 0
    manifest = json.loads(output)
    assert manifest["read"] == 9
    assert manifest["rejected"] == {
        "abstract of 50 characters or fewer": 1,
        "duplicate": 1,
        "near duplicate": 1,
        "not English": 1,
        "retracted": 1,
        "retraction notice": 1,
        "title of 5 characters or fewer": 1,
    }
    assert [row["id"] for row in rows_of(tmp_path / "o", "train")] == ["PMID:1000", "PMID:8"]
    assert not (tmp_path / "o" / "validation.jsonl").exists()


@pytest.mark.parametrize(
    ("text", "english"),
    [
        ("Tea lowered the heart rate of nurses in this trial, and water did not.", True),
        (GERMAN, False),
        ("Nous avons étudié si le thé diminue la fréquence cardiaque des infirmières chez les adultes.", False),
        ("Se estudió si el té reduce la frecuencia cardíaca de las enfermeras durante doce semanas.", False),
        ("我们研究了茶是否降低护士的心率。", False),
    ],
)
def test_english(text, english) -> None:
    assert is_english(text) is english


@pytest.mark.parametrize(
    ("name", "content", "pmid"),
    [
        ("pmids.txt", "1003\n1005\n", "1003"),
        ("dev.jsonl", json.dumps({"pmid": "1003", "question": "x"}), "1003"),
        ("bioasq.jsonl", json.dumps({"id": "a", "gold_pmids": ["1003", "1004"]}), "1003"),
        # SciFact's ids are not PMIDs: here only the title, with one word changed, tells.
        ("corpus.jsonl", json.dumps({"_id": "4983", "title": TRIALS[3].title.replace("adults", "adult")}), "1003"),
    ],
)
def test_evaluation_items_are_an_error_unless_dropped(tmp_path, name, content, pmid) -> None:
    evaluation = tmp_path / name
    evaluation.write_text(content)
    records = records_file(tmp_path, TRIALS)
    arguments = (records, "--recipe", "seed", "--out", tmp_path / "o", "--exclude", evaluation)
    code, output, errors = run(*arguments)
    assert (code, output) == (1, "")
    assert f"PMID:{pmid} ({name})" in errors
    assert "--drop-evaluation-items" in errors
    assert list((tmp_path / "o").iterdir()) == []
    code, output, _ = run(*arguments, "--drop-evaluation-items", "--json")
    assert code == 0
    assert json.loads(output)["rejected"]["in an evaluation set"] >= 1
    assert pmid not in {row["id"].removeprefix("PMID:") for row in rows_of(tmp_path / "o", "train")}


def test_splits_are_by_record_and_stay(tmp_path) -> None:
    for name, records in (("few", TRIALS[:40]), ("all", TRIALS)):
        run(records_file(tmp_path, records, f"{name}.jsonl"), "--recipe", "seed", "--out", tmp_path / name,
            "--validation-share", 0.3)  # fmt: skip
    ids = {
        (name, split): {row["id"] for row in rows_of(tmp_path / name, split)}
        for name in ("few", "all")
        for split in ("train", "validation")
    }
    assert not ids["all", "train"] & ids["all", "validation"]
    assert ids["few", "train"] <= ids["all", "train"]
    assert ids["few", "validation"] <= ids["all", "validation"]
    assert 8 <= len(ids["all", "validation"]) <= 31  # 19.2 expected, standard deviation 3.7


def test_draws_are_even() -> None:
    values = [draw(1, "split", number) for number in range(4000)]
    assert sum(value < 0.2 for value in values) == pytest.approx(800, abs=4 * 25.3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["missing.jsonl", "--recipe", "seed"], "There is no file missing.jsonl"),
        (["-", "--recipe", "seed"], "give a file in place of '-'"),
        (["{broken}", "--recipe", "seed"], "is no record"),
        (["{retracted}", "--recipe", "seed"], "1 retracted"),
        (["{records}", "--recipe", "seed", "--exclude", "missing.jsonl"], "missing.jsonl cannot be read"),
        (["{records}", "--recipe", "seed", "--exclude", "{empty}"], "names no paper"),
    ],
)
def test_errors_are_one_line(arguments, message, tmp_path) -> None:
    (tmp_path / "broken").write_text('{"pmid": "12a", "title": "x", "abstract": "y"}\n')
    (tmp_path / "empty").write_text('{"claim": "x"}\n')
    files = {
        "broken": tmp_path / "broken",
        "empty": tmp_path / "empty",
        "records": records_file(tmp_path, TRIALS),
        "retracted": records_file(tmp_path, [replace(TRIALS[0], status="retracted")], "retracted.jsonl"),
    }
    code, output, errors = run(*(argument.format(**files) for argument in arguments), "--out", tmp_path / "o")
    assert (code, output) == (1, "")
    assert message in errors
    assert len(errors.strip().splitlines()) == 1


def test_an_unknown_recipe(tmp_path) -> None:
    code, _, errors = run(records_file(tmp_path, TRIALS), "--recipe", "other", "--out", tmp_path / "o")
    assert code == 2
    assert "'other' is not one of 'seed', 'grounded'" in errors


def test_fields_of_other_sources_can_be_ignored(tmp_path) -> None:
    path = tmp_path / "other.jsonl"
    line = {
        "pmid": "9",
        "title": TRIALS[0].title,
        "abstract": TRIALS[0].sections[2].text,
        "license": "CC",
        "pmcid": "1",
    }
    path.write_text(json.dumps(line) + "\n")
    ignored = ("--ignore-field", "license", "--ignore-field", "pmcid", "--validation-share", 0)
    code, _, errors = run(path, "--recipe", "seed", "--out", tmp_path / "o", *ignored)
    assert code == 0, errors
    assert rows_of(tmp_path / "o", "train")[0]["id"] == "PMID:9"


@pytest.fixture(scope="module", autouse=True)
def scripted() -> Iterator[None]:
    """What is verified stands in the passages word for word: shared words tell it as well as the packaged model."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(support, "packaged_verifier", lambda: ClaimVerifier(ScriptedEntailment()))
        yield


@pytest.fixture(scope="module")
def grounded(tmp_path_factory, word_piece) -> Path:
    folder = tmp_path_factory.mktemp("grounded")
    arguments = (records_file(folder, TRIALS), "--recipe", "grounded", "--embedder", word_piece,
                 "--validation-share", 0.2)  # fmt: skip
    for name in ("first", "second"):
        code, _, errors = run(*arguments, "--out", folder / name)
        assert code == 0, errors
    return folder


def prompt_parts(prompt: str) -> tuple[dict[str, str], str]:
    """The passages by PMID, and the question."""
    passages, question = prompt.split("Passages:\n")[1].split("\n\nQuestion: ")
    blocks = [block for block in passages.split("\n\n") if block.startswith("[PMID:")]
    return {block[6:10]: block.split("\n", 1)[1] for block in blocks}, question.removesuffix("\nAnswer:")


def test_grounded_answers_stand_in_the_passages(grounded) -> None:
    rows = [row for row in rows_of(grounded / "first", "train") if row["kind"] == "answered"]
    assert len(rows) > 40
    for row in rows:
        pmid = row["id"].removeprefix("PMID:")
        record = TRIALS[int(pmid) - 1000]
        passages, question = prompt_parts(row["instruction"])
        assert question == record.title
        assert row["input"] == ""
        assert len(passages) == 3
        marked = [row["output"][start:end] for start, end in split_sentences(row["output"])]
        for sentence in marked:
            assert f"[PMID:{pmid}]" in sentence
            assert sentence.replace(f" [PMID:{pmid}]", "") in passages[pmid]
        assert record.sections[3].text not in row["instruction"]  # the conclusions


def test_the_own_paper_stands_anywhere(grounded) -> None:
    rows = [row for row in rows_of(grounded / "first", "train") if row["kind"] == "answered"]
    positions = [list(prompt_parts(row["instruction"])[0]).index(row["id"].removeprefix("PMID:")) for row in rows]
    assert set(positions) == {0, 1, 2}


def test_withheld_evidence_is_declined(grounded) -> None:
    rows = rows_of(grounded / "first", "train") + rows_of(grounded / "first", "validation")
    withheld = [row for row in rows if row["kind"] == "withheld"]
    answered = {row["id"] for row in rows if row["kind"] == "answered"}
    assert 5 <= len(withheld) <= 30  # a quarter of the 64 are asked twice: 16 expected, standard deviation 3.5
    for row in withheld:
        assert row["output"] == ABSTENTION
        assert f"[{row['id']}]" not in row["instruction"]
        assert row["id"] in answered


def test_the_prompt_is_the_one_that_is_served(tmp_path, word_piece) -> None:
    """Against what the engine's own answerer gives a language model where all of the records fits."""
    settings = GroundedSettings(withheld_share=0.0, passages=2, passage_tokens=200)
    parser = TokenNodeParser(tokenizer=word_piece, chunk_size=128, chunk_overlap=64)
    index = PubMedIndex.open(str(tmp_path / "i"), embed_model=HashEmbedding(), node_parser=parser, create=True)
    items = GroundedItems(settings, tmp_path / "studies")
    items.index(TRIALS[:8], index)
    retriever = PubMedRetriever(index, mode="lexical", similarity_top_k=100, chunks_per_record=12)
    _, row, _ = next(items.rows(retriever))
    shown, question = prompt_parts(row["instruction"])
    passages = {p.document_id: p for p in passages_of(retriever.retrieve(question))}
    assert set(passages) >= {f"PMID:{pmid}" for pmid in shown}
    llm = ScriptedLLM(["x"])
    selected = EvidenceSelector().select(question, [passages[f"PMID:{pmid}"] for pmid in shown], most_tokens=5000)
    list(GenerativeDrafter(llm, GROUNDED_ANSWER).stream(question, selected))
    assert llm.prompts == [row["instruction"]]


def test_the_same_inputs_give_the_same_bytes(grounded) -> None:
    for name in ("train.jsonl", "validation.jsonl", "manifest.json", "dataset_info.json"):
        assert (grounded / "first" / name).read_bytes() == (grounded / "second" / name).read_bytes()
    manifest = json.loads((grounded / "first" / "manifest.json").read_text())
    assert manifest["prompt"]["hash"] == template_hash(GROUNDED_ANSWER)
    assert str(grounded) not in json.dumps(manifest)


SHOWN = "We gave tea to 12 adults. Tea relieved colds. Colds lasted four days. Does tea relieve headaches?"


@pytest.mark.parametrize(
    ("sentence", "found"),
    [
        ("Tea relieved colds in 99 adults.", True),  # tea, relieved and colds of four words; numbers are no words
        ("Tea never relieves colds.", True),
        ("Relieved colds lasted days.", True),  # two sentences that follow one another hold all
        ("Juice relieves headaches.", False),  # only a question speaks of headaches
        ("Juice cured mumps.", False),
        ("It was so.", False),  # no word that carries meaning
    ],
)
def test_a_passage_speaks_of_what_it_holds_half_the_words_of(sentence, found) -> None:
    node = TextNode(text=SHOWN, id_="PMID:1", start_char_idx=0)
    assert support.speaks_of(sentence, passages_of([NodeWithScore(node=node)])) is found


def test_records_without_conclusions_make_no_grounded_item(tmp_path, word_piece) -> None:
    records = [replace(record, sections=record.sections[:3]) for record in TRIALS]
    arguments = (records_file(tmp_path, records), "--recipe", "grounded", "--embedder", word_piece)
    code, _, errors = run(*arguments, "--out", tmp_path / "o")
    assert code == 1
    assert "None of 64 records made an item for training (64 no conclusions)" in errors


def test_without_the_extra_it_says_what_to_install(tmp_path) -> None:
    code = "import sys; sys.modules['rensa'] = None; from data_tools.__main__ import app; app()"
    command = [sys.executable, "-c", code, "sft", str(records_file(tmp_path, TRIALS)), "--recipe", "seed"]
    result = subprocess.run(
        [*command, "--out", str(tmp_path / "o")], capture_output=True, text=True, check=False,
        cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert result.returncode == 1
    assert 'pip install "llama-index-medqa[data]"' in result.stderr
