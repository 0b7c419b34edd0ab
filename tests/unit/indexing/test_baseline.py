"""NLM's baseline and update files: small ones, written here. Expected values: what these files say."""

import gzip
import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_index_medqa import PubMedIndex, TokenNodeParser
from llama_index_medqa.errors import IndexNotFoundError, InputError
from llama_index_medqa.indexing.baseline import apply_baseline, begin_baseline, plan_baseline
from llama_index_medqa.indexing.baseline_files import _ranges, plan_files
from llama_index_medqa.indexing.copying import copy_index
from llama_index_medqa.indexing.identity import stored_baseline
from llama_index_medqa.testing import HashEmbedding
from llama_index_medqa.vector_store.addresses import open_store


def record(pmid: int, title: str, day: str = "2025-11-02") -> str:
    year, month, date = day.split("-")
    return (
        f"<PubmedArticle><MedlineCitation><PMID Version='1'>{pmid}</PMID><DateRevised><Year>{year}</Year><Month>{month}"
        f"</Month><Day>{date}</Day></DateRevised><Article><ArticleTitle>{title}</ArticleTitle><Abstract><AbstractText>"
        f"Text of {title}</AbstractText></Abstract></Article></MedlineCitation></PubmedArticle>"
    )


def write(folder, number: int, content: str, *, year: int = 26):
    """Writes a file and its checksum, as NLM does."""
    folder.mkdir(exist_ok=True, parents=True)
    path = folder / f"pubmed{year}n{number:04}.xml.gz"
    path.write_bytes(gzip.compress(f"<PubmedArticleSet>{content}</PubmedArticleSet>".encode()))
    checksum = hashlib.md5(path.read_bytes()).hexdigest()
    path.with_name(f"{path.name}.md5").write_text(f"MD5({path.name})= {checksum}\n")
    return path


@pytest.fixture
def mirror(tmp_path):
    folder = tmp_path / "mirror"
    write(folder / "baseline", 1, record(1, "One.") + record(2, "Two."))
    write(folder / "baseline", 2, record(3, "Three."))
    gone = "<DeleteCitation><PMID Version='1'>2</PMID></DeleteCitation>"
    write(folder / "updatefiles", 3, record(1, "One, revised.", "2025-12-20") + gone)
    return folder


@pytest.fixture
def run(tmp_path, word_piece):
    """Applies a folder to an index, as the command does."""

    def run(mirror, place=tmp_path / "index"):
        plan, _ = plan_baseline(mirror, str(place))
        begin_baseline(open_store(place), plan)
        return apply_baseline(opened(place, word_piece, create=True), plan)

    return run


def opened(place, tokenizer, *, create=False):
    parser = TokenNodeParser(tokenizer=tokenizer, chunk_size=48, chunk_overlap=12)
    return PubMedIndex.open(str(place), embed_model=HashEmbedding(dimension=8), node_parser=parser, create=create)


def texts(place) -> dict[str, str]:
    return {row.node_id: row.text for page in open_store(place, create=False).pages() for row in page}


def test_files_are_applied_in_order_with_deletions(tmp_path, mirror, run, word_piece):
    report = run(mirror)
    assert (report.year, report.applied, report.last, report.older) == (2026, 3, 3, ())
    assert (report.ingested.added, report.ingested.updated, report.ingested.deleted) == (3, 1, 1)
    found = texts(tmp_path / "index")
    assert sorted(found) == ["PMID:1#0", "PMID:3#0"]
    assert found["PMID:1#0"].startswith("One, revised.")
    index = opened(tmp_path / "index", word_piece)
    assert index.as_of.isoformat() == "2025-12-20"
    assert index.info().baseline == "files 1 to 3 of 2026"


def test_the_next_run_applies_only_what_is_new(tmp_path, mirror, run, word_piece):
    run(mirror)
    assert run(mirror).applied == 0
    write(mirror / "updatefiles", 4, record(4, "Four.", "2025-12-21"))
    report = run(mirror)
    assert (report.applied, report.last, report.ingested.added) == (1, 4, 1)
    assert opened(tmp_path / "index", word_piece).as_of.isoformat() == "2025-12-21"
    plan, state = plan_baseline(mirror, str(tmp_path / "index"))
    assert (plan.files, plan.done, state.last, state.is_whole) == ((), 4, 4, True)


def test_a_run_that_was_stopped_says_so_and_goes_on(tmp_path, mirror, run, word_piece, caplog):
    damaged = mirror / "baseline" / "pubmed26n0002.xml.gz"
    sound = damaged.read_bytes()
    damaged.write_bytes(sound[:-1] + b"x")
    with pytest.raises(InputError, match=r"pubmed26n0002\.xml\.gz is damaged: its MD5 is"):
        run(mirror)
    assert sorted(texts(tmp_path / "index")) == ["PMID:1#0", "PMID:2#0"]
    assert opened(tmp_path / "index", word_piece).info().baseline == "files 1 to 1 of 2026; the run to 3 was stopped"
    assert "does not hold all of PubMed's files" in caplog.text
    damaged.write_bytes(sound)
    assert run(mirror).applied == 2
    assert sorted(texts(tmp_path / "index")) == ["PMID:1#0", "PMID:3#0"]


def test_a_first_run_that_wrote_nothing_leaves_no_index_that_looks_whole(tmp_path, mirror, run, word_piece):
    first = mirror / "baseline" / "pubmed26n0001.xml.gz"
    sound = first.read_bytes()
    first.write_bytes(b"")
    with pytest.raises(InputError, match="is damaged"):
        run(mirror)
    with pytest.raises(IndexNotFoundError, match="holds nothing yet: `medqa baseline` was stopped"):
        opened(tmp_path / "index", word_piece)
    first.write_bytes(sound)
    run(mirror)
    assert opened(tmp_path / "index", word_piece).info().documents == 2


def test_a_kill_within_a_file_is_made_good(tmp_path, mirror, run, word_piece, monkeypatch):
    write_rows = type(open_store(tmp_path / "other")).write_rows

    def stopping(self, rows):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(type(open_store(tmp_path / "other")), "write_rows", stopping)
        with pytest.raises(KeyboardInterrupt):
            run(mirror)
    assert type(open_store(tmp_path / "other")).write_rows is write_rows
    assert run(mirror).applied == 3
    run(mirror, tmp_path / "calm")
    assert texts(tmp_path / "index") == texts(tmp_path / "calm")


def test_files_of_older_years_are_told(tmp_path, mirror, run):
    older = write(mirror / "old", 7, record(9, "Nine."), year=25)
    report = run(mirror)
    assert (report.applied, report.older) == (3, (older.name,))
    assert "PMID:9#0" not in texts(tmp_path / "index")
    with pytest.raises(InputError, match=r"files of 2025 and before \(pubmed25n0007\.xml\.gz\).* those of 2026"):
        run(older.parent)


def test_a_new_year_begins_anew(tmp_path, mirror, run):
    run(mirror)
    write(mirror / "next", 1, record(1, "One, of the next year.", "2026-11-30"), year=27)
    plan, _ = plan_baseline(mirror, str(tmp_path / "index"))
    assert (plan.year, plan.replaces_year, plan.done, len(plan.files), len(plan.older)) == (2027, 2026, 0, 1, 3)
    assert run(mirror).last == 1
    assert texts(tmp_path / "index")["PMID:1#0"].startswith("One, of the next year.")


def test_what_cannot_be_applied_is_told(tmp_path, mirror):
    with pytest.raises(InputError, match="There is no folder"):
        plan_files(tmp_path / "missing")
    file = mirror / "baseline" / "pubmed26n0001.xml.gz"
    with pytest.raises(InputError, match=r"pubmed26n0001\.xml\.gz is a file: give the folder that holds it"):
        plan_files(file)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="holds no file of NLM's"):
        plan_files(tmp_path / "empty")
    checksum = mirror / "baseline" / "pubmed26n0002.xml.gz.md5"
    kept = checksum.read_text()
    checksum.unlink()
    with pytest.raises(InputError, match=r"lacks the checksum of 1 file \(pubmed26n0002\.xml\.gz\)"):
        plan_files(mirror)
    checksum.write_text(kept)
    for number in (6, 9):
        write(mirror, number, "")
    with pytest.raises(InputError, match=r"lacks 4 files before pubmed26n0009.* numbers 4 to 5, 7 to 8"):
        plan_files(mirror)
    with pytest.raises(InputError, match=r"lacks 1 file before pubmed26n0009.* with the number 8: "):
        plan_files(mirror, 2026, 7)
    for number in (6, 9):
        (mirror / f"pubmed26n{number:04}.xml.gz").unlink()
    write(mirror, 2, "")
    with pytest.raises(InputError, match="twice"):
        plan_files(mirror)


def test_a_copy_knows_the_files_too(tmp_path, mirror, run):
    run(mirror)
    source, target = open_store(tmp_path / "index"), open_store(tmp_path / "copy")
    copy_index(source, target)
    assert stored_baseline(target) == stored_baseline(source)
    assert stored_baseline(target).last == 3


def test_an_index_of_other_records_keeps_its_earlier_day(tmp_path, mirror, run, word_piece, documents):
    index = opened(tmp_path / "index", word_piece, create=True)
    index.ingest(documents)
    index.store.note_source_day("2020-01-01")
    run(mirror)
    assert opened(tmp_path / "index", word_piece).as_of.isoformat() == "2020-01-01"


@given(st.sets(st.integers(0, 60), max_size=12))
def test_ranges_name_each_number_once(numbers):
    told = _ranges(sorted(numbers))
    if "…" in told:
        return
    found = []
    for part in told.split(", ") if told else []:
        first, _, last = part.partition(" to ")
        found.extend(range(int(first), int(last or first) + 1))
    assert found == sorted(numbers)


def test_the_command(tmp_path, mirror, medqa, tiny_model):
    place = tmp_path / "index"
    code, out, _ = medqa("baseline", mirror, "--index", place, "--dry-run")
    assert (code, place.exists()) == (0, False)
    assert "3 files of 2026 to apply, pubmed26n0001.xml.gz to pubmed26n0003.xml.gz" in out
    options = ["--embedder", tiny_model, "--chunk-size", "48", "--chunk-overlap", "12"]
    write(mirror / "old", 7, record(9, "Nine."), year=25)
    code, out, error = medqa("baseline", mirror, "--index", place, *options)
    assert code == 0, error
    assert "Not applied: 1 file of years before 2026, pubmed25n0007.xml.gz." in out
    assert "The index holds files 1 to 3 of 2026." in out
    code, out, _ = medqa("info", "--index", place, "--json")
    assert json.loads(out)["baseline"] == "files 1 to 3 of 2026"
    code, out, _ = medqa("baseline", mirror, "--index", place, "--json")
    assert (code, json.loads(out)["files"], json.loads(out)["done_before"]) == (0, [], 3)
    code, _, error = medqa("baseline", mirror / "old", "--index", place)
    assert code == 1
    assert "those of 2026, which are newer: nothing was applied" in error
