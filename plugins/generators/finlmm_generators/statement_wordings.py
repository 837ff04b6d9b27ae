"""How questions from stated numbers are asked where no table question is asked so.

Slots: ``{s}`` the report in words, ``{r}`` the measure, ``{p0}`` and ``{p1}`` the earlier and the later period, ``{g}``
and ``{g2}`` two groups (the larger value first, except in ``which_group``), ``{ps}`` and ``{gs}`` several of them.
"""

from __future__ import annotations

from finlmm_core.domain import Language

STATEMENT_WORDINGS: dict[str, dict[Language, tuple[str, ...]]] = {
    "period_ratio": {
        "en": (
            "According to {s}, {r} for {p1} was how many times that for {p0}?",
            "What is the ratio of {r} in {p1} to {r} in {p0}, as reported in {s}?",
            "Using {s}, divide {r} for {p1} by {r} for {p0}. What is the result?",
            "In {s}, {r} for {p1} equals what multiple of {r} for {p0}?",
            "How many times as high as in {p0} was {r} in {p1}, based on {s}?",
        ),
        "zh": (
            "根据{s}，{p1}的{r}是{p0}的多少倍？",
            "在{s}中，{p1}与{p0}的{r}之比是多少？",
            "请依据{s}用{p1}的{r}除以{p0}的{r}，结果是多少？",
            "{s}显示，{p1}{r}相当于{p0}的几倍？",
            "从{s}来看，以{p0}的{r}为1，{p1}的{r}为多少？",
        ),
    },
    "which_period": {
        "en": (
            "According to {s}, in which of the two periods, {p0} or {p1}, was {r} higher, and by how much?",
            "Comparing {p0} with {p1} in {s}, when was {r} higher, and by what margin?",
            "Using {s}, say which of {p0} and {p1} had the higher {r} and how large the gap was.",
            "Was {r} higher in {p0} or in {p1}, and how far apart were the two, based on {s}?",
            "In {s}, which of {p0} and {p1} comes out ahead on {r}, and by how much?",
        ),
        "zh": (
            "根据{s}，{p0}与{p1}相比，哪一期的{r}更高，高出多少？",
            "在{s}中，{r}在{p0}和{p1}哪个时期较高，差额是多少？",
            "请依据{s}判断{p0}和{p1}中{r}较高的时期及高出的幅度。",
            "{s}显示，{p0}与{p1}的{r}哪个更大，大多少？",
            "从{s}来看，{r}在{p0}和{p1}中何时更高，相差多少？",
        ),
    },
    "period_rank": {
        "en": (
            "According to {s}, when {ps} are ranked by {r} from highest to lowest, where does {p0} stand?",
            "Ordering {ps} by {r}, highest first, which place does {p0} take in {s}?",
            "Using {s}, rank {ps} by {r} in descending order. What is the rank of {p0}?",
            "In {s}, what position does {p0} hold among {ps} by {r}, the highest being first?",
            "Among {ps}, sorted downwards by {r}, which place belongs to {p0}, based on {s}?",
        ),
        "zh": (
            "根据{s}，将{ps}按{r}从高到低排列，{p0}排第几？",
            "在{s}中，{ps}按{r}由高到低排序，{p0}位列第几？",
            "请依据{s}对{ps}的{r}降序排名，{p0}的名次是？",
            "{s}显示，在{ps}中按{r}从大到小，{p0}处于第几位？",
            "从{s}来看，{ps}的{r}由高至低排列时，{p0}居第几位？",
        ),
    },
    "group_gap": {
        "en": (
            "According to {s}, by how many percentage points does the share of {g} who {r} exceed that of {g2}?",
            "How many percentage points separate {g} from {g2} on the share who {r}, based on {s}?",
            "Using {s}, compute the share of {g} who {r} minus the share of {g2} who do, in percentage points.",
            "In {s}, what is the gap in percentage points between {g} and {g2} in the share who {r}?",
            "Of {g} and {g2}, a larger share of the former {r}. How many percentage points larger is it in {s}?",
        ),
        "zh": (
            "根据{s}，{g}的{r}比{g2}高多少个百分点？",
            "在{s}中，{g}与{g2}的{r}相差几个百分点？",
            "请依据{s}计算{g}的{r}减去{g2}的{r}，以百分点表示。",
            "{s}显示，{g}的{r}高出{g2}多少个百分点？",
            "从{s}来看，{g}与较低的{g2}在{r}上的差距是多少个百分点？",
        ),
    },
    "group_ratio": {
        "en": (
            "According to {s}, the share of {g} who {r} is how many times the share of {g2}?",
            "What is the ratio of the share of {g} who {r} to the share of {g2} who do, based on {s}?",
            "Using {s}, divide the share of {g} who {r} by the share of {g2} who do. What is the result?",
            "In {s}, how many times as common is it among {g} as among {g2} to be among those who {r}?",
            "Relative to {g2}, how many times as large is the share of {g} who {r}, going by {s}?",
        ),
        "zh": (
            "根据{s}，{g}的{r}是{g2}的多少倍？",
            "在{s}中，{g}与{g2}的{r}之比是多少？",
            "请依据{s}用{g}的{r}除以{g2}的{r}，结果是多少？",
            "{s}显示，{g}的{r}相当于{g2}的几倍？",
            "从{s}来看，{g}的{r}与{g2}相比为几倍？",
        ),
    },
    "which_group": {
        "en": (
            "According to {s}, which group, {g} or {g2}, has the larger share who {r}, and by how much?",
            "Comparing {g} with {g2} in {s}, in which group do more {r}, and by what margin in percentage points?",
            "Using {s}, say whether {g} or {g2} have the larger share who {r}, and how far apart the two are.",
            "Is the share who {r} larger among {g} or among {g2}, and how large is the gap, based on {s}?",
            "In {s}, who are ahead on the share who {r}, {g} or {g2}, and by how many percentage points?",
        ),
        "zh": (
            "根据{s}，{g}与{g2}中谁的{r}更高，高出多少？",
            "在{s}中，{r}较高的是{g}还是{g2}，差距是多少？",
            "请依据{s}判断{g}和{g2}中{r}较高者及高出的幅度。",
            "{s}显示，{g}和{g2}的{r}哪个更高，高多少？",
            "从{s}来看，{g}与{g2}的{r}孰高，相差多少？",
        ),
    },
    "answer_gap": {
        "en": (
            "According to {s}, by how many percentage points does the share of {r} who {g} exceed the share who {g2}?",
            "Among {r}, how many percentage points more {g} than {g2}, based on {s}?",
            "Using {s}, compute the share of {r} who {g} minus the share who {g2}, in percentage points.",
            "In {s}, what is the gap in percentage points between {r} who {g} and those who {g2}?",
            "Of {r}, more {g} than {g2}. How many percentage points lie between the two in {s}?",
        ),
        "zh": (
            "根据{s}，{r}中{g}的比例比{g2}高多少个百分点？",
            "在{s}中，{r}里{g}与{g2}的比例相差几个百分点？",
            "请依据{s}计算{r}中{g}的比例减去{g2}的比例，以百分点表示。",
            "{s}显示，{r}中{g}的比例高出{g2}多少个百分点？",
            "从{s}来看，{r}中{g}与{g2}的差距是多少个百分点？",
        ),
    },
    "answer_ratio": {
        "en": (
            "According to {s}, the share of {r} who {g} is how many times the share who {g2}?",
            "What is the ratio of {r} who {g} to those who {g2}, based on {s}?",
            "Using {s}, divide the share of {r} who {g} by the share who {g2}. What is the result?",
            "In {s}, how many times as many of {r} {g} as {g2}?",
            "Among {r}, those who {g} are how many times as numerous as those who {g2}, going by {s}?",
        ),
        "zh": (
            "根据{s}，{r}中{g}的比例是{g2}的多少倍？",
            "在{s}中，{r}里{g}与{g2}的比例之比是多少？",
            "请依据{s}用{r}中{g}的比例除以{g2}的比例，结果是多少？",
            "{s}显示，{r}中{g}的比例相当于{g2}的几倍？",
            "从{s}来看，{r}中{g}的比例为{g2}的几倍？",
        ),
    },
    "share_gap": {
        "en": (
            "According to {s}, by how many percentage points does the {r} of {g} exceed that of {g2}?",
            "How many percentage points separate {g} from {g2} by {r}, based on {s}?",
            "Using {s}, compute the {r} that {g} has minus that of {g2}, in percentage points.",
            "In {s}, what is the gap in percentage points between {g} and {g2} in {r}?",
            "{g} has a larger {r} than {g2}. How many percentage points larger is it in {s}?",
        ),
        "zh": (
            "根据{s}，{g}的{r}比{g2}高多少个百分点？",
            "在{s}中，{g}与{g2}的{r}相差几个百分点？",
            "请依据{s}计算{g}的{r}减去{g2}的{r}，以百分点表示。",
            "{s}显示，{g}的{r}高出{g2}多少个百分点？",
            "从{s}来看，{g}与较低的{g2}在{r}上的差距是多少个百分点？",
        ),
    },
    "share_ratio": {
        "en": (
            "According to {s}, the {r} of {g} is how many times that of {g2}?",
            "What is the ratio of the {r} of {g} to that of {g2}, based on {s}?",
            "Using {s}, divide the {r} of {g} by the {r} of {g2}. What is the result?",
            "In {s}, how many times as large as that of {g2} is the {r} of {g}?",
            "Relative to {g2}, how many times as large is the {r} of {g}, going by {s}?",
        ),
        "zh": (
            "根据{s}，{g}的{r}是{g2}的多少倍？",
            "在{s}中，{g}与{g2}的{r}之比是多少？",
            "请依据{s}用{g}的{r}除以{g2}的{r}，结果是多少？",
            "{s}显示，{g}的{r}相当于{g2}的几倍？",
            "从{s}来看，{g}的{r}与{g2}相比为几倍？",
        ),
    },
    "share_sum": {
        "en": (
            "According to {s}, what {r} do {gs} have together?",
            "Adding up {gs}, how large is their {r} in {s}?",
            "Using {s}, compute the combined {r} of {gs}.",
            "In {s}, how much do {gs} come to together as {r}?",
            "Taken together, what {r} falls to {gs}, based on {s}?",
        ),
        "zh": (
            "根据{s}，{gs}的{r}合计是多少？",
            "在{s}中，{gs}的{r}相加等于多少？",
            "请依据{s}计算{gs}的{r}之和。",
            "{s}显示，{gs}的{r}加起来是多少？",
            "从{s}来看，{gs}合计的{r}为多少？",
        ),
    },
}
