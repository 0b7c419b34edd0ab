"""Are questions in six other languages recognised, and are they answered?

    python -m benchmarks.answering.languages ask --index FOLDER --work FOLDER [--limit N]
    python -m benchmarks.answering.languages report --index FOLDER --work FOLDER [--data DATA]

The questions are ``tests/unit/text/foreign_questions.jsonl``: those of the part ``choosing`` were looked at when the
thresholds of ``text.language`` were chosen, those of the part ``reporting`` were not. In each of the six languages the
ten of the second part are the same ten, about records of the index that ``medqa demo`` builds (FOLDER of ``--index``).

``ask`` puts them to the engine as ``medqa ask`` does, with the profile ``embedded``: the first question in every
language, then the second, and so on. Answers are kept in FOLDER of ``--work`` as they come; the same command goes on.
``report`` writes ``results/languages.json`` and ``languages.md``: how many questions were recognised, and how many
English ones (PubMedQA's and BioASQ's ``training`` and ``calibration``) taken for another language; at which rank the
search found the record that a question was written about, asked in English by hand, by the model's translation, as it
was asked, and by English and original at once; and every answer, with what a reader said of it (``reading.json`` in
the folder of ``--work``, by language and question).
"""

import argparse
import json
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from llama_index.core.schema import QueryBundle

from benchmarks.common.data_folder import add_data_option, require_data
from benchmarks.common.provenance import RESULTS, ROOT, provenance, write_results
from llama_index_medqa.components import open_drafter, open_embedder, open_engine, open_index, start_answer
from llama_index_medqa.profiles import EMBEDDED
from llama_index_medqa.retrieval.retriever import PubMedRetriever
from llama_index_medqa.text.language import foreign_language

QUESTIONS = ROOT / "tests" / "unit" / "text" / "foreign_questions.jsonl"
SIX = ("Chinese", "French", "German", "Japanese", "Portuguese", "Spanish")
# The records that the ten questions were written about.
WRITTEN_ABOUT = {
    "Does cardiorespiratory fitness predict cardiovascular mortality?": "Cardiorespiratory Fitness Is an Independent",
    "Does catheter ablation help patients with atrial fibrillation and heart failure?": "Impact of catheter ablation",
    "Does caffeine affect heart rate recovery after exercise?": "Caffeine slows heart rate",
    "Can hydroxychloroquine damage the heart?": "Cardiac Complications Attributed to Hydroxychloroquine",
    "Is handgrip strength linked to the risk of heart failure?": "Inverse Association of Handgrip",
    "Does noise at work increase the risk of high blood pressure?": "The effect of occupational exposure to noise",
    "Is varenicline safe for the heart compared with nicotine patches?": "Risk of neuropsychiatric and cardiovascular",
    "Is spironolactone safe in patients with heart failure and chronic kidney disease?": "Evaluation of the safety and",
    "Does liraglutide protect the heart in diabetes?": "The GLP-1 Receptor Agonist Liraglutide",
    "How often is atrial fibrillation found after a stroke of unknown cause?": "Atrial Fibrillation in Patients with E",
}
NOT_FOUND = 100


def questions(part: str | None = None) -> list[dict[str, str]]:
    """Return the questions of a part, or all."""
    rows = [json.loads(line) for line in filter(None, QUESTIONS.read_text(encoding="utf-8").split("\n"))]
    return [row for row in rows if part in (None, row["part"])]


def ask(index_folder: str, work: Path, limit: int | None) -> None:
    """Ask the engine the ``reporting`` questions, and keep the answers."""
    kept = answers(work)
    asked = [row for row in questions("reporting") if row["language"] in SIX]
    order = sorted(asked, key=lambda row: list(WRITTEN_ABOUT).index(row["english"]))
    left = [row for row in order if row["question"] not in kept][:limit]
    index = open_index(EMBEDDED, index_folder, open_embedder(EMBEDDED))
    with open_drafter(EMBEDDED) as drafter, (work / "answers.jsonl").open("a", encoding="utf-8") as file:
        engine = open_engine(EMBEDDED, index, drafter)
        for row in left:
            start = time.perf_counter()
            response = start_answer(engine, row["question"]).get_response()
            told = {
                name: (response.metadata or {})[name] for name in ("outcome", "abstained", "translation", "seconds")
            }
            line = {**row, "answer": response.response, "draft": response.draft, **told}
            line["whole_seconds"] = round(time.perf_counter() - start, 1)
            file.write(json.dumps(line, ensure_ascii=False) + "\n")
            file.flush()
            print(row["language"], row["question"], response.outcome, line["whole_seconds"], flush=True)


def answers(work: Path) -> dict[str, dict[str, Any]]:
    """Return the answers that are kept, by question."""
    path = work / "answers.jsonl"
    lines = filter(None, path.read_text(encoding="utf-8").split("\n")) if path.exists() else []
    return {row["question"]: row for row in map(json.loads, lines)}


def recognition() -> dict[str, dict[str, str]]:
    """Return the recognised questions, by part and language."""
    counts: dict[str, dict[str, list[bool]]] = defaultdict(lambda: defaultdict(list))
    for row in questions():
        counts[row["part"]][row["language"]].append(foreign_language(row["question"]) == row["language"])
    return {
        part: {language: f"{sum(right)} of {len(right)}" for language, right in sorted(by_language.items())}
        for part, by_language in counts.items()
    }


def english_taken_for_foreign(data: Path) -> dict[str, dict[str, int]]:
    """Return the English questions taken for another language.

    By part of the split; ``final`` is not looked at.
    """
    split = json.loads((data / "qa/split.json").read_text())
    found = {}
    for part in ("training", "calibration"):
        asked = list(_english(data, split, part))
        found[part] = {"questions": len(asked), "taken": sum(foreign_language(text) is not None for text in asked)}
    return found


def _english(data: Path, split: Mapping[str, Any], part: str) -> Iterator[str]:
    for name, file, key in (
        ("PubMedQA", "qa/pubmedqa_dev.jsonl", "pmid"),
        ("BioASQ", "qa/bioasq/questions.jsonl", "id"),
    ):
        wanted = set(split[name][part])
        # Texts hold line separators at which splitlines() would cut.
        for row in map(json.loads, filter(None, (data / file).read_text(encoding="utf-8").split("\n"))):
            if row[key] in wanted:
                yield row["question"]


def ranks(index_folder: str, work: Path) -> list[dict[str, Any]]:
    """Return the rank of each question's own record, by search text.

    Kept from run to run.
    """
    path, kept = work / "ranks.json", answers(work)
    known = {row["question"]: row["ranks"] for row in json.loads(path.read_text())} if path.exists() else {}
    index = open_index(EMBEDDED, index_folder, open_embedder(EMBEDDED))
    hybrid = PubMedRetriever(index, similarity_top_k=EMBEDDED.similarity_top_k)
    dense = PubMedRetriever(index, mode="dense", similarity_top_k=EMBEDDED.similarity_top_k)
    rows = []
    for row in questions("reporting"):
        if row["language"] not in SIX:
            continue
        title, original, found = WRITTEN_ABOUT[row["english"]], row["question"], known.get(row["question"], {})
        searches = {
            "English by hand": (hybrid, _query(row["english"])),
            "as asked, by meaning alone": (dense, _query(original)),
            "English by hand with what was asked": (hybrid, _query(row["english"], original)),
        }
        translation = kept.get(original, {}).get("translation") or {"question": {"english": ""}}
        if english := translation["question"]["english"]:
            searches["the model's translation"] = (hybrid, _query(english))
            searches["the model's translation with what was asked"] = (hybrid, _query(english, original))
        for name, (retriever, query) in searches.items():
            if name not in found:
                found[name] = _rank(retriever, query, title)
        rows.append({"language": row["language"], "question": original, "ranks": found})
    path.write_text(json.dumps(rows, ensure_ascii=False), encoding="utf-8")
    return rows


def _query(english: str, original: str = "") -> QueryBundle:
    """Return a query with English words.

    Its vector is the mean of both languages where there are two.
    """
    return QueryBundle(english, custom_embedding_strs=[english, original] if original else None)


def _rank(retriever: PubMedRetriever, query: QueryBundle, title: str) -> int:
    titles = list(dict.fromkeys(str(item.node.metadata["title"]) for item in retriever.retrieve(query)))
    return next((rank for rank, found in enumerate(titles, start=1) if found.startswith(title)), NOT_FOUND)


def report(index_folder: str, work: Path, data: Path) -> None:
    """Write the results."""
    kept = answers(work)
    path = work / "reading.json"
    read = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    results = {
        "provenance": provenance([QUESTIONS], ["py3langid", "llama-index-core", "onnxruntime", "xllamacpp"]),
        "recognition": recognition(),
        "english": english_taken_for_foreign(data),
        "ranks": ranks(index_folder, work),
        "answers": [{**row, "read": read.get(question, "")} for question, row in kept.items()],
    }
    write_results("languages", results)
    (RESULTS / "languages.md").write_text(as_markdown(results), encoding="utf-8")


def as_markdown(results: Mapping[str, Any]) -> str:
    """Return the results for people."""
    made = results["provenance"]
    lines = [
        "# Questions in other languages",
        "",
        f"Made by `{made['command']}` on {made['date']}, commit {made['commit'][:7]}"
        f"{' with uncommitted changes' if made['uncommitted_changes'] else ''}; {made['processor']}; "
        f"{', '.join(f'{name} {version}' for name, version in made['versions'].items())}.",
        "",
        "## Recognition",
        "The thresholds were chosen on the part `choosing` and on the English `training` questions.",
        "",
        "| language | choosing | reporting |",
        "|---|---|---|",
    ]
    parts = results["recognition"]
    lines += [f"| {name} | {parts['choosing'].get(name, '')} | {parts['reporting'].get(name, '')} |" for name in SIX]
    others = sorted({*parts["choosing"], *parts["reporting"]} - set(SIX))
    lines += [
        f"| {name} (refused) | {parts['choosing'].get(name, '')} | {parts['reporting'].get(name, '')} |"
        for name in others
    ]
    english = results["english"]
    told = ", ".join(f"{english[part]['taken']} of {english[part]['questions']} ({part})" for part in english)
    lines += ["", f"English questions taken for another language: {told}.", "", *_rank_lines(results["ranks"])]
    return "\n".join([*lines, "", *_answer_lines(results["answers"])]) + "\n"


def _rank_lines(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    lines = [
        "## The search",
        "Of how many questions the record that they were written about comes first, or among the first three of 200 "
        "records; by words and by meaning (E5, its vector the mean where both are searched).",
        "",
        "| searched for | questions | first | first three | found |",
        "|---|--:|--:|--:|--:|",
    ]
    for name in dict.fromkeys(name for row in rows for name in row["ranks"]):
        found = [row["ranks"][name] for row in rows if name in row["ranks"]]
        counts = (sum(rank <= most for rank in found) for most in (1, 3, NOT_FOUND - 1))
        lines.append(f"| {name} | {len(found)} | {' | '.join(map(str, counts))} |")
    return lines


def _answer_lines(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    outcomes = Counter((row["language"], row["outcome"]) for row in rows)
    lines = [
        "## Answers of the embedded model",
        "| language | answer | findings | nothing found |",
        "|---|---|---|---|",
    ]
    for name in SIX:
        figures = [str(outcomes[name, kind]) for kind in ("answer", "findings", "nothing_found")]
        lines.append(f"| {name} | {' | '.join(figures)} |")
    for row in rows:
        translation = row["translation"]
        lines += [
            "",
            f"### {row['language']}: {row['question']}",
            f"Outcome: {row['outcome']}.",
        ]
        if translation:
            english = translation["question"]["english"] or translation["question"]["problem"]
            lines += [f"Searched for: {english}", ""]
            lines += [
                f"- {' '.join(item['english'].split())} {item['marks']}\n"
                f"  → {item['translation'] or '(' + item['problem'] + ')'}"
                for item in translation["sentences"]
            ]
        lines += ["", f"Read: {row['read'] or 'not read'}"]
    return lines


def main() -> None:
    """Ask, or reports."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=("ask", "report"))
    parser.add_argument("--index", required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--limit", type=int)
    add_data_option(parser)
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    if options.action == "ask":
        ask(options.index, options.work, options.limit)
    else:
        require_data(options.data)
        report(options.index, options.work, options.data)


if __name__ == "__main__":
    main()
