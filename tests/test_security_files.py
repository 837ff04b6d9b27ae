"""What may lie in a folder of reports: odd names, links, pipes, devices, files that change; and where a run may lie."""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from bad_pdfs import good, report

from finlmm_core.domain import Document
from finlmm_core.errors import DocumentError, FinlmmError
from finlmm_core.escapes import visible_line
from finlmm_core.plugins.bases import OcrEngine, Parser
from finlmm_core.steps.document_steps import DocumentContext, ParseStep
from finlmm_core.steps.report.drawing import PageDrawer
from finlmm_core.steps.sources import MOST_FILE_BYTES, find_sources, read_sources
from finlmm_core.store.images import ImageStore

FINLMM = str(Path(sys.executable).with_name("finlmm"))
#: Names that a shell, a terminal, a page, a table or a path might stumble over; all are good file names.
ODD_NAMES = (
    "..pdf",
    "....pdf",
    "-rf.pdf",
    "--help.pdf",
    " .pdf",
    "a\nb.pdf",
    "\x1b]0;owned\x07\x1b[31mred.pdf",
    "\u202efdp.exe.pdf",
    "[red]bold[bold].pdf",
    "a|b`c`*d*.pdf",
    "<script>alert(1)<\\script>.pdf",
    "$(touch owned).pdf",
    "%s%n{0}.pdf",
    "C:\\x.pdf",
    "📈 报告.pdf",
    "é" * 125 + "x.pdf",
    "UPPER.PDF",
    "con.pdf",
    "\x7f\x01.pdf",
)


def pdf(number: int) -> bytes:
    """Return a small PDF unlike those of other numbers."""
    return good() + b"\n%% %d\n" % number


def reasons(folder: Path, run: Path | None = None) -> dict[str, str]:
    return {item.item_id: item.reason for item in find_sources(folder, run).rejected}


def test_every_name_is_read(tmp_path: Path) -> None:
    for number, name in enumerate(ODD_NAMES):
        (tmp_path / name).write_bytes(pdf(number))
    assert len(os.fsencode(ODD_NAMES[15])) == 255
    found = find_sources(tmp_path)
    assert {source.relative for source in found.files} == set(ODD_NAMES)
    assert found.rejected == ()


def test_a_name_that_is_no_utf8_is_told_and_left_out(tmp_path: Path) -> None:
    (tmp_path / "good.pdf").write_bytes(pdf(0))
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/b\xff\xfe.pdf")).write_bytes(pdf(1))
    assert reasons(tmp_path) == {"b\\xff\\xfe.pdf": "name_not_unicode"}
    below = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xe9"))
    below.mkdir()
    (below / "x.pdf").write_bytes(pdf(2))
    assert reasons(tmp_path)["\\xe9/x.pdf"] == "name_not_unicode"
    with pytest.raises(FinlmmError, match=r"'.*\\xe9' is not UTF-8"):
        find_sources(below)


def test_links_lead_nowhere_else_and_only_plain_files_are_opened(tmp_path: Path) -> None:
    reports, outside = tmp_path / "reports", tmp_path / "outside"
    (reports / "sub").mkdir(parents=True)
    outside.mkdir()
    (reports / "good.pdf").write_bytes(pdf(0))
    (outside / "secret.pdf").write_bytes(pdf(1))
    (reports / "out.pdf").symlink_to(outside / "secret.pdf")
    (reports / "up.pdf").symlink_to("../outside/secret.pdf")
    (reports / "folder").symlink_to(outside)
    (reports / "all").symlink_to("/")
    (reports / "round").symlink_to(reports)
    (reports / "sub" / "again.pdf").symlink_to("../good.pdf")
    (reports / "loop.pdf").symlink_to("loop.pdf")
    (reports / "gone.pdf").symlink_to("nothing.pdf")
    (reports / "zeros.pdf").symlink_to("/dev/zero")
    (reports / "folder.pdf").mkdir()
    os.mkfifo(reports / "pipe.pdf")
    (reports / "to_pipe.pdf").symlink_to("pipe.pdf")
    here = Path.cwd()
    with socket.socket(socket.AF_UNIX) as listening:
        os.chdir(reports)  # the path of a socket is short
        try:
            listening.bind("socket.pdf")
        finally:
            os.chdir(here)
    with (reports / "sparse.pdf").open("wb") as file:
        file.truncate(MOST_FILE_BYTES + 1)
    found = find_sources(reports)
    assert [source.relative for source in found.files] == ["good.pdf"]
    assert {item.item_id: item.reason for item in found.rejected} == {
        "out.pdf": "link_out_of_folder",
        "up.pdf": "link_out_of_folder",
        "folder": "link_out_of_folder",
        "all": "link_out_of_folder",
        "zeros.pdf": "link_out_of_folder",
        "sub/again.pdf": "duplicate_file",
        "loop.pdf": "unreadable",
        "gone.pdf": "unreadable",
        "pipe.pdf": "not_a_file",
        "to_pipe.pdf": "not_a_file",
        "socket.pdf": "not_a_file",
        "sparse.pdf": "file_too_large",
    }
    with pytest.raises(FinlmmError, match="a named pipe"):
        find_sources(reports / "pipe.pdf")
    with pytest.raises(FinlmmError, match="does not exist"):
        find_sources(reports / "gone.pdf")


@pytest.fixture
def open_to_all() -> Iterator[Path]:
    """A folder that every user may enter, and this process without the rights of root for as long."""
    folder = Path(tempfile.mkdtemp(dir="/tmp"))
    folder.chmod(0o777)
    if os.geteuid() == 0:
        os.seteuid(65534)
    yield folder
    if os.getuid() == 0:
        os.seteuid(0)
    for path in folder.rglob("*"):
        if not path.is_symlink():
            path.chmod(0o700)
    shutil.rmtree(folder)


def test_what_must_not_be_read_is_told(open_to_all: Path) -> None:
    (open_to_all / "good.pdf").write_bytes(pdf(0))
    (open_to_all / "locked.pdf").write_bytes(pdf(1))
    (open_to_all / "locked.pdf").chmod(0)
    (open_to_all / "folder").mkdir()
    (open_to_all / "folder").chmod(0)
    assert reasons(open_to_all) == {"locked.pdf": "unreadable", "folder": "unreadable"}


def test_only_unreadable_files_are_named_where_there_is_nothing_else(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.pdf")
    with pytest.raises(FinlmmError, match=r"no PDF in .* that can be read:\n +pipe.pdf: not_a_file"):
        find_sources(tmp_path)


class Spy(Parser):
    """Counts what it is given."""

    name = "spy"
    version = "1"
    seen = 0

    def parse(self, pdf: Path, images: ImageStore, ocr: OcrEngine | None) -> Document:
        self.seen += 1
        return Document(id=hashlib.sha256(pdf.read_bytes()).hexdigest(), source=pdf.name, pages=())


def test_a_file_that_became_another_is_not_even_opened_by_the_parser(tmp_path: Path) -> None:
    reports = tmp_path / "reports"
    reports.mkdir()
    (tmp_path / "secret.pdf").write_bytes(pdf(1))
    (reports / "real.pdf").write_bytes(pdf(0))
    (reports / "a.pdf").symlink_to("real.pdf")
    (source,) = find_sources(reports).files
    step = ParseStep({}, Spy(), None)
    context = DocumentContext(tmp_path / "run", reports, source)

    def refused() -> str:
        with pytest.raises(DocumentError, match="changed_while_read") as told:
            step.run(context)
        return told.value.detail

    step.run(context)
    assert source.relative == "a.pdf" and isinstance(step.parser, Spy) and step.parser.seen == 1
    (reports / "a.pdf").unlink()
    assert "No such file" in refused()
    (reports / "a.pdf").symlink_to(tmp_path / "secret.pdf")
    assert "leads out of the folder" in refused()
    (reports / "a.pdf").unlink()
    os.mkfifo(reports / "a.pdf")
    assert "a named pipe" in refused()
    (reports / "a.pdf").unlink()
    (reports / "a.pdf").write_bytes(pdf(2))
    assert "SHA-256" in refused()
    assert step.parser.seen == 1


# ------------------------------------------------------------------------------------------------- where a run lies


def finlmm(*arguments: str | Path, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([FINLMM, *map(str, arguments)], capture_output=True, text=True, check=False, timeout=120)


def test_a_build_over_odd_names_and_its_run_below_them(tmp_path: Path) -> None:
    reports = tmp_path / "reports"
    reports.mkdir()
    for number, name in enumerate(ODD_NAMES):
        (reports / name).write_bytes(pdf(number) if number % 3 else b"no report %d" % number)
    os.mkfifo(reports / "pipe.pdf")
    run = reports / "run"
    command = ["build", reports, "-o", run, "--engine", "serial", "--set", "parse.ocr=none", "--no-audit"]
    answer = finlmm(*command)
    assert answer.returncode == 0, answer.stderr
    shown = answer.stdout + answer.stderr
    assert not [c for c in shown if c != "\n" and not c.isprintable()], "a name steered the terminal"
    assert "a\nb.pdf" not in shown
    assert visible_line(ODD_NAMES[6]) in answer.stderr.replace("\n", "")  # set aside, so it is named
    sources = read_sources(run)
    assert {source.relative for source in sources.files} == set(ODD_NAMES)
    page = (run / "report" / "index.html").read_text(encoding="utf-8")
    assert "<script>alert(1)" not in page
    assert not (tmp_path / "owned").exists() and not Path("owned").exists()
    # The run's own files are no reports the next time, whatever they are called.
    (run / "images").mkdir(exist_ok=True)
    (run / "images" / "copy.pdf").write_bytes(pdf(99))
    assert {source.relative for source in find_sources(reports, run).files} == set(ODD_NAMES)


def test_reports_must_not_lie_in_the_run(tmp_path: Path) -> None:
    (tmp_path / "run" / "parsed").mkdir(parents=True)
    (tmp_path / "run" / ".lock").touch()
    (tmp_path / "run" / "parsed" / "a.pdf").write_bytes(pdf(0))
    for folder in (tmp_path / "run", tmp_path / "run" / "parsed"):
        with pytest.raises(FinlmmError, match="lie in the run's folder"):
            find_sources(folder, tmp_path / "run")
    assert (tmp_path / "run" / "parsed" / "a.pdf").exists()


# ----------------------------------------------------------------------------------------------- drawing for the page


def test_pages_are_drawn_only_of_the_file_that_was_read(tmp_path: Path) -> None:
    path = tmp_path / "a.pdf"
    path.write_bytes(report(2))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    with PageDrawer(200, 70) as drawer:
        assert set(drawer.pages(path, digest, [1, 2, 3])) == {1, 2}
        path.write_bytes(good())
        assert drawer.pages(path, digest, [1]) == {}
        assert drawer.pages(tmp_path / "gone.pdf", digest, [1]) == {}


@pytest.mark.parametrize(
    "does", ["import time; time.sleep(60)", "import os; os.abort()", 'print(\'{"page": 1, "uri": "data:"}\'); 1 / 0']
)
def test_a_page_that_takes_the_drawing_process_down_or_for_ever_costs_its_picture_alone(
    does: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.pdf").write_bytes(good())
    monkeypatch.setattr("finlmm_core.steps.report.drawing._PROGRAM", does)
    with PageDrawer(200, 70, seconds=1.0) as drawer:
        for _ in range(2):
            found = drawer.pages(tmp_path / "a.pdf", "", [1, 2])
            assert set(found) <= {1}
