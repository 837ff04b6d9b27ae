"""The report page: one HTML file that shows what a run made of its reports.

``write_report(ReportInput(...), path)`` is the whole interface; a later part adds to the page by giving ``Section``s.
"""

from __future__ import annotations

from finlmm_core.steps.report.config import ReportConfig
from finlmm_core.steps.report.html import Markup, joined, tag
from finlmm_core.steps.report.model import ReportInput, ReportRecord, Section
from finlmm_core.steps.report.page import write_report

__all__ = [
    "Markup",
    "ReportConfig",
    "ReportInput",
    "ReportRecord",
    "Section",
    "joined",
    "tag",
    "write_report",
]
