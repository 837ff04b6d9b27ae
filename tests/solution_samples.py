"""Samples of every shape that the generators make, English and Chinese, for tests of worked solutions."""

from __future__ import annotations

from finlmm_core.domain import Answer, Evidence, ImageRef, Language, QuestionType, Sample, content_id
from finlmm_core.quantities import parse_number

ROWS = {
    "en": ("Net sales", "Cost of sales", "Gross profit", "Research costs", "Other income (Operating)", "Interest"),
    "zh": ("营业收入", "营业成本", "毛利润", "研发费用", "其他收益", "利息支出"),
}
YEARS = ("2022", "2021", "2020", "2019", "2018", "2017")
ORDINALS = {"en": ("first", "second", "third", "fourth", "fifth"), "zh": ("第一", "第二", "第三", "第四", "第五")}


def cells(*printed: str, language: Language = "en", by: str = "year") -> tuple[Evidence, ...]:
    """Return evidence a, b, c ...: one row over years, several rows in one year, or pairs of years of several rows."""
    rows = ROWS[language]
    labels: list[tuple[str, ...]] = {
        "year": [(rows[0], YEARS[n]) for n in range(6)],
        "period": [(rows[0], f"Year ended {YEARS[n]} Total", YEARS[n]) for n in range(6)],
        "row": [(rows[n], "Year ended December 31, 2022 £’000", "Section") for n in range(6)],
        "pair": [(rows[n // 2], YEARS[n % 2]) for n in range(8) if n // 2 < 6],
    }[by]
    return tuple(
        Evidence(name="abcdefgh"[n], text=text, value=float(parse_number(text).value), labels=labels[n], page=1)
        for n, text in enumerate(printed)
    )


def sample(
    program: str | None,
    evidence: tuple[Evidence, ...],
    text: str,
    *,
    value: float | None = None,
    unit: str | None = None,
    decimals: int | None = None,
    language: Language = "en",
    kind: QuestionType = QuestionType.ARITHMETIC_REASONING,
    images: int = 0,
    wrong: tuple[str, ...] = ("x 1", "x 2", "x 3"),
    context: str = "A passage.",
    **more: object,
) -> Sample:
    """Return a sample whose right option is the second of four."""
    identity = content_id(program, [item.model_dump() for item in evidence], text, language, images)
    return Sample(
        id=identity,
        type=kind,
        language=language,
        question="How much?",
        options=(wrong[0], text, *wrong[1:]) if wrong else (),
        answer=Answer(text=text, option=1 if wrong else 0, value=value, unit=unit, decimals=decimals),
        images=tuple(ImageRef(sha256=f"{n}" * 64, width=40, height=30) for n in range(images)),
        gold_images=(images - 1,) if images else (),
        tiers=("random",) * (images - 1) + ("gold",) if images else (),
        context="" if images else context,
        evidence=evidence,
        program=program,
        qa_id=identity,
        document_id="d",
        split="train",
    ).model_copy(update=more)


def label(program: str, evidence: tuple[Evidence, ...], text: str, **more: object) -> Sample:
    return sample(program, evidence, text, unit="label", kind=QuestionType.STATISTICS_REASONING, **more)  # type: ignore[arg-type]


def all_shapes(language: Language, images: int) -> dict[str, Sample]:
    """Return a sample of each program shape, and of the questions that are answered in words."""
    rows, ordinals = ROWS[language], ORDINALS[language]
    points = "{} percentage points" if language == "en" else "{}个百分点"
    kind: dict[str, object] = {"language": language, "images": images}

    def of(*printed: str, by: str = "year") -> tuple[Evidence, ...]:
        return cells(*printed, language=language, by=by)

    def number(
        program: str, evidence: tuple[Evidence, ...], text: str, value: float, unit: str, decimals: int
    ) -> Sample:
        numbers = tuple(text.replace(str(abs(value)), f"{abs(value) + n}") for n in (7, 11, 13))
        wrong = numbers if len({text, *numbers}) == 4 else ("9,001", "9,002", "9,003")
        return sample(program, evidence, text, value=value, unit=unit, decimals=decimals, wrong=wrong, **kind)  # type: ignore[arg-type]

    three = of("7", "107", "(57)")
    four = of("3", "$ 10", "10", "109")
    listed = of("39", "9", "2", "7", "36", by="row")
    pairs = of("4,869", "5,058", "1,544", "1,474", "334", "250", by="pair")
    effect = Evidence(name="effect", text="sales fell by 7 percent", labels=(), page=1)
    cause = Evidence(name="cause", text="lower volumes", labels=(), page=1)
    term = Evidence(name="term", text=rows[0], labels=(rows[0], "2022", "2021"), page=1)
    return {
        "change": number("a - b", of("80", "120"), "-40", -40.0, "USD", 0),
        "growth": number("(a - b) / b * 100", of("$ 6,021", "$ 5,853"), "2.9%", 2.9, "percent", 1),
        "ratio": number("a / b", of("1.24", "0.92", by="row"), "1.35", 1.35, "ratio", 2),
        "share": number("a / b * 100", of("2,528", "11,217", by="row"), "22.5%", 22.5, "percent", 1),
        "points": number("a - b", of("50.9 %", "50.8 %"), points.format("0.1"), 0.1, "percentage_points", 1),
        "growth gap": number(
            "(a - b) / b * 100 - (c - d) / d * 100",
            of("16,055", "15,118", "6,626", "6,311", by="pair"), points.format("1.2"), 1.2, "percentage_points", 1,
        ),
        "share change": number(
            "a / b * 100 - c / d * 100", of("542", "4,198", "561", "4,361", by="pair"), points.format("0.05"), 0.05,
            "percentage_points", 2,
        ),
        "cagr": number("((a / b) ** (1 / 4) - 1) * 100", of("$127", "$132"), "-0.96%", -0.96, "percent", 2),
        "square": number("(a / b) ** 2", of("12", "10"), "1.44", 1.44, "ratio", 2),
        "sum": number("sum(a, b, c)", three, "57", 57.0, "USD", 0),
        "mean": number("mean(a, b, c)", three, "19", 19.0, "USD", 0),
        "mean of four": number("mean(a, b, c, d)", four, "33", 33.0, "USD", 0),
        "spread": number("max(a, b, c) - min(a, b, c)", three, "164", 164.0, "USD", 0),
        "median": number("median(a, b, c, d, e)", listed, "9", 9.0, "USD", 0),
        "median of four": number("median(a, b, c, d)", four, "10", 10.0, "USD", 0),
        "absolute": number("abs(a - b)", of("80", "120"), "40", 40.0, "USD", 0),
        "rounded": number("round(a / b, 1)", of("1.24", "0.92"), "1.3", 1.3, "ratio", 1),
        "risen": number("count(a > b, c > d, e > f)", pairs, "2", 2.0, "count", 0),
        "above": number("count(a > 8, b > 8, c > 8)", of("39", "9", "2", by="row"), "2", 2.0, "count", 0),
        "rank": sample(
            "rank(b, a, b, c, d, e)", listed, ordinals[2], value=3.0, unit="count", decimals=0,
            wrong=(ordinals[0], ordinals[1], ordinals[3]), **kind,  # type: ignore[arg-type]
        ),
        "rank of the largest": sample(
            "rank(a, a, b, c)", of("9", "4", "7"), ordinals[0], value=1.0, unit="count", decimals=0,
            wrong=(ordinals[1], ordinals[2], ordinals[3]), **kind,  # type: ignore[arg-type]
        ),
        "largest": label("argmax(a, b, c, d, e)", listed, rows[0], wrong=rows[1:4], **kind),
        "smallest": label("argmin(a, b, c, d, e)", listed, rows[2], wrong=(rows[0], rows[1], rows[3]), **kind),
        "peak": label(
            "argmax(a, b, c)", of("5", "11", "7", by="period"), "2021", wrong=("2022", "2020", "2019"), **kind
        ),
        "largest rise": label(
            "argmax(a - b, c - d, e - f)", pairs, rows[2], wrong=(rows[0], rows[1], rows[3]), **kind
        ),
        "fastest": label("argmax(a / b, c / d, e / f)", pairs, rows[2], wrong=(rows[0], rows[1], rows[3]), **kind),
        "which and by how much": label(
            "argmax(a, b)", of("40.4%", "44.6%"), f"2021, {points.format('4.2')}",
            wrong=tuple(f"{year}, {points.format(by)}" for year, by in ((2022, 4.2), (2021, 5.2), (2022, 5.2))), **kind,
        ),
        "cause": sample(
            None, (effect, cause), "lower volumes", kind=QuestionType.FINANCIAL_EXPLANATION,
            wrong=("higher prices", "a strike", "new stores"), **kind,  # type: ignore[arg-type]
        ),
        "meaning": sample(
            None, (term, *of("120", "100")), "What customers paid for goods.", kind=QuestionType.FINANCIAL_KNOWLEDGE,
            wrong=("What is owed.", "What is left.", "What was lost."), **kind,  # type: ignore[arg-type]
        ),
    }  # fmt: skip
