"""The report page: one HTML file that shows what a run made of its reports."""

from __future__ import annotations

from finlmm_core.steps.report.config import ReportConfig

__all__ = ["ReportConfig"]
