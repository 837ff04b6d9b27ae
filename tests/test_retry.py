"""``--retry``: reports that a limit, a crash or an error set aside are taken through the steps again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from bad_pdfs import good
from finlmm_parsers.pdfium import PdfiumParser

from finlmm_core.cli.console import print_summary
from finlmm_core.config import load_config
from finlmm_core.errors import DocumentError
from finlmm_core.plugins.manager import Plugins
from finlmm_core.steps.plan import MAY_PASS
from finlmm_core.steps.runner import RunSummary, run_steps

PARSE = PdfiumParser.parse


@pytest.fixture
def reports(tmp_path: Path) -> Path:
    folder = tmp_path / "reports"
    folder.mkdir()
    for name in ("a", "b", "c"):
        (folder / f"{name}.pdf").write_bytes(good() + name.encode())
    (folder / "broken.pdf").write_bytes(b"no report")
    return folder


def run(reports: Path, out: Path, last: str = "align", **options: Any) -> RunSummary:
    plugins = Plugins.load()
    given = {"reports": str(reports), "out": str(out), "engine": {"name": "serial"}, "parse": {"ocr": "none"}}
    return run_steps(load_config([], [], given, plugins), plugins, last=last, **options)


def files(out: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(out)): path.read_bytes()
        for path in sorted(out.rglob("*"))
        if path.is_file() and path.name not in (".lock", "timings.jsonl")
    }


@pytest.mark.parametrize("reason", sorted(MAY_PASS))
def test_what_may_pass_is_tried_again_only_when_asked_and_ends_as_if_nothing_had_been(
    reason: str, reports: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def troubled(self: PdfiumParser, pdf: Path, *rest: Any) -> Any:
        asked.append(pdf.name)
        if pdf.name == "b.pdf":
            raise DocumentError(reason, "the machine was busy")
        return PARSE(self, pdf, *rest)

    monkeypatch.setattr(PdfiumParser, "parse", troubled)
    first = run(reports, tmp_path / "run")
    assert {report: why for report, why, _ in first.set_aside} == {"b.pdf": reason, "broken.pdf": "not_a_pdf"}
    assert first.may_pass == ("b.pdf",)
    monkeypatch.setattr(PdfiumParser, "parse", PARSE)
    before = files(tmp_path / "run")
    again = run(reports, tmp_path / "run")
    assert again.may_pass == ("b.pdf",) and again.steps["parse"].worked_on == 0
    assert files(tmp_path / "run") == before, "without --retry nothing changes"
    monkeypatch.setattr(PdfiumParser, "parse", troubled)
    asked.clear()
    assert run(reports, tmp_path / "run", retry=True).may_pass == ("b.pdf",)
    assert asked == ["b.pdf"], "the others are kept, and so is what is broken in any case"
    assert files(tmp_path / "run") == before
    monkeypatch.setattr(PdfiumParser, "parse", PARSE)
    last = run(reports, tmp_path / "run", retry=True)
    assert last.may_pass == () and last.steps["parse"].worked_on == 1 and last.steps["align"].worked_on == 1
    run(reports, tmp_path / "whole")
    assert files(tmp_path / "run") == files(tmp_path / "whole")


def test_a_later_step_is_tried_again_without_the_ones_before_it(
    reports: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from finlmm_core.steps.document_steps import GenerateStep

    generate = GenerateStep.run

    def troubled(self: GenerateStep, context: Any) -> Any:
        if context.source.relative == "c.pdf":
            raise RuntimeError("no luck")
        return generate(self, context)

    monkeypatch.setattr(GenerateStep, "run", troubled)
    first = run(reports, tmp_path / "run")
    assert first.may_pass == ("c.pdf",) and first.set_aside[-1][1] == "error"
    monkeypatch.setattr(GenerateStep, "run", generate)
    again = run(reports, tmp_path / "run", retry=True)
    assert again.may_pass == ()
    assert {name: step.worked_on for name, step in again.steps.items()} == {"parse": 0, "generate": 1, "align": 1}


def test_the_summary_says_how_many_and_how_to_try_again(
    reports: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def troubled(self: PdfiumParser, pdf: Path, *rest: Any) -> Any:
        raise DocumentError("time_limit", "took longer than 1 second\nand more")

    monkeypatch.setattr(PdfiumParser, "parse", troubled)
    print_summary(run(reports, tmp_path / "run", "parse"))
    told = " ".join(capsys.readouterr().out.split())
    assert "4 reports were set aside" in told
    assert "4 of them were set aside for a reason that may pass: the same command with --retry tries again" in told
