"""What the hack probe asks: questions over two small reports, with answers of every kind, in English and Chinese.

Contrastive questions stand once for each place that their right image can have, so that naming a fixed place earns
exactly what guessing earns.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from finlmm_core.domain import Answer, Evidence, ImageRef, Language, QuestionType, Sample, content_id
from finlmm_core.steps.sampling.parquet import read_samples
from finlmm_core.steps.sampling.rows import SampleKind

IMAGES = 4
_TABLES: dict[Language, str] = {
    "en": """\
Northwind Foods - Consolidated Statements of Income
(in millions of US dollars) | 2022 | 2021 | 2020 | 2019
Net revenue | 2,846 | 2,513 | 2,207 | 2,391
Cost of sales | 1,678 | 1,529 | 1,402 | 1,466
Gross profit | 1,168 | 984 | 805 | 925
Selling and administrative expenses | 612 | 547 | 518 | 530
Research and development | 143 | 121 | 98 | 104
Operating income | 413 | 316 | 189 | 291
Interest expense | 37 | 41 | 46 | 33
Income taxes | 83 | 61 | 29 | 57
Net income | 293 | 214 | 114 | 201""",
    "zh": """\
海棠科技 - 合并利润表
项目（百万元） | 2022年 | 2021年 | 2020年 | 2019年
营业收入 | 8,462 | 7,153 | 6,027 | 6,391
营业成本 | 5,178 | 4,529 | 3,962 | 4,066
毛利 | 3,284 | 2,624 | 2,065 | 2,325
销售费用 | 912 | 847 | 718 | 730
管理费用 | 643 | 591 | 528 | 504
研发费用 | 805 | 612 | 489 | 455
营业利润 | 924 | 574 | 330 | 636
所得税费用 | 138 | 86 | 47 | 95
净利润 | 786 | 488 | 283 | 541""",
}


class Ask(NamedTuple):
    """A question of the probe: ``right`` and ``wrong`` as one writes them, the right one with its number."""

    kind: str  # 'percent', 'money', 'number', 'label' or 'text': what the verdict is also given by
    question: str
    right: str
    wrong: tuple[str, ...]
    value: float | None = None
    unit: str | None = None
    scale: int = 1
    decimals: int | None = None
    rows: tuple[tuple[str, int], ...] = ()  # row of the table and column, 0 for 2022
    options: bool = True  # else the answer is asked for in words


_MILLION = 1_000_000
_ASKS: dict[Language, tuple[Ask, ...]] = {
    "en": (
        Ask("percent", "By what percentage did Northwind Foods' net revenue grow from 2021 to 2022? Give the answer to "
            "one decimal place.", "13.3%", ("11.7%", "13.9%", "9.8%"), 13.3, "percent", 1, 1,
            (("Net revenue", 0), ("Net revenue", 1))),
        Ask("percent", "What share of net revenue was Northwind Foods' gross profit in 2020? Give the answer to one "
            "decimal place.", "36.5%", ("38.7%", "39.2%", "41.0%"), 36.5, "percent", 1, 1,
            (("Gross profit", 2), ("Net revenue", 2)), options=False),
        Ask("percent", "By how much did Northwind Foods' net income change from 2019 to 2020, in percent? Give the "
            "answer to one decimal place.", "-43.3%", ("43.3%", "-7.7%", "-35.1%"), -43.3, "percent", 1, 1,
            (("Net income", 2), ("Net income", 3))),
        Ask("percent", "By how many percentage points did Northwind Foods' operating margin rise from 2021 to 2022? "
            "Give the answer to one decimal place.", "1.9 percentage points", ("3.1 percentage points",
            "2.4 percentage points", "0.8 percentage points"), 1.9, "percentage_points", 1, 1,
            (("Operating income", 0), ("Operating income", 1))),
        Ask("money", "By how much did Northwind Foods' operating income exceed that of 2020 in 2022?", "$224 million",
            ("$97 million", "$122 million", "$316 million"), 224, "USD", _MILLION, 0,
            (("Operating income", 0), ("Operating income", 2))),
        Ask("money", "What was Northwind Foods' gross profit in 2021?", "$984 million",
            ("$805 million", "$1,168 million", "$925 million"), 984, "USD", _MILLION, 0, (("Gross profit", 1),),
            options=False),
        Ask("number", "How many times as large as its interest expense was Northwind Foods' operating income in 2022? "
            "Give the answer to two decimal places.", "11.16", ("7.71", "4.11", "8.82"), 11.16, "ratio", 1, 2,
            (("Operating income", 0), ("Interest expense", 0))),
        Ask("number", "In how many of the years shown was Northwind Foods' net revenue above $2,300 million?", "3",
            ("2", "4", "1"), 3, "count", 1, 0, (("Net revenue", 0), ("Net revenue", 3)), options=False),
        Ask("label", "In which year was Northwind Foods' interest expense highest?", "2020", ("2022", "2021", "2019"),
            None, "label", 1, None, (("Interest expense", 2), ("Interest expense", 1))),
        Ask("label", "Which rank has 2021 among the years shown by Northwind Foods' net income, from the highest down?",
            "second", ("first", "third", "fourth"), 2, "count", 1, 0, (("Net income", 1), ("Net income", 0))),
        Ask("text", "What explains, according to Northwind Foods' report, that gross profit rose in 2022?",
            "higher selling prices and a richer mix of branded products",
            ("lower interest on borrowings after the refinancing",
             "a one-time gain from the sale of the bakery segment", "fewer employees in administration"),
            rows=(("Gross profit", 0), ("Gross profit", 1))),
        Ask("text", "What does a rising gross margin of Northwind Foods tell?",
            "Each dollar of revenue leaves more after the direct costs of what was sold.",
            ("Customers pay earlier than before.", "The company owes less to its lenders.",
             "Dividends grow faster than profit."), rows=(("Gross profit", 0), ("Net revenue", 0))),
    ),
    "zh": (
        Ask("percent", "海棠科技2022年营业收入较2021年增长了多少？（四舍五入至一位小数）", "18.3%",
            ("15.5%", "16.9%", "21.0%"), 18.3, "percent", 1, 1, (("营业收入", 0), ("营业收入", 1))),
        Ask("percent", "海棠科技2021年研发费用占营业收入的比例是多少？（四舍五入至一位小数）", "8.6%",
            ("9.5%", "8.1%", "11.8%"), 8.6, "percent", 1, 1, (("研发费用", 1), ("营业收入", 1)), options=False),
        Ask("money", "海棠科技2022年净利润比2020年多多少？", "503百万元", ("298百万元", "245百万元", "594百万元"), 503,
            "CNY", _MILLION, 0, (("净利润", 0), ("净利润", 2))),
        Ask("number", "海棠科技2022年营业利润是所得税费用的多少倍？（四舍五入至两位小数）", "6.70",
            ("5.70", "6.67", "7.02"), 6.70, "ratio", 1, 2, (("营业利润", 0), ("所得税费用", 0))),
        Ask("label", "根据海棠科技的利润表，“净利润”在哪个期间最低？", "2020年", ("2019年", "2021年", "2022年"), None,
            "label", 1, None, (("净利润", 2), ("净利润", 3))),
        Ask("text", "如何理解海棠科技2022年毛利的增长？", "说明收入增长超过直接成本，但期间费用和税款仍需由其承担。",
            ("说明客户预付增加，将在以后期间确认收入。", "说明借款减少，利息负担下降。", "说明股东权益总额不变。"),
            rows=(("毛利", 0), ("毛利", 1))),
    ),
}  # fmt: skip


#: Questions that are also asked about images: some of each kind, with options and without.
_WITH_IMAGES: dict[Language, tuple[int, ...]] = {"en": (0, 2, 4, 5, 6, 8, 10), "zh": (1, 2, 4, 5)}


def table_rows(language: Language) -> list[tuple[str, list[str]]]:
    """Return the rows of the table of a language as (label, values from 2022 back)."""
    lines = [line.split(" | ") for line in _TABLES[language].splitlines()[2:]]
    return [(line[0], line[1:]) for line in lines]


def probe_samples(contrastive: bool) -> list[Sample]:
    """Return the samples of the probe: with context, or with images once for each place of the right one."""
    samples = []
    for language, asks in _ASKS.items():
        for number, ask in enumerate(asks):
            if not contrastive:
                samples.append(_sample(ask, language, 0, ()))
            elif number in _WITH_IMAGES[language]:
                samples += [_sample(ask, language, IMAGES, (place,)) for place in range(IMAGES)]
    if contrastive:  # two right images of four, in each of the six ways
        pairs = [(first, second) for first in range(IMAGES) for second in range(first + 1, IMAGES)]
        samples += [_sample(_ASKS["en"][6], "en", IMAGES, pair) for pair in pairs]
    return samples


def stored_samples(folder: Path, kind: SampleKind, limit: int) -> list[Sample]:
    """Return samples of a run's ``samples/`` folder for the probe, spread over its training split.

    Contrastive ones stand once for each image as the right one: the probe reads no images, and naming a fixed place
    must earn what guessing earns.
    """
    listed = list(read_samples(folder, kind, "train"))
    chosen = listed[:: max(1, len(listed) // limit)][:limit]
    if kind == "text":
        return chosen
    return [
        sample.model_copy(update={"gold_images": (place,), "id": f"{sample.id}-{place}"})
        for sample in chosen
        for place in range(len(sample.images))
    ]


def kind_of(sample: Sample) -> str:
    """Return the kind of answer that a sample asks for: 'percent', 'money', 'number', 'label' or 'text'."""
    unit = sample.answer.unit
    if unit in ("percent", "percentage_points"):
        return "percent"
    if unit == "label" or (unit == "count" and not sample.answer.text[:1].isdigit()):
        return "label"
    if sample.answer.value is None:
        return "text"
    return "number" if unit in ("ratio", "count", None) else "money"


def _sample(ask: Ask, language: Language, images: int, gold: Sequence[int]) -> Sample:
    options = _options(ask) if ask.options else ()
    table = dict(table_rows(language))
    years = ["2022", "2021", "2020", "2019"]
    evidence = tuple(
        Evidence(
            name="ab"[place],
            text=table[row][column],
            value=float(table[row][column].replace(",", "")),
            labels=(row, years[column]),
            page=1,
        )
        for place, (row, column) in enumerate(ask.rows)
    )
    return Sample(
        id=content_id("probe", ask.question, images, list(gold)),
        type=QuestionType.FINANCIAL_KNOWLEDGE if ask.kind == "text" else QuestionType.ARITHMETIC_REASONING,
        language=language,
        question=ask.question,
        options=options,
        answer=Answer(
            text=ask.right,
            option=options.index(ask.right) if options else 0,
            value=ask.value,
            unit=ask.unit,
            scale=ask.scale,
            decimals=ask.decimals,
        ),
        images=tuple(ImageRef(sha256=f"{place:064x}", width=640, height=480) for place in range(images)),
        gold_images=tuple(gold),
        tiers=tuple("gold" if place in gold else "nearest" for place in range(images)),
        context="" if images else _TABLES[language],
        evidence=evidence,
        qa_id=content_id("probe", ask.question),
        document_id="probe",
        split="test",
    )


def _options(ask: Ask) -> tuple[str, ...]:
    """Return the options with the right one in a place that depends on the question."""
    options = list(ask.wrong)
    options.insert(int(content_id(ask.question), 16) % (len(options) + 1), ask.right)
    return tuple(options)


def wrong_answer(sample: Sample) -> str:
    """Return a wrong answer as one writes it: another option, or another value."""
    if sample.options:
        return sample.options[(sample.answer.option + 1) % len(sample.options)]
    for ask in _ASKS[sample.language]:
        if ask.question == sample.question:
            return ask.wrong[0]
    if sample.answer.value is None:
        return "none of these"
    printed = f"{abs(sample.answer.value):,.{sample.answer.decimals or 0}f}"
    other = f"{abs(sample.answer.value) * 1.7 + 3:,.{sample.answer.decimals or 0}f}"
    return sample.answer.text.replace(printed, other) if printed in sample.answer.text else other
