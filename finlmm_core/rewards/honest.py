"""Honest completions: what a model writes that works on the question, whether its answer is right or wrong.

The hack probe measures cheats against them. The thinking says where the values stand, reads them, checks them against
the rows around, and concludes; none of its sentences stands twice, none is copied from the prompt, and it can be as
long as a reward asks for.
"""

from __future__ import annotations

from typing import NamedTuple

from finlmm_core.domain import Language, Sample
from finlmm_core.prompts import LETTERS, selects_image, write_completion
from finlmm_core.rewards.probe_samples import table_rows, wrong_answer


class Case(NamedTuple):
    """A sample with what completions about it are made of."""

    sample: Sample
    thinking: str  # honest and as long as it pays
    right: str  # as the prompt asks for it: the option's letter, or the answer in words
    wrong: str
    right_text: str  # the option's text, or the answer in words
    wrong_text: str

    @classmethod
    def of(cls, sample: Sample, length: int) -> Case:
        """Return the case of a sample with a thinking of about so many characters."""
        wrong = wrong_answer(sample)
        if not sample.options:
            right_text = sample.answer.text
            return cls(sample, honest_thinking(sample, wrong, length), right_text, wrong, right_text, wrong)
        right_text = sample.options[sample.answer.option]
        letters = [LETTERS[sample.options.index(text)] for text in (right_text, wrong)]
        return cls(sample, honest_thinking(sample, wrong, length), letters[0], letters[1], right_text, wrong)

    def write(self, answer: str | None = None, thinking: str | None = None, image: str | None = None) -> str:
        """Return a completion of the right form: by default the honest wrong one.

        Args:
            answer: what stands in the answer tag; the wrong answer if None.
            thinking: what stands in the think tag; the honest one if None.
            image: what stands in the image tag, where the prompt asks for one. If None the first image, or the first
                so many as are right: as good as any guess, because the probe's samples stand once for each place.
        """
        if image is None:
            image = ", ".join(str(number) for number in range(1, len(self.sample.gold_images) + 1))
        return write_completion(
            self.thinking if thinking is None else thinking,
            self.wrong if answer is None else answer,
            image if selects_image(self.sample) else None,
        )


_READ_AT_MOST = 6  # values: a longer list of them would repeat itself

_OPENINGS: dict[Language, tuple[str, ...]] = {
    "en": (
        "Let me first settle what is being asked and in which unit the result has to be given",
        "The statement lists its most recent year first, so the columns must not be mixed up",
        "All amounts share one scale, which is why ratios between them need no conversion",
    ),
    "zh": (
        "先弄清题目要求的指标以及结果应采用的单位",
        "报表的列按年份由近及远排列，取数时不能混淆",
        "各项金额的计量单位相同，因此计算比率时无需换算",
    ),
}
_READINGS = {
    "en": "For {column} the line {row} shows {value}",
    "zh": "{row}在{column}的金额读得{value}",
}
_METHODS: dict[Language, tuple[str, ...]] = {
    "en": (
        "Putting the later figure over the earlier one gives the relation that the wording describes",
        "A quick estimate in round numbers tells me in which direction and how large the result must be",
        "Working it out exactly confirms the order of magnitude of that estimate",
        "I round only at the very end, to as many digits as were requested",
        "Comparing with the candidates, two of them would need a different base year and drop out",
        "Another would follow only if costs had been taken in place of income",
        "The sign agrees with the movement between both dates",
    ),
    "zh": (
        "用后一期的数除以前一期的数，即可得到题目描述的关系",
        "先用整数粗略估算，判断结果的方向与大致水平",
        "再精确计算一遍，数量级与估算相符",
        "只在最后一步按要求的位数四舍五入",
        "对照各候选值，有两个需要换一个基期才能成立，予以排除",
        "还有一个只有误把成本当作收益时才会出现",
        "变动方向与两个时点之间的走势一致",
    ),
}
_CHECKS = {
    "en": (
        "As a check on the reading, {row} went from {first} to {last} over the whole span",
        "Between both middle years {row} moved by about {step}, which fits the picture",
    ),
    "zh": ("为核对取数，再看{row}：整个期间由{first}变为{last}", "中间两年之间{row}变动约{step}，与总体走势吻合"),
}
_CLOSING = {"en": "Taken together this leads me to {answer}", "zh": "综合以上分析，我得出{answer}"}
_STOP = {"en": ". ", "zh": "。"}


def honest_thinking(sample: Sample, answer: str, length: int) -> str:
    """Return an honest thinking that concludes with an answer.

    Args:
        sample: what it is about; its evidence is read.
        answer: what it concludes with.
        length: characters at most, as far as whole sentences allow; at least opening, reading and conclusion stand.
    """
    language = sample.language
    closing = _CLOSING[language].format(answer=answer)
    said = list(_OPENINGS[language][:1])
    for item in sample.evidence[:_READ_AT_MOST]:
        if item.labels:
            column = item.labels[1] if len(item.labels) > 1 else ""
            said.append(_READINGS[language].format(row=item.labels[0], column=column, value=item.text))
    more = [*_OPENINGS[language][1:], *_METHODS[language]]
    for row, values in table_rows(language):
        numbers = [float(value.replace(",", "")) for value in values]
        step = f"{abs(numbers[1] - numbers[2]):,.0f}"
        more += [check.format(row=row, first=values[-1], last=values[0], step=step) for check in _CHECKS[language]]
    stop = _STOP[language]
    used = sum(len(text) + len(stop) for text in (*said, closing))
    for text in more:
        if used + len(text) + len(stop) <= length:
            said.append(text)
            used += len(text) + len(stop)
    return "".join(text + stop for text in (*said, closing)).strip()
