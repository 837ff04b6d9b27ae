"""The whole audit of a dataset: reads it, measures it, writes the result and its page."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from pydantic import Field

from finlmm_core.audit.config import LIMITS, AuditConfig
from finlmm_core.audit.model import Dataset, Finding, Measured, Part, Violation, violations
from finlmm_core.audit.reading import read_dataset
from finlmm_core.domain import Frozen
from finlmm_core.store.atomic import write_atomic
from finlmm_core.store.manifest import SCHEMA_VERSION, key_of

#: Raised whenever the same samples give another audit; part of the key.
AUDIT_VERSION = 1

FOLDER = "audit"
_RESULT, _FINDINGS, PAGE = "audit.json", "findings.jsonl", "index.html"
#: Measures that are noise on fewer than this are not held against a limit.
FEWEST = 200
#: Places whose counts are at least this likely where all places are alike count as even.
UNEVEN = 0.01
_NOISY = {
    "question_only_over_chance", "options_only_over_chance", "rule_over_chance", "letter_bias", "image_position_bias",
}  # fmt: skip


class AuditResult(Frozen):
    """What an audit found, as stored in ``audit.json``; written last, so that it is there whole or not at all."""

    key: str = Field(description="SHA-256 over version, options, samples and benchmarks; '' where samples have none")
    name: str
    samples: int
    questions: int
    images: int
    measures: tuple[Measured, ...]
    violations: tuple[Violation, ...]
    binding: bool
    reasons: dict[str, int] = Field(description="reason -> findings")
    notes: tuple[str, ...] = ()
    against: tuple[str, ...] = ()

    @property
    def failed(self) -> bool:
        """Whether a binding limit is passed."""
        return self.binding and bool(self.violations)

    def measure(self, name: str) -> Measured | None:
        """Return a measure by its name without 'audit.'; None where there is none."""
        return next((one for one in self.measures if one.what == f"audit.{name}"), None)


def audit_folder(
    folder: Path, config: AuditConfig, *, seed: int = 0, against: Sequence[Path] = (), out: Path | None = None
) -> AuditResult:
    """Audit a run, a samples folder or a folder of parquet files; write ``audit/`` into it and return the result.

    Args:
        folder: a run's folder or a samples folder; an audit of a run's samples folder goes into the run's.
        config: what is measured and which limits there are.
        seed: of what is drawn: reports for the blind baselines.
        against: benchmark files or folders.
        out: where to write instead.

    Raises:
        FinlmmError: there are no samples, or a file cannot be read.
    """
    from finlmm_core.audit.page import write_page

    dataset = read_dataset(folder)
    part, images = _measured(dataset, config, seed, against)
    target = out or (dataset.run or folder) / FOLDER
    exceeded = violations(
        _certain(part.measures),
        config.thresholds,
        {name: limit.side for name, limit in LIMITS.items()},
    )
    findings = sorted(part.findings, key=lambda one: (one.reason, one.kind, one.split, one.sample, one.other))
    result = AuditResult(
        key=audit_key(config, seed, dataset.key) if dataset.key and not against else "",
        name=dataset.name,
        samples=len(dataset.items),
        questions=len(dataset.questions()),
        images=images,
        measures=tuple(part.measures),
        violations=tuple(exceeded),
        binding=config.binding,
        reasons=dict(sorted(Counter(one.reason for one in findings).items(), key=lambda pair: (-pair[1], pair[0]))),
        notes=tuple(part.notes),
        against=tuple(str(source) for source in against),
    )
    write_atomic(target / _FINDINGS, b"".join(one.model_dump_json().encode() + b"\n" for one in findings))
    write_page(target / PAGE, result, findings, part.tables, config, linked=dataset.run is not None and out is None)
    write_atomic(target / _RESULT, (result.model_dump_json(indent=1) + "\n").encode())
    return result


def _certain(measures: Sequence[Measured]) -> list[Measured]:
    """Return the measures that limits are held against: without those that may well be chance."""
    p = {one.what.removeprefix("audit.").removesuffix("_p"): one.value for one in measures if one.what.endswith("_p")}
    certain = []
    for one in measures:
        name = one.what.removeprefix("audit.")
        even = p.get(name.removesuffix("_bias")) if name.endswith("_bias") else None
        if (name not in _NOISY or one.n >= FEWEST) and (even is None or even < UNEVEN):
            certain.append(one)
    return certain


def audit_key(config: AuditConfig, seed: int, samples: str) -> str:
    """Return the key of an audit of samples with the given key."""
    return key_of("audit", SCHEMA_VERSION, AUDIT_VERSION, config.model_dump(mode="json"), seed, samples)


def finished_audit(run: Path) -> AuditResult | None:
    """Return the audit that lies in a run's folder; None where there is none, or one of another version."""
    try:
        return AuditResult.model_validate(json.loads((run / FOLDER / _RESULT).read_bytes()))
    except (FileNotFoundError, ValueError):
        return None


def read_findings(folder: Path) -> list[Finding]:
    """Return the findings of an audit folder."""
    lines = (folder / _FINDINGS).read_text(encoding="utf-8").splitlines()
    return [Finding.model_validate_json(line) for line in lines]


def load_libraries() -> None:
    """Import what an audit takes seconds to import."""
    import pyarrow.parquet  # noqa: F401
    from PIL import Image  # noqa: F401
    from sklearn.ensemble import HistGradientBoostingClassifier  # noqa: F401
    from sklearn.linear_model import LogisticRegression  # noqa: F401


def _measured(dataset: Dataset, config: AuditConfig, seed: int, against: Sequence[Path]) -> tuple[Part, int]:
    from finlmm_core.audit.against import check_against, read_foreign
    from finlmm_core.audit.balance import check_balance
    from finlmm_core.audit.blind import check_blind
    from finlmm_core.audit.duplicates import check_duplicates
    from finlmm_core.audit.parsed import ParsedReports
    from finlmm_core.audit.pictures import look_at_pictures, pictures_of
    from finlmm_core.audit.readability import check_readability
    from finlmm_core.audit.recomputing import check_answers

    foreign = read_foreign(against)
    parsed = ParsedReports(dataset.run) if dataset.run is not None else None
    part = check_answers(dataset.items, parsed)
    part.add(check_blind(dataset.questions(), config, seed))
    part.add(check_balance(dataset.items))
    pictures = pictures_of(dataset, parsed)
    look_at = pictures if config.images == "all" or foreign else [p for p in pictures if not p.told_by_words]
    broken = set(look_at_pictures(dataset, look_at))
    for item in dataset.items:
        for image in item.images:
            if image.sha256 in broken:
                part.findings.append(item.finding("image_unreadable", f"image {image.sha256[:12]}"))
    part.add(check_duplicates(dataset.items, pictures, config))
    if foreign:
        part.add(check_against(dataset.items, pictures, foreign, config))
    part.add(check_readability(dataset.items, pictures, config))
    if parsed is None:
        part.notes.append("No parsed reports: evidence was read from the samples' own text.")
    return part, len(pictures)
