"""What all tests share: where real reports are, and the rule that CI skips nothing that could have run."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.register_assert_rewrite("finlmm_core.testing")

REPOSITORY = Path(__file__).resolve().parents[1]
SHARED = REPOSITORY.parent / "shared" / "data"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real reports and charts; it is not part of the project, so tests on it run where it is there."""
    if not SHARED.is_dir():
        pytest.skip("../shared/data (real reports, not part of the project) is not here")
    return SHARED


@pytest.fixture(scope="session")
def shared_reports(shared_data: Path) -> Path:
    """The folder of real PDF reports."""
    return shared_data / "reports"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A real browser, for what the report page does in one."""
    playwright = pytest.importorskip("playwright.sync_api")
    if CHROMIUM is None:
        pytest.skip("no Chromium is installed")
    with playwright.sync_playwright() as running:
        opened = running.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield opened
        opened.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> object:
    """In CI a skipped test is a failed one, unless what it needs is not part of the project."""
    report = yield
    if os.environ.get("FINLMM_CI") and report.skipped and not hasattr(report, "wasxfail"):
        reason = str(report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr)
        if "not part of the project" not in reason:
            report.outcome = "failed"
            report.longrepr = f"skipped in CI, where everything must run: {reason}"
    return report
