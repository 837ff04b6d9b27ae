"""A build over a folder of bad files ends well: each is set aside with its reason, and the good ones are kept."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from bad_pdfs import BAD_PDFS, ENGINE_STOPS, report, write_bad_pdfs

from finlmm_core.steps.document_steps import DocumentContext
from finlmm_core.steps.sources import read_sources

FINLMM = str(Path(sys.executable).with_name("finlmm"))
#: Seconds and megabytes that a document may take in these tests; the files that need the limits would take forever.
LIMITS = ["--set", "engine.document_seconds=25", "--set", "engine.document_memory_mb=1500"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    reports = tmp_path_factory.mktemp("bad")
    write_bad_pdfs(reports)
    (reports / "zz_good.pdf").write_bytes(report())
    out = tmp_path_factory.mktemp("run") / "run"
    command = [FINLMM, "build", str(reports), "-o", str(out), "--json", "--workers", "2", *LIMITS]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    summary = json.loads(answer.stdout)
    (out / "summary.json").write_text(json.dumps(summary))
    return out


def outcomes(run: Path) -> dict[str, str]:
    """Return what became of each file: 'done' or the reason why it was set aside."""
    sources = read_sources(run)
    found = {item.item_id: item.reason for item in sources.rejected}
    for source in sources.files:
        store = DocumentContext(run, sources.root, source).store("parse")
        header = store.header(source.sha256)
        assert header is not None, f"{source.relative} is not accounted for"
        found[source.relative] = "done" if header.status == "done" else store.rejected(source.sha256)[0].reason
    return found


@pytest.mark.slow
def test_every_bad_file_is_accounted_for_with_its_reason(run: Path) -> None:
    found = outcomes(run)
    for name, bad in BAD_PDFS.items():
        assert found[f"{name}.pdf"] in (bad.reasons or ("done",)), name
    assert found["zz_good.pdf"] == "done"


@pytest.mark.slow
def test_what_only_a_limit_can_stop_is_stopped_by_one(run: Path) -> None:
    found = outcomes(run)
    # A C library that is refused memory ends its process.
    assert {found[f"{name}.pdf"] for name in ENGINE_STOPS} <= {"time_limit", "memory_limit", "crashed"}


@pytest.mark.slow
def test_the_summary_says_how_many_were_set_aside_and_memory_stayed_bounded(run: Path) -> None:
    summary = json.loads((run / "summary.json").read_text())
    bad = [name for name, reason in outcomes(run).items() if reason not in ("done", "duplicate_file")]
    assert summary["steps"]["parse"]["record"]["set_aside"] == len(bad)
    assert {report for report, _, _ in summary["set_aside"]} == set(bad)
    assert summary["peak_worker_mb"] < 1700
