"""Invented companies with books that add up.

Amounts are whole numbers of *ticks*, the smallest printed step of the company's reports (a million dollars, a hundred
yuan ...), so that what is printed adds up exactly. A company's history does not depend on the year that a report is
about: two reports of one company agree on the years that both show.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from finlmm_core.domain import Language


@dataclass(frozen=True)
class MoneyUnit:
    """How a company prints amounts."""

    scale: int  # of the printed number: 1_000_000 for millions
    decimals: int  # printed decimals: 10**decimals ticks make one printed unit
    currency: str  # ISO 4217
    symbol: str  # '$', '€', '£', 'RMB', '' (Chinese)

    @property
    def ticks(self) -> int:
        """Ticks in one printed unit."""
        return int(10**self.decimals)


@dataclass
class FiscalYear:
    """The books of one year, in ticks unless said otherwise."""

    year: int
    segments: dict[str, int]
    segment_profit: dict[str, int]
    regions: dict[str, int]
    quarters: list[int]
    income: dict[str, int]
    shares: int  # in thousands
    balance: dict[str, int] = field(default_factory=dict)
    cash: dict[str, int] = field(default_factory=dict)
    employees: int = 0
    volume: dict[str, float] = field(default_factory=dict)  # operating measures

    @property
    def revenue(self) -> int:
        return self.income["revenue"]

    @property
    def eps(self) -> float:
        """Earnings a share in the main currency unit, two decimals."""
        return self.income["eps_cents"] / 100


@dataclass
class Company:
    """One invented company and its history."""

    key: int
    language: Language
    name: str
    short: str
    slug: str
    sector: str
    unit: MoneyUnit
    segments: list[str]
    regions: list[str]
    years_end: str  # 'December 31'
    history: dict[int, FiscalYear] = field(default_factory=dict)


def spread(total: int, weights: Sequence[float]) -> list[int]:
    """Split a whole total by weights so that the parts add up to it."""
    whole = sum(weights)
    parts = [int(total * weight / whole) for weight in weights]
    parts[max(range(len(parts)), key=parts.__getitem__)] += total - sum(parts)
    return parts


def build_history(rng: random.Random, company: Company, first: int, last: int) -> None:
    """Fill ``company.history`` with consistent books from the first to the last year."""
    base = 10 ** rng.uniform(8.6, 10.5) / company.unit.scale * company.unit.ticks
    sizes = {name: base * rng.uniform(0.12, 1.0) for name in company.segments}
    region_weights = [rng.uniform(0.4, 2.6) for _ in company.regions]
    cost_share = rng.uniform(0.42, 0.7)
    margins = {name: rng.uniform(0.08, 0.3) for name in company.segments}
    shares = int(4 * base / company.unit.ticks * company.unit.scale / rng.uniform(15, 120) / 1000) + 1  # thousands
    payout, tax_rate = rng.uniform(0.15, 0.45), rng.uniform(0.17, 0.26)
    staff = rng.uniform(2.0, 9.0)
    shape = [rng.uniform(0.9, 1.15) for _ in range(4)]
    intensity = {
        key: rng.uniform(low, high)
        for key, low, high in (
            ("research", 0.02, 0.12),
            ("selling", 0.05, 0.13),
            ("admin", 0.03, 0.08),
            ("capex", 0.03, 0.1),
            ("dep", 0.03, 0.06),
            ("rec", 0.1, 0.18),
            ("inv", 0.06, 0.16),
            ("pay", 0.07, 0.14),
            ("acc", 0.05, 0.09),
        )
    }
    total_scale = sum(sizes.values())
    balance = {
        "ppe": int(total_scale * rng.uniform(0.2, 0.5)),
        "goodwill": int(total_scale * rng.uniform(0.05, 0.3)),
        "intangibles": int(total_scale * rng.uniform(0.03, 0.12)),
        "cash": int(total_scale * rng.uniform(0.12, 0.3)),
        "long_debt": int(total_scale * rng.uniform(0.15, 0.35)),
        "stock": int(total_scale * rng.uniform(0.1, 0.3)),
        "retained": 0,
    }
    previous: FiscalYear | None = None
    for year in range(first, last + 1):
        for name in sizes:
            sizes[name] *= 1 + rng.gauss(0.05, 0.09)
        cost_share = min(0.76, max(0.36, cost_share + rng.gauss(0, 0.015)))
        segments = {name: max(20, int(size)) for name, size in sizes.items()}
        revenue = sum(segments.values())
        region_weights = [max(0.15, weight * (1 + rng.gauss(0.01, 0.06))) for weight in region_weights]
        profit = {}
        for name, amount in segments.items():
            margins[name] = min(0.38, max(-0.06, margins[name] + rng.gauss(0, 0.02)))
            profit[name] = int(amount * margins[name])
        flow = _statements(rng, revenue, cost_share, intensity, tax_rate, balance)
        income = flow
        income["eps_cents"] = round(income["net"] / company.unit.ticks * company.unit.scale / (shares * 1000) * 100)
        record = FiscalYear(
            year=year,
            segments=segments,
            segment_profit=profit,
            regions=dict(zip(company.regions, spread(revenue, region_weights), strict=True)),
            quarters=spread(revenue, [weight * rng.uniform(0.96, 1.04) for weight in shape]),
            income=income,
            shares=shares,
            employees=max(180, int(revenue / company.unit.ticks * company.unit.scale / 1e6 * staff / 3)),
        )
        _close_books(rng, record, previous, balance, intensity, payout)
        record.volume = {
            "margin": round(100 * income["gross"] / revenue, 1),
            "operating_margin": round(100 * income["operating"] / revenue, 1),
            "net_margin": round(100 * income["net"] / revenue, 1),
            "retention": round(min(99.4, 86 + rng.random() * 12), 1),
            "satisfaction": round(62 + rng.random() * 33, 1),
        }
        company.history[year] = record
        previous = record
        shares = int(shares * rng.uniform(0.975, 1.008))


def _statements(
    rng: random.Random,
    revenue: int,
    cost_share: float,
    intensity: dict[str, float],
    tax_rate: float,
    balance: dict[str, int],
) -> dict[str, int]:
    """Return the income statement, which adds up line by line."""
    lines = {"revenue": revenue, "cost": int(revenue * cost_share)}
    lines["gross"] = lines["revenue"] - lines["cost"]
    room = lines["gross"] / revenue
    for key in ("research", "selling", "admin"):
        lines[key] = int(revenue * min(intensity[key] * rng.uniform(0.93, 1.07), room / 4))
    lines["other_costs"] = int(revenue * rng.uniform(0.002, 0.02))
    lines["total_costs"] = lines["research"] + lines["selling"] + lines["admin"] + lines["other_costs"]
    lines["operating"] = lines["gross"] - lines["total_costs"]
    lines["interest"] = -int(balance["long_debt"] * rng.uniform(0.025, 0.05)) - 1
    lines["other"] = int(revenue * rng.uniform(-0.006, 0.01))
    lines["pretax"] = lines["operating"] + lines["interest"] + lines["other"]
    lines["tax"] = int(lines["pretax"] * tax_rate * rng.uniform(0.9, 1.1)) if lines["pretax"] > 0 else 0
    lines["net"] = lines["pretax"] - lines["tax"]
    return lines


def _close_books(
    rng: random.Random,
    record: FiscalYear,
    previous: FiscalYear | None,
    state: dict[str, int],
    intensity: dict[str, float],
    payout: float,
) -> None:
    """Fill balance sheet and cash flow of a year: assets equal liabilities plus equity, and cash rolls forward."""
    revenue, income = record.revenue, record.income
    receivables = int(revenue * intensity["rec"] * rng.uniform(0.92, 1.08))
    inventories = int(income["cost"] * intensity["inv"] * rng.uniform(0.92, 1.08))
    payables = int(income["cost"] * intensity["pay"] * rng.uniform(0.92, 1.08))
    accrued = int(revenue * intensity["acc"] * rng.uniform(0.92, 1.08))
    prepaid = int(revenue * rng.uniform(0.012, 0.03))
    short_debt = int(state["long_debt"] * rng.uniform(0.05, 0.15))
    other_liabilities = int(revenue * rng.uniform(0.03, 0.06))
    depreciation = int(revenue * intensity["dep"])
    capex = int(revenue * intensity["capex"] * rng.uniform(0.85, 1.15))
    if previous is None:
        assets = (
            state["cash"]
            + receivables
            + inventories
            + prepaid
            + state["ppe"]
            + state["goodwill"]
            + state["intangibles"]
        )
        debts = payables + accrued + short_debt + state["long_debt"] + other_liabilities
        state["retained"] = assets - debts - state["stock"]
        record.cash = {}
    else:
        before = previous.balance
        dividends = int(max(0, income["net"]) * payout)
        borrowed = int(state["long_debt"] * rng.uniform(-0.08, 0.12))
        flows = {
            "net": income["net"],
            "depreciation": depreciation,
            "receivables": before["receivables"] - receivables,
            "inventories": before["inventories"] - inventories,
            "payables": payables + accrued - before["payables"] - before["accrued"],
            "other_operating": (before["prepaid"] - prepaid) + (other_liabilities - before["other_liabilities"]),
        }
        flows["operating"] = sum(flows.values())
        flows["capex"] = -capex
        acquisitions = int(revenue * rng.uniform(0.0, 0.03))
        flows["acquisitions"] = -acquisitions
        flows["investing"] = -capex - acquisitions
        flows["borrowings"] = borrowed + short_debt - before["short_debt"]
        flows["dividends"] = -dividends
        flows["financing"] = flows["borrowings"] - dividends
        flows["change"] = flows["operating"] + flows["investing"] + flows["financing"]
        flows["opening"] = state["cash"]
        flows["closing"] = state["cash"] + flows["change"]
        floor = int(revenue * 0.04)
        if flows["closing"] < floor:  # a company would borrow before it ran dry
            more = floor - flows["closing"] + int(revenue * rng.uniform(0.01, 0.05))
            borrowed += more
            for key in ("borrowings", "financing", "change", "closing"):
                flows[key] += more
        record.cash = flows
        state["cash"] = flows["closing"]
        state["ppe"] += capex - depreciation
        state["goodwill"] += acquisitions
        state["long_debt"] += borrowed
        state["retained"] += income["net"] - dividends
    current = state["cash"] + receivables + inventories + prepaid
    short = payables + accrued + short_debt
    total = current + state["ppe"] + state["goodwill"] + state["intangibles"]
    liabilities = short + state["long_debt"] + other_liabilities
    equity = state["stock"] + state["retained"]
    if total != liabilities + equity:
        raise AssertionError("the balance sheet must balance")
    record.balance = {
        "cash": state["cash"],
        "receivables": receivables,
        "inventories": inventories,
        "prepaid": prepaid,
        "current": current,
        "ppe": state["ppe"],
        "goodwill": state["goodwill"],
        "intangibles": state["intangibles"],
        "assets": total,
        "payables": payables,
        "accrued": accrued,
        "short_debt": short_debt,
        "short": short,
        "long_debt": state["long_debt"],
        "other_liabilities": other_liabilities,
        "liabilities": liabilities,
        "stock": state["stock"],
        "retained": state["retained"],
        "equity": equity,
        "total": total,
    }
