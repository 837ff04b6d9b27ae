"""Text of reports and names of files are shown as text: in pages, in the dataset card, in a terminal."""

from __future__ import annotations

import dataclasses
import io
import json
from pathlib import Path
from typing import Any

import pytest
from audit_samples import rows, write
from markdown_it import MarkdownIt
from rich.console import Console
from sample_corpus import report, shared_store

from finlmm_core.audit.config import AuditConfig
from finlmm_core.audit.run import audit_folder
from finlmm_core.cli.console import BarProgress, PlainProgress, print_summary
from finlmm_core.domain import Rejected
from finlmm_core.escapes import visible_line, visible_text
from finlmm_core.steps.report import ReportConfig, ReportInput, ReportRecord, write_report
from finlmm_core.steps.runner import RunSummary
from finlmm_core.steps.samples import Provenance, SamplesConfig, build_samples

#: Each would do something where it were taken for HTML, Markdown, markup of rich, or orders to a terminal.
EVILS = (
    "<script>window.pwned=1</script>",
    "</script><script>window.pwned=2</script>",
    "<img src=x onerror=window.pwned=3>",
    "'\"><svg/onload=window.pwned=4>",
    "<a href='javascript:window.pwned=5'>a</a>",
    "[b](javascript:window.pwned=6) ![c](https://example.com/t.png) <https://example.com>",
    "`d` **e** | f \\| g | $h$ https://example.com www.example.com",
    "[red]i[/red] [link=https://example.com]j[/link]",
    "\x1b[31mk\x1b]8;;https://example.com\x07l\x9b2Jm\rn\x00\u202eo",
)
EVIL = " ".join(EVILS)


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Samples and the report page of two companies with evil names, questions, options, captions and files."""
    folder = tmp_path_factory.mktemp("evil")
    store = shared_store()
    records = []
    for number, company in enumerate((EVIL, "Birch plc")):
        record = report(store, company, 2020, figures=4)
        document = record.document.model_copy(
            update={
                "source": f"{EVIL}{number}.pdf",
                "figures": tuple(
                    f.model_copy(update={"caption": f"{EVIL} {f.caption}"}) for f in record.document.figures
                ),
            }
        )
        questions = [
            q.model_copy(
                update={"question": f"{EVIL} {q.question}", "options": (*q.options[:-1], EVIL), "context": EVIL}
            )
            for q in record.questions
        ]
        records.append(dataclasses.replace(record, document=document, questions=questions))
    provenance = Provenance(plugins={f"parse {EVIL}": EVIL})
    build_samples(records, store, SamplesConfig(), 0, folder / "samples", provenance)
    shown = [
        ReportRecord(
            source=r.document.source,
            document_id=r.document.id,
            document=r.document,
            questions=r.questions,
            alignments=r.alignments,
            rejected=[Rejected(step="align", item_id=r.questions[0].id, reason="ambiguous", detail=EVIL)],
        )
        for r in records
    ]
    shown.append(ReportRecord(source=EVIL, document_id="0" * 64, set_aside=(EVIL, EVIL)))
    data = ReportInput(
        name=EVIL,
        records=shown,
        images=store,
        samples=folder / "samples",
        config=ReportConfig(),
        rejected=[Rejected(step="sources", item_id=EVIL, reason="link_out_of_folder", detail=EVIL)],
        facts={EVIL: EVIL},
    )
    write_report(data, folder / "report" / "index.html")
    return folder


def harmless(browser: Any, path: Path) -> Any:
    """Open a page, open and click what can be, and see that nothing in it has become more than text."""
    page = browser.new_page(viewport={"width": 1000, "height": 900})
    trouble: list[str] = []
    page.on("console", lambda message: trouble.append(message.text))
    page.on("pageerror", lambda error: trouble.append(str(error)))
    page.on("dialog", lambda dialog: (trouble.append("dialog"), dialog.dismiss()))
    page.on("request", lambda request: trouble.append(request.url) if request.url.startswith("http") else None)
    page.goto(path.as_uri())
    for summary in page.locator("details > summary").all():
        if summary.is_visible():
            summary.click()
    assert page.evaluate("window.pwned") is None
    assert page.locator("img[src='x'], [onload], [onerror], a[href^='javascript'], a[href^='http']").count() == 0
    assert trouble == []
    assert "<script>window.pwned=1</script>" in page.inner_text("body")
    return page


def test_the_report_page_shows_text_as_text(samples: Path, browser: Any) -> None:
    page = harmless(browser, samples / "report" / "index.html")
    assert page.locator("script").count() == 2
    assert page.locator(".question *").count() == 0
    page.close()


def test_the_audit_page_shows_text_as_text(tmp_path: Path, browser: Any) -> None:
    made = rows(40)
    for number, row in enumerate(made):
        row["question"] = f"{EVIL} {row['question']}"
        row["report"], row["company"] = f"{EVIL}{number % 10}.pdf", EVIL
    for row in made[2:8]:
        row["answer_value"] += 1
    folder = tmp_path / "<img src=x onerror=window.pwned=7>"
    folder.mkdir()
    write(folder, made)
    audit_folder(folder, AuditConfig())
    page = harmless(browser, folder / "audit" / "index.html")
    assert page.locator("script").count() == 1
    page.close()


def test_the_dataset_card_has_no_markdown_and_no_html_but_its_own(samples: Path) -> None:
    text = (samples / "samples" / "README.md").read_text(encoding="utf-8")
    assert not [c for c in text if c != "\n" and not c.isprintable()]
    body = text.split("---\n", 2)[2]
    html = MarkdownIt("commonmark", {"html": True}).enable("table").render(body)
    for mark in ("<script", "<img", "<svg", "<a ", "<strong>e", "<code>d</code>"):
        assert mark not in html, mark
    # each row of the table of sources has its ten cells, and the name is to be read in the first
    sources = html.partition("Sources</h2>")[2].partition("</table>")[0]
    assert {row.count("<td>") for row in sources.split("<tr>")[2:]} == {10}
    assert "&lt;script&gt;window.pwned=1&lt;/script&gt;" in sources
    assert "://" not in body.replace("](http", ""), "nothing that becomes a link of itself"


def test_a_terminal_is_not_steered(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    summary = RunSummary(
        run=tmp_path / "\x1b[31m[red]run",
        steps={},
        set_aside=((EVIL, "error", EVIL),),
        wall_seconds=1.0,
        peak_worker_mb=0,
    )
    print_summary(summary)
    plain = PlainProgress()
    plain.begin("parse", 2)
    plain.advance("parse", f"{EVIL}\nfinlmm: all is well")
    told = capsys.readouterr()
    bars = BarProgress()
    bars.console = Console(file=io.StringIO(), width=4000)
    bars.begin("parse", 2)
    bars.advance("parse", EVIL)
    assert isinstance(bars.console.file, io.StringIO)
    for text in (told.out, told.err, bars.console.file.getvalue()):
        assert not [c for c in text if c != "\n" and not c.isprintable()]
        assert "[red]i[/red]" in " ".join(text.split()), "shown, and not obeyed"
    assert "\nfinlmm: all is well" not in told.err


def test_what_is_written_out_and_what_stays() -> None:
    assert (
        visible_line("a\tb\nc\x1b[0m\x9b\u2028\u202e\udcff\ud800") == "a\\tb\\nc\\x1b[0m\\x9b\\u2028\\u202e\\xff\\ud800"
    )
    assert visible_text("a\tb\nc\rd") == "a\tb\nc\\rd"
    assert visible_line("报告 é 👩‍👩‍👧 [red]") == "报告 é 👩‍👩‍👧 [red]"
    assert json.loads(json.dumps(visible_line("\udcff")))
