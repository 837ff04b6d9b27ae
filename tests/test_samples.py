"""The samples step on a small corpus with real images: balance, leaks, distractors, determinism, formats."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest
from sample_corpus import corpus, draw, report, shared_store

from finlmm_core.domain import Answer, Box, Evidence, QAPair, QuestionType
from finlmm_core.errors import FinlmmError
from finlmm_core.steps.samples import (
    DocumentRecord,
    Provenance,
    SamplesConfig,
    SamplesSummary,
    build_samples,
    read_rows,
    read_samples,
)
from finlmm_core.steps.sampling.config import SPLITS, TierShares
from finlmm_core.steps.sampling.fits import asked, why_it_fits
from finlmm_core.store.images import ImageStore

PROVENANCE = Provenance(finlmm="0.0", plugins={"parse pdfium": "version 1", "align ocr": "version 2"})


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, SamplesSummary, list[DocumentRecord]]:
    folder = tmp_path_factory.mktemp("samples")
    store = shared_store()
    records = corpus()
    summary = build_samples(records, store, SamplesConfig(), 7, folder / "samples", PROVENANCE)
    return folder, summary, records


def rows(folder: Path, kind: str) -> Iterator[dict]:
    for split in SPLITS:
        yield from read_rows(folder / "samples", kind, split)  # type: ignore[arg-type]


def digests(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_load_dataset_opens_both_kinds_with_images(made, tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    folder, summary, _ = made
    files = {split: str(folder / f"samples/contrastive/{split}-*.parquet") for split in SPLITS}
    loaded = datasets.load_dataset("parquet", data_files=files, cache_dir=str(tmp_path))
    assert {split: len(loaded[split]) for split in loaded} == summary.contrastive
    first = loaded["train"][0]
    assert isinstance(loaded["train"].features["images"].feature, datasets.Image)
    gold = first["images"][first["gold_image"]]
    assert gold.size == (
        first["figures"][first["gold_image"]]["width"],
        first["figures"][first["gold_image"]]["height"],
    )
    assert first["figures"][first["gold_image"]]["tier"] == "gold"
    by_card = datasets.load_dataset(str(folder / "samples"), "text", cache_dir=str(tmp_path))
    assert {split: len(by_card[split]) for split in by_card} == summary.text
    assert by_card["train"][0]["context"]


def test_read_samples_gives_domain_objects_and_images(made, tmp_path: Path) -> None:
    folder, summary, _ = made
    elsewhere = ImageStore(tmp_path / "copy")
    samples = list(read_samples(folder / "samples", "contrastive", "train", elsewhere))
    assert len(samples) == summary.contrastive["train"]
    for sample in samples[:5]:
        assert sample.options[sample.answer.option] == sample.answer.text
        assert len(sample.gold_images) == 1
        assert elsewhere.open(sample.images[sample.gold_images[0]]).mode == "RGB"
    texts = list(read_samples(folder / "samples", "text", "test"))
    assert texts
    assert all(sample.context and not sample.images for sample in texts)


def test_a_folder_that_holds_no_samples_is_named(tmp_path: Path) -> None:
    with pytest.raises(FinlmmError, match="not a folder of samples"):
        list(read_samples(tmp_path, "text", "train"))


def test_right_letters_and_places_are_dealt_evenly(made) -> None:
    folder, _, _ = made
    for kind in ("text", "contrastive"):
        for split in SPLITS:
            found = [row for row in rows(folder, kind) if row["split"] == split]
            for name in {row["type"] for row in found}:
                letters = Counter(row["answer_letter"] for row in found if row["type"] == name)
                assert set(letters) == set("ABCD")
                assert max(letters.values()) - min(letters.values()) <= 1
    for split in SPLITS:
        places = Counter(row["gold_image"] for row in rows(folder, "contrastive") if row["split"] == split)
        assert max(places.values()) - min(places.values()) <= 1


def test_the_answer_still_points_at_the_right_option(made) -> None:
    folder, _, records = made
    truth = {q.id: q for record in records for q in record.questions}
    for kind in ("text", "contrastive"):
        for row in rows(folder, kind):
            question = truth[row["qa_id"]]
            assert row["options"][row["answer_option"]] == question.options[question.answer.option]
            assert sorted(row["options"]) == sorted(question.options)


def test_the_right_image_is_the_aligned_figure(made) -> None:
    folder, _, records = made
    truth = {a.qa_id: a.figure_id for record in records for a in record.alignments}
    for row in rows(folder, "contrastive"):
        assert row["figures"][row["gold_image"]]["figure_id"] == truth[row["qa_id"]]
        assert [f["sha256"] for f in row["figures"]] == [
            hashlib.sha256(image["bytes"]).hexdigest() for image in row["images"]
        ]


def test_no_company_figure_question_or_image_is_in_two_splits(made) -> None:
    folder, _, _ = made
    where: dict[str, set[str]] = defaultdict(set)
    for kind in ("text", "contrastive"):
        for row in rows(folder, kind):
            where["company " + row["company"]].add(row["split"])
            printed = " ".join(e["text"] for e in row["evidence"])
            where[f"question {row['question']} {row['answer_text']} {printed}"].add(row["split"])
            for figure in row.get("figures", []):
                where["image " + figure["sha256"]].add(row["split"])
            if row["context"]:
                where["context " + row["context"]].add(row["split"])
    assert {name: splits for name, splits in where.items() if len(splits) > 1} == {}


def test_all_tiers_are_used_and_told_truly(made) -> None:
    folder, summary, records = made
    assert set(summary.tiers) == {"random", "same_report", "same_company", "nearest"}
    meta = {r.document.id: r.document.meta for r in records}
    for row in rows(folder, "contrastive"):
        assert len({f["sha256"] for f in row["figures"]}) == len(row["figures"]) == 4
        for figure in row["figures"]:
            there, here = meta[figure["document_id"]], meta[row["document_id"]]
            if figure["tier"] == "same_report":
                assert figure["document_id"] == row["document_id"]
            elif figure["tier"] == "same_company":
                assert there.company == here.company
                assert there.year != here.year
            elif figure["tier"] == "random":
                assert there.company != here.company


def test_no_wrong_image_answers_the_question(made) -> None:
    folder, summary, records = made
    texts = {f.id: f"{f.caption}\n{f.text}" for r in records for f in r.document.figures}
    questions = {q.id: q for r in records for q in r.questions}
    for row in rows(folder, "contrastive"):
        for place, figure in enumerate(row["figures"]):
            reason = why_it_fits(asked(questions[row["qa_id"]]), texts[figure["figure_id"]])
            assert (reason is None) == (place != row["gold_image"])
    # other companies' tables of the same year with the same rows are refused, and counted
    assert summary.refused_distractors["fits_the_question"] > 0


def test_the_same_input_gives_the_same_bytes_in_another_process(made, tmp_path: Path) -> None:
    folder, _, _ = made
    script = (
        "import sys; from pathlib import Path; sys.path.insert(0, sys.argv[1]);"
        "from sample_corpus import corpus, shared_store; from test_samples import PROVENANCE;"
        "from finlmm_core.steps.samples import build_samples, SamplesConfig;"
        "out = Path(sys.argv[2]); store = shared_store();"
        "build_samples(corpus(), store, SamplesConfig(), 7, out / 'samples', PROVENANCE)"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "12345"}
    subprocess.run(
        [sys.executable, "-c", script, str(Path(__file__).parent), str(tmp_path)], check=True, env=environment
    )
    assert digests(tmp_path / "samples") == digests(folder / "samples")


def test_another_seed_gives_other_samples(made, tmp_path: Path) -> None:
    folder, _, records = made
    build_samples(records, shared_store(), SamplesConfig(), 8, tmp_path / "samples", PROVENANCE)
    assert digests(tmp_path / "samples") != digests(folder / "samples")


def test_a_failed_step_leaves_the_folder_as_it_was(made, tmp_path: Path) -> None:
    _, _, records = made
    kept = tmp_path / "samples"
    store = shared_store()
    small = corpus(companies=3)
    build_samples(small, store, SamplesConfig(), 0, kept, PROVENANCE)
    (kept / "options.json").write_text("{}")
    before = digests(kept)
    with pytest.raises(FinlmmError, match="not in the store"):
        build_samples(records, ImageStore(tmp_path / "empty"), SamplesConfig(), 0, kept, PROVENANCE)
    assert digests(kept) == before
    assert [path.name for path in tmp_path.iterdir() if "writing" in path.name] == []
    build_samples(small, store, SamplesConfig(), 0, kept, PROVENANCE)
    assert digests(kept) == before


def test_shards_are_cut_at_their_rows(tmp_path: Path) -> None:
    store = shared_store()
    config = SamplesConfig(rows_per_shard=20, rows_per_group=8)
    summary = build_samples(corpus(), store, config, 0, tmp_path / "samples", PROVENANCE)
    names = summary.files["contrastive"]["train"]
    assert len(names) == -(-summary.contrastive["train"] // 20)
    assert names[0] == f"train-00000-of-{len(names):05d}.parquet"
    ids = [row["id"] for row in read_rows(tmp_path / "samples", "contrastive", "train", ["id"])]
    assert len(ids) == len(set(ids)) == summary.contrastive["train"]


def test_every_pair_can_be_traced(made) -> None:
    folder, _, records = made
    documents = {r.document.id: r.document for r in records}
    row = next(rows(folder, "contrastive"))
    document = documents[row["document_id"]]
    assert row["report"] == document.source
    assert json.loads(row["plugins"]) == PROVENANCE.plugins
    assert row["program"] == "(a - b) / b * 100"
    assert [e["name"] for e in row["evidence"]] == ["a", "b"]
    assert {s["name"] for s in row["alignment_signals"]} == {"retrieval", "ocr", "ocr.numbers"}
    for figure in row["figures"]:
        source = documents[figure["document_id"]].figure(figure["figure_id"])
        assert (figure["page"], tuple(figure["box"])) == (source.page, tuple(source.box))


# ---------------------------------------------------------------------------------------------- what is dropped


def built(records: list[DocumentRecord], folder: Path, **options: object) -> tuple[SamplesSummary, dict[str, str]]:
    """Return the summary and question id -> reason."""
    store = shared_store()
    summary = build_samples(records, store, SamplesConfig(**options), 0, folder / "samples", PROVENANCE)  # type: ignore[arg-type]
    lines = (folder / "samples/rejected.jsonl").read_text().splitlines()
    return summary, {item["item_id"]: item["reason"] for item in map(json.loads, lines)}


def changed(base: QAPair, **values: object) -> QAPair:
    return base.model_copy(update=values)


def test_duplicates_are_dropped_with_their_reason(tmp_path: Path) -> None:
    records = corpus(companies=4)
    first = records[0]
    question = first.questions[0]
    extra = [
        changed(question, id="copy", question=question.question.upper().replace("?", " ?")),
        changed(question, id="reworded", question="What was the growth of net revenue over 2019, in 2020?"),
        changed(question, id="alike", question="Which?", options=("5%", "5 %", "1%", "2%")),
        changed(question, id="astray", question="Which one?", answer=Answer(text="x", option=9)),
        changed(question, id="bare", question="And the cost?", program="a", context=""),
        changed(question, id="other", question="And the revenue?", program="b", context="nothing of it"),
    ]
    records[0] = dataclasses.replace(first, questions=[*first.questions, *extra])
    _, reasons = built(records, tmp_path)
    assert reasons["copy"] == "duplicate_question"
    assert reasons["reworded"] == "same_program_and_cells"
    assert reasons["alike"] == "options_alike"
    assert reasons["astray"] == "answer_not_an_option"
    assert reasons["bare"] == "text_no_context"
    assert reasons["other"] == "text_context_lacks_evidence"


def test_of_duplicates_the_aligned_one_is_kept(tmp_path: Path) -> None:
    records = corpus(companies=3)
    first = records[0]
    unaligned = changed(first.questions[0], id="unaligned")
    records[0] = dataclasses.replace(first, questions=[unaligned, *first.questions])
    _, reasons = built(records, tmp_path)
    assert reasons == {"unaligned": "duplicate_question"}


def knowledge(record: DocumentRecord, name: str) -> QAPair:
    return QAPair(
        id=f"{name}-{record.document.id[:8]}",
        document_id=record.document.id,
        type=QuestionType.FINANCIAL_KNOWLEDGE,
        language="en",
        question="What does a valuation allowance do?",
        options=("reduces deferred tax assets", "raises revenue", "pays dividends", "hedges currency"),
        answer=Answer(text="reduces deferred tax assets", option=0),
        evidence=(Evidence(name="term", text="valuation allowance", labels=("valuation allowance",), page=6),),
        context=f"Valuation allowance: see page 6 of {record.document.source}.",
        generator="passages",
    )


def test_a_glossary_question_stays_in_one_split_and_comes_back_only_so_often(tmp_path: Path) -> None:
    records = [dataclasses.replace(r, questions=[*r.questions, knowledge(r, "allowance")]) for r in corpus()]
    summary, reasons = built(records, tmp_path, max_repeats=2)
    kept = [row for row in rows(tmp_path, "text") if row["type"] == "financial_knowledge"]
    assert len({row["split"] for row in kept}) == 1
    assert len({row["company"] for row in kept}) == len(kept) <= 2
    dropped = [reason for item, reason in reasons.items() if item.startswith("allowance")]
    assert len(dropped) == len(records) - len(kept)
    assert set(dropped) <= {"duplicate_question", "repeated_in_other_reports", "question_in_other_split"}
    assert summary.rejections["question_in_other_split"] >= 2


def test_a_figure_reprinted_in_another_company_s_report_is_used_in_one_split(tmp_path: Path) -> None:
    records = corpus()
    shared = records[0].document.figures[0]
    text = shared.text + " reprinted"  # a near-duplicate, not a copy
    for number in range(2, len(records), 2):
        document = records[number].document
        figure = shared.model_copy(update={"id": f"reprint-{number}", "text": text})
        records[number] = dataclasses.replace(
            records[number], document=document.model_copy(update={"figures": (*document.figures, figure)})
        )
    built(records, tmp_path)
    splits: dict[str, set[str]] = defaultdict(set)
    for row in rows(tmp_path, "contrastive"):
        for figure in row["figures"]:
            if figure["figure_id"] == shared.id or figure["figure_id"].startswith("reprint"):
                splits[shared.id].add(row["split"])
        assert sum(f["caption"] == shared.caption and f["sha256"] == shared.image.sha256 for f in row["figures"]) <= 1
    assert len(splits[shared.id]) <= 1


def test_caps_hold_and_cut_what_there_is_most_of(tmp_path: Path) -> None:
    summary, _ = built(corpus(), tmp_path, max_per_document=6, max_per_figure=2, max_text_per_document=5)
    per_report = Counter(row["report"] for row in rows(tmp_path, "contrastive"))
    per_figure = Counter(row["figures"][row["gold_image"]]["figure_id"] for row in rows(tmp_path, "contrastive"))
    assert set(per_report.values()) == {6}
    assert max(per_figure.values()) <= 2
    assert set(Counter(row["report"] for row in rows(tmp_path, "text")).values()) == {5}
    # the corpus has twice as many arithmetic questions; the cap is dealt out in turn
    types = summary.types["contrastive"]
    assert abs(types["arithmetic_reasoning"] - types["statistics_reasoning"]) <= 6


def test_no_type_is_more_than_its_share(tmp_path: Path) -> None:
    summary, _ = built(corpus(), tmp_path, max_type_share=0.5)
    assert summary.types["text"]["arithmetic_reasoning"] <= summary.types["text"]["statistics_reasoning"]
    assert summary.rejections["text_over_type_share"] > 0


def test_text_only_samples_can_be_kept_apart_from_contrastive_ones(tmp_path: Path) -> None:
    records = corpus(companies=4)
    records[0] = dataclasses.replace(records[0], alignments=records[0].alignments[:3])
    built(records, tmp_path, text_from="not_aligned")
    questions = {kind: {row["qa_id"] for row in rows(tmp_path, kind)} for kind in ("text", "contrastive")}
    assert len(questions["text"]) == 15
    assert not questions["text"] & questions["contrastive"]


def test_wrong_images_are_in_the_language_of_the_right_one(tmp_path: Path) -> None:
    records = corpus()
    for number in range(0, len(records), 3):
        document = records[number].document
        meta = document.meta.model_copy(update={"language": "zh"})
        records[number] = dataclasses.replace(records[number], document=document.model_copy(update={"meta": meta}))
    built(records, tmp_path)
    language = {r.document.id: r.document.meta.language for r in records}
    for row in rows(tmp_path, "contrastive"):
        assert {language[f["document_id"]] for f in row["figures"]} == {language[row["document_id"]]}


def test_a_panel_of_the_right_figure_is_no_wrong_image(tmp_path: Path) -> None:
    store = shared_store()
    record = report(store, "Solo Inc.", 2021)
    document = record.document
    panels = tuple(
        f.model_copy(
            update={"id": f"panel-{f.id}", "box": Box(f.box.x0, f.box.y0, f.box.x0 + 200, f.box.y1), "text": "7"}
        )
        for f in document.figures
    )
    panels = tuple(p.model_copy(update={"image": store.put(draw([p.id], n))}) for n, p in enumerate(panels))
    document = document.model_copy(update={"figures": (*document.figures, *panels)})
    summary, _ = built([dataclasses.replace(record, document=document)], tmp_path)
    assert summary.refused_distractors["part_of_the_right_figure"] > 0
    used = 0
    for row in rows(tmp_path, "contrastive"):
        gold = row["figures"][row["gold_image"]]
        used += any(f["figure_id"].startswith("panel-") for f in row["figures"])
        assert f"panel-{gold['figure_id']}" not in [f["figure_id"] for f in row["figures"]]
    assert used > 0


def test_a_figure_of_the_company_that_says_nothing_is_no_wrong_image(tmp_path: Path) -> None:
    records = corpus()
    silent = set()
    for number, record in enumerate(records):
        mute = record.document.figures[-1].model_copy(
            update={
                "id": f"mute-{number}",
                "caption": "",
                "text": "",
                "page": 9,
                "image": shared_store().put(draw([str(number)] * (2 + number % 5), 13 * number)),
            }
        )
        silent.add(mute.id)
        document = record.document.model_copy(update={"figures": (*record.document.figures, mute)})
        records[number] = dataclasses.replace(record, document=document)
    summary, _ = built(records, tmp_path)
    assert summary.refused_distractors["says_nothing"] > 0
    for row in rows(tmp_path, "contrastive"):
        for figure in row["figures"]:
            assert figure["figure_id"] not in silent or figure["tier"] == "random"


def test_one_report_alone_gets_its_distractors_from_itself(tmp_path: Path) -> None:
    store = shared_store()
    summary, _ = built([report(store, "Solo Inc.", 2021)], tmp_path)
    assert summary.contrastive["train"] + summary.contrastive["validation"] + summary.contrastive["test"] == 18
    assert set(summary.tiers) <= {"same_report", "nearest"}


def test_a_report_with_too_few_figures_gives_no_contrastive_samples(tmp_path: Path) -> None:
    store = shared_store()
    summary, reasons = built([report(store, "Tiny Inc.", 2021, figures=2)], tmp_path)
    assert sum(summary.contrastive.values()) == 0
    assert set(reasons.values()) == {"too_few_distractors"}
    assert sum(summary.text.values()) == 6


def test_an_empty_corpus_gives_an_empty_folder_with_a_card(tmp_path: Path) -> None:
    summary, _ = built([], tmp_path)
    assert summary.samples == 0
    assert (tmp_path / "samples/README.md").read_text().startswith("---\n")


def test_a_corpus_that_can_be_read_once_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="twice"):
        build_samples(iter([]), shared_store(), SamplesConfig(), 0, tmp_path / "samples", PROVENANCE)


def test_wrong_options_are_refused() -> None:
    with pytest.raises(ValueError, match="min_distractors"):
        SamplesConfig(min_distractors=5, max_distractors=2)
    with pytest.raises(ValueError, match="share above 0"):
        TierShares(random=0, same_report=0, same_company=0, nearest=0)
    assert all(field.description for field in SamplesConfig.model_fields.values())


def test_the_card_tells_counts_sources_and_reasons(made) -> None:
    folder, summary, records = made
    card = (folder / "samples/README.md").read_text()
    assert "config_name: contrastive" in card
    assert "path: contrastive/train-*.parquet" in card
    for record in records:
        assert record.document.source in card
    for reason in summary.refused_distractors:
        assert reason in card
    assert "stay under the rights" in card
