"""Both parsers set bad files aside for a stable reason, read the odd ones, and never use up the machine."""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path

import bad_pdfs
import pytest
from finlmm_parsers.guards import check_file
from finlmm_parsers.pdfium import PdfiumParser
from finlmm_parsers.pdfminer import PdfminerParser

from finlmm_core.errors import DocumentError
from finlmm_core.plugins.bases import Parser
from finlmm_core.store.images import ImageStore

PARSERS = [PdfiumParser, PdfminerParser]
SENTENCE = "Revenue grew by 12.5 percent in 2021."


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The files, made once."""
    return bad_pdfs.write_bad_pdfs(tmp_path_factory.mktemp("bad"))


@pytest.fixture(autouse=True)
def quiet_libraries() -> None:
    logging.getLogger("pdfminer").setLevel(logging.CRITICAL)


@pytest.mark.parametrize("parser", PARSERS, ids=lambda parser: parser.name)
@pytest.mark.parametrize("name", [name for name, bad in bad_pdfs.BAD_PDFS.items() if bad.reasons])
def test_bad_files_are_set_aside_with_their_reason(
    name: str, parser: type[Parser], paths: dict[str, Path], tmp_path: Path
) -> None:
    with pytest.raises(DocumentError) as caught:
        parser().parse(paths[name], ImageStore(tmp_path), None)
    assert caught.value.reason in bad_pdfs.BAD_PDFS[name].reasons
    assert caught.value.detail


@pytest.mark.parametrize("parser", PARSERS, ids=lambda parser: parser.name)
@pytest.mark.parametrize("name", [name for name, bad in bad_pdfs.BAD_PDFS.items() if not bad.reasons])
def test_odd_files_are_read(name: str, parser: type[Parser], paths: dict[str, Path], tmp_path: Path) -> None:
    document = parser().parse(paths[name], ImageStore(tmp_path), None)
    text = " ".join(block.text for page in document.pages for block in page.blocks)
    assert len(document.pages) >= 1
    if bad_pdfs.BAD_PDFS[name].has_text:
        assert SENTENCE in text


@pytest.mark.parametrize("parser", PARSERS, ids=lambda parser: parser.name)
@pytest.mark.parametrize("name", ["stream_bomb", "twice_packed_bomb", "huge_image", "many_pages", "nested_forms"])
def test_hostile_files_take_little_memory(name: str, parser: type[Parser], paths: dict[str, Path]) -> None:
    code = f"""
import logging, re, sys
from pathlib import Path
logging.disable(logging.CRITICAL)
from finlmm_core.errors import DocumentError
from finlmm_core.store.images import ImageStore
from {parser.__module__} import {parser.__name__} as P
try:
    P().parse(Path(sys.argv[1]), ImageStore(Path(sys.argv[2])), None)
except DocumentError:
    pass
# not ru_maxrss: that begins with what the process that started this one had at the time
print(int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]) // 1024)
"""
    if not Path("/proc/self/status").is_file():
        pytest.skip("peak memory is asked of Linux, which this machine does not run; not part of the project")
    path = paths[name]
    done = subprocess.run(
        [sys.executable, "-c", code, path, path.parent / "images"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert int(done.stdout) < 300, "megabytes of resident memory"


def test_a_page_that_draws_without_end_is_cut_short_by_pdfminer(paths: dict[str, Path], tmp_path: Path) -> None:
    document = PdfminerParser().parse(paths["multiplying_forms"], ImageStore(tmp_path), None)
    assert SENTENCE in document.pages[0].blocks[0].text
    assert [rejected.reason for rejected in document.rejected] == ["broken_page"]


def test_a_page_broken_in_the_middle_keeps_its_beginning_and_says_so(paths: dict[str, Path], tmp_path: Path) -> None:
    document = PdfminerParser().parse(paths["broken_content"], ImageStore(tmp_path), None)
    assert SENTENCE in document.pages[0].blocks[0].text


@pytest.mark.parametrize("before", ["encrypted", "garbage_inside", "zero_pages", "good"])
@pytest.mark.parametrize("name", ["encrypted", "garbage_inside", "zero_pages"])
def test_a_reason_does_not_depend_on_the_file_before(
    name: str, before: str, paths: dict[str, Path], tmp_path: Path
) -> None:
    reasons = []
    for path in (paths[before], paths[name]):
        try:
            PdfiumParser().parse(path, ImageStore(tmp_path), None)
            reasons.append("")
        except DocumentError as error:
            reasons.append(error.reason)
    assert reasons[1] in bad_pdfs.BAD_PDFS[name].reasons


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5, 0.7, 0.9, 0.99])
@pytest.mark.parametrize("parser", PARSERS, ids=lambda parser: parser.name)
def test_a_report_cut_anywhere_is_never_taken_for_a_shorter_one(
    share: float, parser: type[Parser], tmp_path: Path
) -> None:
    data = bad_pdfs.report(20)
    path = tmp_path / "cut.pdf"
    path.write_bytes(data[: int(share * len(data))])
    with pytest.raises(DocumentError) as caught:
        parser().parse(path, ImageStore(tmp_path), None)
    assert caught.value.reason == "truncated"


def test_junk_behind_the_end_is_no_truncation(tmp_path: Path) -> None:
    path = tmp_path / "junk.pdf"
    path.write_bytes(bad_pdfs.good() + b"\r\n<!-- served by proxy -->\r\n" + b"\0" * 1000)
    check_file(path)


def test_a_folder_named_like_a_report_is_unreadable(tmp_path: Path) -> None:
    folder = tmp_path / "report.pdf"
    folder.mkdir()
    with pytest.raises(DocumentError, match="unreadable"):
        check_file(folder)


def test_errors_survive_the_way_between_processes() -> None:
    import pickle

    error = pickle.loads(pickle.dumps(DocumentError("encrypted", "a password is needed")))  # noqa: S301
    assert (error.reason, error.detail) == ("encrypted", "a password is needed")
