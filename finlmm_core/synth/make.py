"""Making a folder of synthetic reports: which companies, which years, and the files."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from finlmm_core.errors import FinlmmError
from finlmm_core.store.atomic import write_atomic
from finlmm_core.synth.finance import Company, build_history
from finlmm_core.synth.fonts import register_chinese, register_latin, require_libraries
from finlmm_core.synth.phrases import Phrases, Sector, UnitWords
from finlmm_core.synth.truth import Truth, TruthReport

FIRST_YEAR, LAST_YEAR = 2013, 2024


@dataclass(frozen=True)
class SynthSummary:
    """What ``make_reports`` wrote."""

    folder: Path
    reports: int
    pages: int
    charts: int
    tables: int
    companies: int
    chinese: int
    scanned_pages: int
    bytes: int


@dataclass(frozen=True)
class _Plan:
    company: Company
    year: int
    phrases: Phrases
    sector: Sector
    units: UnitWords

    @property
    def file(self) -> str:
        return f"{self.company.slug}_{self.year}.pdf"


def _remove_earlier(out: Path, wanted: set[str]) -> None:
    """Remove the unchanged reports of an earlier call, so that a folder never mixes two sets."""
    if not (out / "truth.json").exists():
        return
    try:
        earlier = Truth.load(out)
    except ValidationError:
        return  # written by another version of finlmm; its files cannot be told from the user's
    for report in earlier.reports:
        path = out / report.file
        if (
            report.file not in wanted
            and path.is_file()
            and hashlib.sha256(path.read_bytes()).hexdigest() == report.sha256
        ):
            path.unlink()


def _invent(seed: int, key: int, language: str) -> tuple[Company, Phrases, Sector, UnitWords]:
    """Return the company with this number; it depends on seed and number only."""
    from finlmm_core.synth.phrases_en import ENGLISH
    from finlmm_core.synth.phrases_zh import CHINESE

    rng = random.Random(f"company {seed} {key}")
    phrases = CHINESE if language == "zh" else ENGLISH
    sector = rng.choice(phrases.sectors)
    units = rng.choice(phrases.units)
    name, ascii_name = rng.choice(phrases.names)
    ending, ascii_ending = rng.choice(sector.endings)
    short = f"{name}{ending}" if phrases.language == "zh" else f"{name} {ending}"
    legal = rng.choice(phrases.legal_forms)
    company = Company(
        key=seed * 100_003 + key,
        language=phrases.language,
        name=f"{short}{legal}" if phrases.language == "zh" else f"{short} {legal}",
        short=short,
        slug=f"{ascii_name}_{ascii_ending}".replace("-", "_"),
        sector=sector.name,
        unit=units.unit,
        segments=rng.sample(list(sector.segments), rng.choice([3, 3, 4])),
        regions=list(rng.choice(phrases.regions)),
        years_end=rng.choice(phrases.year_ends),
    )
    build_history(rng, company, FIRST_YEAR - 5, LAST_YEAR)
    return company, phrases, sector, units


def _plan(count: int, seed: int, chinese: float) -> list[_Plan]:
    """Return which reports to make: companies one after the other, one to three years of each.

    The first reports of a larger set are the reports of a smaller one.
    """
    rng = random.Random(f"plan {seed}")
    plans: list[_Plan] = []
    key = chinese_reports = 0
    names: dict[str, set[str]] = {"en": set(), "zh": set()}
    slugs: set[str] = set()
    while len(plans) < count:
        years = rng.choice([1, 2, 2, 3])
        last = rng.randint(FIRST_YEAR + 3, LAST_YEAR)
        language = "zh" if chinese_reports < chinese * (len(plans) + years / 2) else "en"
        while True:
            company, phrases, sector, units = _invent(seed, key, language)
            key += 1
            first = company.slug.split("_")[0]
            # One name, one company, until all names are taken.
            used_up = len(names[language]) >= 0.8 * len(phrases.names)
            if company.slug not in slugs and (used_up or first not in names[language]):
                break
        names[language].add(first)
        slugs.add(company.slug)
        chinese_reports += years if language == "zh" else 0
        plans.extend(_Plan(company, last - back, phrases, sector, units) for back in range(years))
    return plans[:count]


def make_reports(
    out: Path,
    count: int,
    seed: int = 0,
    *,
    chinese: float = 0.2,
    pages: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> SynthSummary:
    """Write synthetic annual reports and their truth.

    The same arguments give the same bytes, in every process and on every machine with the same library versions.

    Args:
        out: folder for the PDFs and ``truth.json`` (schema: ``finlmm_core.synth.truth``); made if missing. Reports that
            an earlier call wrote there and this one does not are removed, other files are left alone.
        count: number of reports.
        seed: another seed gives other companies.
        chinese: share of reports in Chinese, 0 to 1.
        pages: end each report after the section that reaches so many pages; whole reports if None.
        progress: called with (reports done, reports in all).

    Raises:
        MissingExtraError: a library of the extra ``synth`` is missing.
        FinlmmError: a number is out of range.
    """
    require_libraries()
    if count < 1 or not 0 <= chinese <= 1 or (pages is not None and pages < 1):
        raise FinlmmError(
            f"Cannot make {count} reports of {pages or 'all'} pages with a share of {chinese} in Chinese.",
            hint="The numbers of reports and pages must be 1 or more, and the share between 0 and 1.",
        )
    from finlmm_core.synth.report import ReportMaker

    register_latin()
    plans = _plan(count, seed, chinese)
    if any(plan.company.language == "zh" for plan in plans):
        register_chinese()
    out.mkdir(parents=True, exist_ok=True)
    _remove_earlier(out, {plan.file for plan in plans})
    reports: list[TruthReport] = []
    size = 0
    for index, plan in enumerate(plans):
        maker = ReportMaker(plan.company, plan.year, plan.phrases, plan.sector, plan.units)
        maker.write(pages)
        data = maker.pdf()
        size += len(data)
        write_atomic(out / plan.file, data)
        drafts = maker.flow.pages
        reports.append(
            TruthReport(
                file=plan.file,
                sha256=hashlib.sha256(data).hexdigest(),
                company=plan.company.name,
                year=plan.year,
                language=plan.company.language,
                title=maker.title,
                pages=tuple(page.truth() for page in drafts),
                figures=tuple(figure for page in drafts for figure in page.figures),
                noise=tuple(item for page in drafts for item in page.noise),
                statements=tuple(item for page in drafts for item in page.statements),
                blocks=tuple(block for page in drafts for block in page.blocks),
            )
        )
        if progress is not None:
            progress(index + 1, len(plans))
    truth = Truth(seed=seed, reports=tuple(reports))
    write_atomic(out / "truth.json", truth.model_dump_json(indent=1).encode("utf-8"))
    figures = [figure for report in reports for figure in report.figures]
    return SynthSummary(
        folder=out,
        reports=len(reports),
        pages=sum(len(report.pages) for report in reports),
        charts=sum(figure.kind == "chart" for figure in figures),
        tables=sum(figure.kind == "table" for figure in figures),
        companies=len({report.company for report in reports}),
        chinese=sum(report.language == "zh" for report in reports),
        scanned_pages=sum(page.scanned for report in reports for page in report.pages),
        bytes=size,
    )
