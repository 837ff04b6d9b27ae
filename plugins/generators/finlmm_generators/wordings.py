"""How each table question is asked: at least five wordings a template, in English and Chinese.

Slots: ``{s}`` the table in words, ``{r}`` and ``{r2}`` rows, ``{t}`` the total row, ``{rows}`` several rows, ``{p0}`` and
``{p1}`` the earlier and the later period, ``{at}``, ``{at0}`` and ``{at1}`` 'in 2021' or 'under "Americas"', ``{n}`` a
count, ``{limit}`` a threshold.
"""
# ruff: noqa: E501 - a wording is easier to read on one line

from __future__ import annotations

from finlmm_core.domain import Language

WORDINGS: dict[str, dict[Language, tuple[str, ...]]] = {
    "change": {
        "en": (
            "According to {s}, by how much did {r} change from {p0} to {p1}?",
            "How much did {r} rise or fall between {p0} and {p1}, as reported in {s}?",
            "Using {s}, compute by what amount {r} changed from {p0} to {p1} (a decline is negative).",
            "What is the difference between the {p1} and the {p0} amount of {r} in {s}, taken as {p1} minus {p0}?",
            "In {s}, what was the net movement in {r} when going from {p0} to {p1}?",
            "Subtract the {p0} value of {r} from its {p1} value in {s}. What do you get?",
        ),
        "zh": (
            "根据{s}，{r}从{p0}到{p1}变动了多少？",
            "在{s}中，{p1}的{r}比{p0}增加或减少了多少？",
            "请依据{s}计算{r}由{p0}至{p1}的变动额。",
            "{s}显示，{r}在{p1}与{p0}之间的差额（{p1}减{p0}）是多少？",
            "从{s}来看，以{p0}为起点，{p1}的{r}净变动额为多少？",
        ),
    },
    "growth_rate": {
        "en": (
            "According to {s}, by what percentage did {r} change from {p0} to {p1}?",
            "What was the growth rate of {r} between {p0} and {p1} in {s}? (A decline is negative.)",
            "Using {s}, compute the percentage change in {r} from {p0} to {p1}.",
            "Relative to {p0}, how large was the percentage change of {r} in {p1}, based on {s}?",
            "In {s}, taking {p0} as the base, what is the percent change in {r} by {p1}?",
            "How fast did {r} grow (or shrink, if negative) from {p0} to {p1} in percentage terms, going by {s}?",
        ),
        "zh": (
            "根据{s}，{r}从{p0}到{p1}的变动百分比是多少？",
            "在{s}中，{r}在{p1}相对{p0}的增长率为多少（下降为负）？",
            "请依据{s}计算{p1}的{r}较{p0}的变动幅度。",
            "以{p0}为基期，{s}中{p1}的{r}增长了百分之几（负数表示下降）？",
            "{s}显示的{r}，由{p0}至{p1}的增速是多少？",
        ),
    },
    "share_of_total": {
        "en": (
            "According to {s}, what percentage of {t} did {r} account for {at}?",
            "What share of {t} came from {r} {at}, based on {s}?",
            "Using {s}, compute {r} as a percentage of {t} {at}.",
            "In {s}, how large a part of {t} was {r} {at}, in percent?",
            "{at_cap}, what proportion of {t} did {r} make up in {s}?",
        ),
        "zh": (
            "根据{s}，{at}{r}占{t}的百分比是多少？",
            "在{s}中，{at}{r}在{t}里的占比为多少？",
            "请依据{s}计算{at}{r}占{t}的比重。",
            "{s}显示，{at}{t}中有百分之几来自{r}？",
            "从{s}来看，{at}{r}对{t}的贡献比例是多少？",
        ),
    },
    "share_change": {
        "en": (
            "According to {s}, by how many percentage points did the share of {r} in {t} change from {p0} to {p1}?",
            "How did the proportion of {t} represented by {r} move between {p0} and {p1} in {s}, in percentage points?",
            "Using {s}, compute the change in {r} as a percentage of {t} from {p0} to {p1}.",
            "In {s}, what is the difference between the {p1} and the {p0} share of {r} in {t}, in percentage points?",
            "By how many percentage points was the weight of {r} within {t} higher or lower in {p1} than in {p0}, going by {s}?",
        ),
        "zh": (
            "根据{s}，{r}占{t}的比重从{p0}到{p1}变动了多少个百分点？",
            "在{s}中，{p1}与{p0}相比，{r}在{t}中的占比变化了几个百分点？",
            "请依据{s}计算{r}占{t}比例由{p0}至{p1}的变动（百分点）。",
            "{s}显示，{r}占{t}的份额在{p1}比{p0}高或低多少个百分点？",
            "从{s}来看，{p0}至{p1}期间，{r}占{t}的百分比变动多少？",
        ),
    },
    "ratio": {
        "en": (
            "According to {s}, {r} was how many times as large as {r2} {at}?",
            "What was the ratio of {r} to {r2} {at} in {s}?",
            "Using {s}, divide {r} by {r2} {at}. What is the result?",
            "In {s}, how many times as large as {r2} was {r} {at}?",
            "{at_cap}, {r} equalled what multiple of {r2}, based on {s}?",
        ),
        "zh": (
            "根据{s}，{at}{r}是{r2}的多少倍？",
            "在{s}中，{at}{r}与{r2}的比值是多少？",
            "请依据{s}用{at}的{r}除以{r2}，结果是多少？",
            "{s}显示，{at}{r}相当于{r2}的几倍？",
            "从{s}来看，{at}{r}与{r2}相比为几倍？",
        ),
    },
    "margin": {
        "en": (
            "According to {s}, what was {r} as a percentage of {r2} {at}?",
            "What margin does {r} represent relative to {r2} {at} in {s}?",
            "Using {s}, compute the ratio of {r} to {r2} {at} as a percentage.",
            "In {s}, what percentage of {r2} remained as {r} {at}?",
            "{at_cap}, for every 100 of {r2}, how much was {r}, based on {s} (in percent)?",
        ),
        "zh": (
            "根据{s}，{at}{r}占{r2}的百分比（利润率）是多少？",
            "在{s}中，{at}{r}与{r2}之比是百分之几？",
            "请依据{s}计算{at}以{r2}为基数的{r}比率。",
            "{s}显示，{at}每100元{r2}对应的{r}是多少（以百分比表示）？",
            "从{s}来看，{at}{r}相对{r2}的利润率为多少？",
        ),
    },
    "sum_periods": {
        "en": (
            "According to {s}, what was the combined {r} over {ps}?",
            "Adding up {ps}, how much did {r} come to in {s}?",
            "Using {s}, compute the total of {r} for {ps} together.",
            "In {s}, what is the cumulative amount of {r} across {ps}?",
            "What do the amounts of {r} for {ps} sum to, based on {s}?",
        ),
        "zh": (
            "根据{s}，{ps}的{r}合计是多少？",
            "在{s}中，把{ps}的{r}相加等于多少？",
            "请依据{s}计算{r}在{ps}的累计金额。",
            "{s}显示，{ps}{r}之和为多少？",
            "从{s}来看，{ps}的{r}总共是多少？",
        ),
    },
    "sum_rows": {
        "en": (
            "According to {s}, what was the combined amount of {rows} {at}?",
            "How much did {rows} add up to {at} in {s}?",
            "Using {s}, compute the sum of {rows} {at}.",
            "In {s}, what did {rows} come to together {at}?",
            "{at_cap}, what was the aggregate of {rows}, based on {s}?",
        ),
        "zh": (
            "根据{s}，{at}{rows}的合计是多少？",
            "在{s}中，{at}{rows}相加等于多少？",
            "请依据{s}计算{at}{rows}之和。",
            "{s}显示，{at}{rows}加起来是多少？",
            "从{s}来看，{at}{rows}的总额为多少？",
        ),
    },
    "difference_rows": {
        "en": (
            "According to {s}, by how much did {r} exceed {r2} {at}?",
            "What was the gap between {r} and the smaller {r2} {at} in {s}?",
            "Using {s}, compute {r} minus {r2} {at}.",
            "In {s}, how much larger was {r} than {r2} {at}?",
            "{at_cap}, what amount separated {r} from the lower {r2}, based on {s}?",
        ),
        "zh": (
            "根据{s}，{at}{r}比{r2}多多少？",
            "在{s}中，{at}{r}与较小的{r2}相差多少？",
            "请依据{s}计算{at}{r}减去{r2}的差额。",
            "{s}显示，{at}{r}超出{r2}多少？",
            "从{s}来看，{at}{r}高于{r2}的金额是多少？",
        ),
    },
    "cagr": {
        "en": (
            "According to {s}, what was the compound annual growth rate of {r} from {p0} to {p1}?",
            "At what average annual compound rate did {r} change between {p0} and {p1} in {s}?",
            "Using {s}, compute the CAGR of {r} over the {n} years from {p0} to {p1}.",
            "In {s}, by what constant yearly percentage would {r} have had to change to get from its {p0} to its {p1} level?",
            "What compound annual growth rate takes {r} from {p0} to {p1}, based on {s}? (A decline is negative.)",
        ),
        "zh": (
            "根据{s}，{r}从{p0}到{p1}的年均复合增长率是多少？",
            "在{s}中，{p0}至{p1}{r}的复合年增长率（CAGR）为多少？",
            "请依据{s}计算{r}在{p0}到{p1}这{n}年间的复合增速。",
            "{s}显示，{r}由{p0}变为{p1}的水平，平均每年复合增长百分之几？",
            "从{s}来看，{p0}—{p1}{r}的CAGR是多少（下降为负）？",
        ),
    },
    "growth_gap": {
        "en": (
            "According to {s}, by how many percentage points did the growth rate of {r} from {p0} to {p1} exceed that of {r2}?",
            "From {p0} to {p1}, how many percentage points faster did {r} grow than {r2} in {s}?",
            "Using {s}, compute the percentage change of {r} from {p0} to {p1} minus that of {r2}, in percentage points.",
            "In {s}, what is the gap in percentage points between the {p0}-to-{p1} growth rates of {r} and {r2}?",
            "How many percentage points separate the growth of {r} from the lower growth of {r2} between {p0} and {p1}, based on {s}?",
        ),
        "zh": (
            "根据{s}，从{p0}到{p1}，{r}的增长率比{r2}高多少个百分点？",
            "在{s}中，{p1}较{p0}，{r}的增速快于{r2}几个百分点？",
            "请依据{s}计算{p0}至{p1}{r}增幅减去{r2}增幅的差（百分点）。",
            "{s}显示，{r}与{r2}由{p0}至{p1}的增长率相差多少个百分点？",
            "从{s}来看，{p0}到{p1}期间{r}的变动率超出{r2}多少个百分点？",
        ),
    },
    "point_change": {
        "en": (
            "According to {s}, by how many percentage points did {r} change from {p0} to {p1}?",
            "How many percentage points higher or lower was {r} in {p1} than in {p0}, based on {s}?",
            "Using {s}, compute the change in {r} from {p0} to {p1} in percentage points.",
            "In {s}, what is {r} for {p1} minus {r} for {p0}, in percentage points?",
            "Between {p0} and {p1}, how did {r} move in {s}, expressed in percentage points?",
        ),
        "zh": (
            "根据{s}，{r}从{p0}到{p1}变动了多少个百分点？",
            "在{s}中，{p1}的{r}比{p0}高或低几个百分点？",
            "请依据{s}计算{r}由{p0}至{p1}的百分点变动。",
            "{s}显示，{p1}的{r}减去{p0}的{r}等于多少个百分点？",
            "从{s}来看，{p0}至{p1}{r}变化了多少个百分点？",
        ),
    },
    "average": {
        "en": (
            "According to {s}, what was the average {r} over {ps}?",
            "What is the arithmetic mean of {r} for {ps} in {s}?",
            "Using {s}, compute the mean of {r} across {ps}.",
            "In {s}, taking {ps} together, what did {r} average?",
            "On average, how high was {r} in {ps}, based on {s}?",
        ),
        "zh": (
            "根据{s}，{ps}{r}的平均值是多少？",
            "在{s}中，{r}在{ps}的算术平均数为多少？",
            "请依据{s}计算{ps}{r}的均值。",
            "{s}显示，{ps}平均每期的{r}是多少？",
            "从{s}来看，{r}在{ps}的平均水平是多少？",
        ),
    },
    "range": {
        "en": (
            "According to {s}, what is the range (highest minus lowest) of {r} over {ps}?",
            "Across {ps}, how far apart are the largest and the smallest value of {r} in {s}?",
            "Using {s}, compute the spread between the maximum and the minimum of {r} for {ps}.",
            "In {s}, by how much does the peak of {r} exceed its low point over {ps}?",
            "What is the maximum minus the minimum of {r} in {ps}, based on {s}?",
        ),
        "zh": (
            "根据{s}，{ps}{r}的极差（最高值减最低值）是多少？",
            "在{s}中，{ps}里{r}的最大值与最小值相差多少？",
            "请依据{s}计算{r}在{ps}的最大值减最小值。",
            "{s}显示，{ps}{r}的高点比低点高多少？",
            "从{s}来看，{r}在{ps}的波动范围（最大减最小）为多少？",
        ),
    },
    "median": {
        "en": (
            "According to {s}, what is the median of {rows} {at}?",
            "Which middle value results when {rows} {at} are put in order, based on {s}?",
            "Using {s}, compute the median amount among {rows} {at}.",
            "In {s}, what is the median of the amounts of {rows} {at}?",
            "{at_cap}, what was the median across {rows} in {s}?",
        ),
        "zh": (
            "根据{s}，{at}{rows}的中位数是多少？",
            "在{s}中，把{at}{rows}按大小排列，居中的数值是多少？",
            "请依据{s}计算{at}{rows}的中位数。",
            "{s}显示，{at}{rows}各项金额的中位数为多少？",
            "从{s}来看，{at}{rows}的中间值是多少？",
        ),
    },
    "largest": {
        "en": (
            "According to {s}, which of these items was the largest {at}?",
            "Which of the listed items had the highest value {at} in {s}?",
            "Using {s}, identify the option with the greatest value {at}.",
            "In {s}, which of the options ranked first by value {at}?",
            "{at_cap}, which of these had the highest value in {s}?",
        ),
        "zh": (
            "根据{s}，{at}下列项目中哪一项最大？",
            "在{s}中，{at}数值最高的是以下哪一项？",
            "请依据{s}找出各选项中{at}数值最大的一项。",
            "{s}显示，{at}以下各项中排名第一的是？",
            "从{s}来看，{at}选项中哪一项的数值居首？",
        ),
    },
    "smallest": {
        "en": (
            "According to {s}, which of these items was the smallest {at}?",
            "Which of the listed items had the lowest value {at} in {s}?",
            "Using {s}, identify the option with the least value {at}.",
            "In {s}, which of the options came last by value {at}?",
            "{at_cap}, which of these had the lowest value in {s}?",
        ),
        "zh": (
            "根据{s}，{at}下列项目中哪一项最小？",
            "在{s}中，{at}数值最低的是以下哪一项？",
            "请依据{s}找出各选项中{at}数值最小的一项。",
            "{s}显示，{at}以下各项中排名最后的是？",
            "从{s}来看，{at}选项中哪一项的数值最低？",
        ),
    },
    "largest_part": {
        "en": (
            "According to {s}, which component contributed the most to {t} {at}?",
            "Which item was the biggest part of {t} {at} in {s}?",
            "Using {s}, identify the largest component of {t} {at}.",
            "In {s}, which of the items that add up to {t} had the highest amount {at}?",
            "{at_cap}, what made up the largest portion of {t}, based on {s}?",
        ),
        "zh": (
            "根据{s}，{at}{t}中贡献最大的是哪一项？",
            "在{s}中，{at}{t}最大的组成部分是什么？",
            "请依据{s}找出{at}{t}各组成项中金额最高的一项。",
            "{s}显示，{at}构成{t}的项目中哪一项最大？",
            "从{s}来看，{at}{t}里占比最高的是哪一项？",
        ),
    },
    "peak_period": {
        "en": (
            "According to {s}, in which of these periods was {r} at its highest?",
            "When did {r} reach its maximum in {s}?",
            "Using {s}, identify the period with the largest {r}.",
            "In {s}, for which period is the greatest amount of {r} reported?",
            "Which period shows the peak of {r}, based on {s}?",
        ),
        "zh": (
            "根据{s}，{r}在哪个期间最高？",
            "在{s}中，{r}何时达到最大值？",
            "请依据{s}找出{r}最大的期间。",
            "{s}显示，哪一期的{r}最高？",
            "从{s}来看，{r}的峰值出现在哪个期间？",
        ),
    },
    "low_period": {
        "en": (
            "According to {s}, in which of these periods was {r} at its lowest?",
            "When did {r} reach its minimum in {s}?",
            "Using {s}, identify the period with the smallest {r}.",
            "In {s}, for which period is the least amount of {r} reported?",
            "Which period shows the low point of {r}, based on {s}?",
        ),
        "zh": (
            "根据{s}，{r}在哪个期间最低？",
            "在{s}中，{r}何时降至最小值？",
            "请依据{s}找出{r}最小的期间。",
            "{s}显示，哪一期的{r}最低？",
            "从{s}来看，{r}的低点出现在哪个期间？",
        ),
    },
    "rank": {
        "en": (
            "According to {s}, where does {r} rank by size among {rows} {at}, counting from the largest?",
            "If {rows} are ordered from largest to smallest {at}, what place does {r} take in {s}?",
            "Using {s}, determine the rank of {r} among {rows} {at}, from the highest amount down.",
            "In {s}, what position by amount does {r} hold {at} when compared with {rows}, the largest being first?",
            "{at_cap}, how does {r} rank by amount (largest first) within {rows}, based on {s}?",
        ),
        "zh": (
            "根据{s}，{at}在{rows}中，{r}按金额从大到小排第几？",
            "在{s}中，把{at}{rows}由大到小排列，{r}居第几位？",
            "请依据{s}确定{at}{r}在{rows}中的金额排名（从高到低）。",
            "{s}显示，{at}{r}在{rows}里按数值大小（最大为首）位列第几？",
            "从{s}来看，{at}{rows}之中，{r}的规模从大到小排名第几？",
        ),
    },
    "count_above": {
        "en": (
            "According to {s}, how many of {rows} exceeded {limit} {at}?",
            "Of {rows}, how many were above {limit} {at} in {s}?",
            "Using {s}, count how many of {rows} were greater than {limit} {at}.",
            "In {s}, for how many of {rows} was the amount {at} over {limit}?",
            "{at_cap}, how many among {rows} were larger than {limit}, based on {s}?",
        ),
        "zh": (
            "根据{s}，{at}{rows}中有几项超过{limit}？",
            "在{s}中，{at}{rows}里高于{limit}的有多少项？",
            "请依据{s}统计{at}{rows}中大于{limit}的项目数。",
            "{s}显示，{at}{rows}当中金额在{limit}以上的有几项？",
            "从{s}来看，{at}{rows}中数值大于{limit}的项目有多少个？",
        ),
    },
    "count_risen": {
        "en": (
            "According to {s}, how many of {rows} increased from {p0} to {p1}?",
            "Of {rows}, how many were higher in {p1} than in {p0}, based on {s}?",
            "Using {s}, count how many of {rows} rose between {p0} and {p1}.",
            "In {s}, for how many of {rows} did the amount go up from {p0} to {p1}?",
            "Comparing {p1} with {p0} in {s}, how many among {rows} grew?",
        ),
        "zh": (
            "根据{s}，从{p0}到{p1}，{rows}中有几项增加？",
            "在{s}中，{rows}里{p1}高于{p0}的有多少项？",
            "请依据{s}统计{rows}中由{p0}至{p1}上升的项目数。",
            "{s}显示，{p1}与{p0}相比，{rows}当中有几项增长？",
            "从{s}来看，{p0}至{p1}期间，{rows}中金额增加的项目有多少个？",
        ),
    },
    "largest_increase": {
        "en": (
            "According to {s}, which of these items increased the most in amount from {p0} to {p1}?",
            "Which of the listed items had the largest absolute increase between {p0} and {p1} in {s}?",
            "Using {s}, identify the option whose amount rose most from {p0} to {p1}.",
            "In {s}, which of the options gained the most in absolute terms from {p0} to {p1}?",
            "Going from {p0} to {p1}, which of these items added the greatest amount, based on {s}?",
        ),
        "zh": (
            "根据{s}，从{p0}到{p1}，下列哪一项的金额增加最多？",
            "在{s}中，{p1}较{p0}绝对增加额最大的是以下哪一项？",
            "请依据{s}找出各选项中由{p0}至{p1}增加额最大的一项。",
            "{s}显示，{p0}至{p1}期间，选项中哪一项增量最大？",
            "从{s}来看，{p1}比{p0}增加最多的是哪一项？",
        ),
    },
    "fastest_growth": {
        "en": (
            "According to {s}, which of these items had the highest growth rate from {p0} to {p1}?",
            "Which of the listed items grew fastest in percentage terms between {p0} and {p1} in {s}?",
            "Using {s}, identify the option with the highest percentage change from {p0} to {p1}.",
            "In {s}, which of the options shows the strongest relative growth from {p0} to {p1}?",
            "Relative to {p0}, which of these items grew by the largest percentage in {p1}, based on {s}?",
        ),
        "zh": (
            "根据{s}，从{p0}到{p1}，下列哪一项的增长率最高？",
            "在{s}中，{p1}较{p0}增速最快的是以下哪一项？",
            "请依据{s}找出各选项中由{p0}至{p1}增幅（百分比）最高的一项。",
            "{s}显示，{p0}至{p1}期间，选项中哪一项的相对增幅最大？",
            "从{s}来看，以{p0}为基期，{p1}增幅最高的是哪一项？",
        ),
    },
}
