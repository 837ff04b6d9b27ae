"""The command line as a user meets it: real processes, real reports, messages that say what to do."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from bad_pdfs import report

FINLMM = str(Path(sys.executable).with_name("finlmm"))


def finlmm(*arguments: str | Path, check: bool = True) -> subprocess.CompletedProcess[str]:
    answer = subprocess.run([FINLMM, *map(str, arguments)], capture_output=True, text=True, check=False)
    if check:
        assert answer.returncode == 0, answer.stderr
    return answer


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("synth")
    finlmm("synth", folder, "-n", "3", "--seed", "3", "--quiet")
    return folder


@pytest.fixture(scope="module")
def built(reports: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("built") / "run"
    finlmm("build", reports, "-o", run, "--quiet")
    return run


@pytest.fixture
def run(built: Path, tmp_path: Path) -> Path:
    """A finished run of one's own to do things to."""
    return Path(shutil.copytree(built, tmp_path / "run"))


def test_build_makes_the_folders_that_the_readme_names(built: Path) -> None:
    for name in ("parsed", "generated", "aligned", "images", "samples/text", "samples/contrastive"):
        assert any((built / name).iterdir()), name
    for name in ("config.resolved.toml", "samples/README.md", "report/index.html", "sources.json", "timings.jsonl"):
        assert (built / name).stat().st_size, name


def test_the_summary_as_json_is_one_object_with_counts_and_rejections(reports: Path, run: Path) -> None:
    answer = finlmm("build", reports, "-o", run, "--json")
    summary = json.loads(answer.stdout)
    assert answer.stderr == ""
    assert set(summary["steps"]) == {"parse", "generate", "align", "samples", "report", "audit"}
    parse = summary["steps"]["parse"]["record"]
    assert parse["inputs"] == 3 and parse["counts"]["pages"] > 10 and parse["counts"]["tables"] > 3
    assert summary["steps"]["align"]["record"]["counts"]["kept"] > 10
    assert summary["steps"]["parse"]["worked_on"] == 0, "a finished run has nothing to do"


def test_a_log_gets_plain_lines_and_a_table_at_the_end(reports: Path, tmp_path: Path) -> None:
    answer = finlmm("parse", reports, "-o", tmp_path / "run")
    assert "\x1b" not in answer.stderr + answer.stdout
    assert "parse: 3 to do" in answer.stderr and "parse: 3/3" in answer.stderr
    assert "pages" in answer.stdout and "figures" in answer.stdout


def test_quiet_prints_nothing(reports: Path, tmp_path: Path) -> None:
    answer = finlmm("parse", reports, "-o", tmp_path / "run", "--quiet")
    assert answer.stdout == answer.stderr == ""


def test_single_steps_give_what_build_gives(reports: Path, built: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    finlmm("parse", reports, "-o", run, "-q")
    for step in ("generate", "align", "samples", "report"):
        finlmm(step, run, "-q")
    for folder in ("parsed", "generated", "aligned", "samples"):
        assert files_of(run / folder) == files_of(built / folder), folder


def files_of(folder: Path) -> dict[Path, bytes]:
    """Return all files; without the checkout's revision, since a commit may come between two builds."""
    found = {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    return {path: re.sub(rb'"git_revision": "[0-9a-f]+[^"]*"', b"", data) for path, data in found.items()}


def test_run_goes_from_one_step_to_another(reports: Path, tmp_path: Path) -> None:
    config = tmp_path / "my.toml"
    config.write_text(f'reports = "{reports}"\nout = "{tmp_path / "run"}"\n')
    finlmm("run", config, "--to", "generate", "-q")
    assert not (tmp_path / "run" / "aligned").exists()
    summary = json.loads(finlmm("run", config, "--from", "align", "--to", "samples", "--json").stdout)
    assert list(summary["steps"]) == ["align", "samples"]


def test_changed_options_are_refused_with_what_changed_and_fresh_redoes_them(reports: Path, run: Path) -> None:
    before = (run / "aligned" / "manifest.json").read_bytes()
    answer = finlmm("build", reports, "-o", run, "--set", "align.min_margin=0.9", check=False)
    assert answer.returncode == 2
    assert "align.min_margin: was" in answer.stderr and "--fresh" in answer.stderr
    assert (run / "aligned" / "manifest.json").read_bytes() == before
    fresh = finlmm("build", reports, "-o", run, "--set", "align.min_margin=0.9", "--fresh", "--json")
    steps = json.loads(fresh.stdout)["steps"]
    assert steps["generate"]["worked_on"] == 0 and steps["align"]["worked_on"] == 3


def test_a_new_report_is_added_to_a_finished_run(reports: Path, tmp_path: Path) -> None:
    some = tmp_path / "reports"
    some.mkdir()
    pdfs = sorted(reports.glob("*.pdf"))
    shutil.copy(pdfs[0], some)
    finlmm("build", some, "-o", tmp_path / "run", "-q")
    shutil.copy(pdfs[1], some)
    steps = json.loads(finlmm("build", some, "-o", tmp_path / "run", "--json").stdout)["steps"]
    assert steps["parse"]["worked_on"] == 1 and steps["parse"]["record"]["inputs"] == 2
    assert steps["samples"]["worked_on"] == 1


def test_one_file_under_two_names_counts_once(reports: Path, tmp_path: Path) -> None:
    some = tmp_path / "reports"
    (some / "deep").mkdir(parents=True)
    pdf = sorted(reports.glob("*.pdf"))[0]
    shutil.copy(pdf, some / "b.pdf")
    shutil.copy(pdf, some / "deep" / "A.PDF")
    record = json.loads(finlmm("parse", some, "-o", tmp_path / "run", "--json").stdout)["steps"]["parse"]["record"]
    assert record["inputs"] == 1 and record["rejections"]["duplicate_file"] == 1


def test_a_link_out_of_the_folder_is_not_followed(reports: Path, tmp_path: Path) -> None:
    some = tmp_path / "reports"
    some.mkdir()
    pdfs = sorted(reports.glob("*.pdf"))
    shutil.copy(pdfs[0], some)
    (some / "out.pdf").symlink_to(pdfs[1])
    record = json.loads(finlmm("parse", some, "-o", tmp_path / "run", "--json").stdout)["steps"]["parse"]["record"]
    assert record["inputs"] == 1 and record["rejections"]["link_out_of_folder"] == 1


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["build", "{no}", "-o", "{out}"], "does not exist"),
        (["build", "{empty}", "-o", "{out}"], "There is no PDF"),
        (["build", "{reports}"], "No folder for the run"),
        (["build", "{reports}", "-o", "{out}", "--set", "parse.parser=pdfum"], "Did you mean 'pdfium'?"),
        (["build", "{reports}", "-o", "{out}", "--set", "sed=1"], "Did you mean 'seed'?"),
        (["build", "{reports}", "-o", "{out}", "--engine", "procs"], "engine.name"),
        (["build", "{reports}", "-o", "{out}", "-c", "{no}"], "no such file"),
        (["build", "{reports}", "-o", "{strange}"], "not a run of finlmm"),
        (["align", "{out}"], "is not the folder of a run"),
        (["run", "{no}"], "no such file"),
        (["plugins", "show", "pdfum"], "No plugin is named 'pdfum'"),
    ],
)
def test_a_wrong_option_plugin_or_path_is_one_message_and_writes_nothing(
    reports: Path, tmp_path: Path, arguments: list[str], expected: str
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "strange").mkdir()
    (tmp_path / "strange" / "thesis.txt").write_text("mine")
    places = {name: tmp_path / name for name in ("no", "empty", "out", "strange")}
    answer = finlmm(*(argument.format(reports=reports, **places) for argument in arguments), check=False)
    assert answer.returncode == 2
    assert expected in answer.stderr
    assert "Traceback" not in answer.stderr
    assert not (tmp_path / "out").exists()
    assert [path.name for path in (tmp_path / "strange").iterdir()] == ["thesis.txt"]


def test_several_mistakes_come_in_one_message(reports: Path, tmp_path: Path) -> None:
    answer = finlmm(
        "build",
        reports,
        "-o",
        tmp_path / "out",
        "--set",
        "parse.parser=x",
        "--set",
        "seed=-1",
        "--set",
        "a=1",
        check=False,
    )
    assert answer.returncode == 2
    assert all(text in answer.stderr for text in ("seed", "unknown option 'a'", "unknown parser 'x'", "3 mistakes"))


def test_plugins_lists_kinds_with_their_origin_and_show_prints_options() -> None:
    listed = json.loads(finlmm("plugins", "list", "--json").stdout)
    kinds = {"parser", "ocr", "generator", "aligner", "reward", "model", "benchmark"}
    assert kinds == {row["kind"] for row in listed["plugins"]}
    assert all(row["origin"].startswith("finlmm ") and row["summary"] for row in listed["plugins"])
    shown = finlmm("plugins", "show", "pdfium").stdout
    assert "Options:" in shown and "dpi" in shown
    shown = finlmm("plugins", "show", "qwen-vl").stdout
    assert "dtype ('auto' | 'float32'" in shown and "\n      rank (int, default 16)" in shown


def test_doctor_says_what_works() -> None:
    findings = {item["what"]: item["status"] for item in json.loads(finlmm("doctor", "--json").stdout)}
    assert findings["parser pdfium"] == findings["ocr rapidocr"] == "ok"


def test_check_finds_no_mistake_in_the_shipped_configs() -> None:
    configs = sorted((Path(__file__).parents[1] / "configs").glob("*.toml"))
    assert configs
    for config in configs:
        assert "no mistakes" in finlmm("check", config).stdout


def test_a_step_alone_passes_over_reports_that_an_earlier_step_set_aside(tmp_path: Path) -> None:
    reports = tmp_path / "reports"
    reports.mkdir()
    (reports / "good.pdf").write_bytes(report())
    (reports / "torn.pdf").write_bytes(report()[:300])
    quick = ("--engine", "serial", "--set", "parse.ocr='none'")
    finlmm("parse", reports, "-o", tmp_path / "run", *quick)
    for step in ("generate", "align"):
        summary = json.loads(finlmm(step, tmp_path / "run", "--json").stdout)
        assert summary["steps"][step]["record"]["inputs"] == 1
