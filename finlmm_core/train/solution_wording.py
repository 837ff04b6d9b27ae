"""The words of worked solutions, English and Chinese; where there are several, a sample's id picks one.

``{...}`` is filled in. A name is written in the quotes of its language before it comes here.
"""

from __future__ import annotations

from typing import NamedTuple

from finlmm_core.domain import Language


class StepWords(NamedTuple):
    """What stands between the numbers of a calculation."""

    largest: str  # {value}, {name}: of_name or nothing
    smallest: str
    of_name: str  # {name}
    sorted_up: str  # {values}
    sorted_down: str
    middle: str  # {value}
    above: tuple[str, str, str]  # none, one, {count} values are larger; {name}
    counted: str  # {count}, {all}
    yes: str
    no: str
    rounds: str  # {value}, {rounded}
    then: str  # between values of a list
    named: str  # {value}, {name}: a member of it
    colon: str


class SolutionWords(NamedTuple):
    """What stands around a calculation; tuples hold wordings of the same thing."""

    steps: StepWords
    quote: str  # {text}
    end: str  # of a sentence, with the space behind it
    between: str  # between the steps of a calculation
    listing: str  # between the members of a list
    last: str  # before the last member
    clauses: str  # between values with what they are of
    last_clause: str
    images: tuple[str, ...]  # {number}, {what}
    images_plain: tuple[str, ...]  # {number}
    given: tuple[str, ...]  # {values}: read from the image
    given_text: tuple[str, ...]  # {values}: read from the context
    cell: str  # {value}, {column}
    row: str  # {row}, {cells}
    column: str  # {column}, {cells}
    more: str  # behind the first few of a long list
    what: str  # {rows}, {column}
    calculate: tuple[str, ...]  # {steps}
    compare: tuple[str, ...]  # {steps}
    rounded: tuple[str, ...]  # {shown}, {answer}
    answer: tuple[str, ...]  # {answer}, {letter}
    letter: tuple[str, ...]  # {letter}: the answer itself has been said
    answer_open: tuple[str, ...]  # {answer}: a question without options
    cause: tuple[str, ...]  # {effect}, {cause}
    cause_text: tuple[str, ...]  # {effect}, {cause}: the context says so
    meaning: tuple[str, ...]  # {term}, {answer}
    others: tuple[str, ...]  # the other options are about something else


WORDS: dict[Language, SolutionWords] = {
    "en": SolutionWords(
        steps=StepWords(
            largest="the largest is {value}{name}",
            smallest="the smallest is {value}{name}",
            of_name=", for {name}",
            sorted_up="in rising order: {values}",
            sorted_down="from the largest down: {values}",
            middle="the one in the middle is {value}",
            above=(
                "nothing is larger than {name}",
                "one value is larger than {name}",
                "{count} values are larger than {name}",
            ),
            counted="that is {count} of {all}",
            yes=", yes",
            no=", no",
            rounds="{value} rounds to {rounded}",
            then=", ",
            named="{value} ({name})",
            colon=": ",
        ),
        quote='"{text}"',
        end=". ",
        between="; ",
        listing=", ",
        last=" and ",
        clauses=", ",
        last_clause=" and ",
        images=(
            "Image {number} shows {what}, which is what the question asks about",
            "The question is about {what}; that is in image {number}",
            "To find the right image, look for {what}: image {number} has it",
            "{what} can be read in image {number}",
        ),
        images_plain=(
            "Image {number} is the one that the question is about",
            "The question goes with image {number}",
        ),
        given=("It shows {values}", "It puts {values}", "Read from it: {values}"),
        given_text=("The context shows {values}", "The context puts {values}", "Read from the context: {values}"),
        cell="{value} for {column}",
        row="{row} at {cells}",
        column="{cells}, all for {column}",
        more=" and others",
        what="{rows} for {column}",
        calculate=("{steps}", "In numbers: {steps}", "Calculating: {steps}", "Step by step: {steps}"),
        compare=("Comparing them: {steps}", "Put side by side: {steps}", "{steps}"),
        rounded=(
            "{shown} rounds to {answer}",
            "Rounded as asked, that is {answer}",
            "{shown} is {answer} when rounded",
        ),
        answer=(
            "The answer is {answer}, option {letter}",
            "So option {letter}, {answer}, is right",
            "That is {answer}: option {letter}",
            "This matches option {letter}, {answer}",
        ),
        letter=("That is option {letter}", "So option {letter} is right", "The answer is {letter}"),
        answer_open=("The answer is {answer}", "So it is {answer}"),
        cause=(
            "The question is what explains that {effect}. Of the options, {cause} is what brings that about",
            "What has to be explained is that {effect}. The option that accounts for it is {cause}",
        ),
        cause_text=(
            "The context says that {effect}, and the reason it gives is {cause}",
            "The question is why {effect}. The context puts it down to {cause}",
            "{effect}: according to the context this comes from {cause}",
        ),
        meaning=(
            "What fits {term} here is {answer}",
            "Of the options, the one that is about {term} is {answer}",
            "{term} goes with {answer}",
        ),
        others=(
            "The other options describe something else",
            "None of the other options describes this",
        ),
    ),
    "zh": SolutionWords(
        steps=StepWords(
            largest="最大的是{value}{name}",
            smallest="最小的是{value}{name}",
            of_name="，即{name}",
            sorted_up="从小到大排列：{values}",
            sorted_down="从大到小排列：{values}",
            middle="位于中间的是{value}",
            above=("没有一项大于{name}", "有1项大于{name}", "有{count}项大于{name}"),
            counted="{all}项中有{count}项",
            yes="，是",
            no="，否",
            rounds="{value}四舍五入为{rounded}",
            then="、",
            named="{value}（{name}）",
            colon="：",
        ),
        quote="“{text}”",
        end="。",
        between="；",
        listing="、",
        last="和",
        clauses="，",
        last_clause="，",
        images=(
            "图{number}列出了{what}，正是问题所问的内容",
            "问题问的是{what}，应看图{number}",
            "先找出含有{what}的图片：图{number}",
            "{what}可以在图{number}中读到",
        ),
        images_plain=("问题所涉及的是图{number}", "与问题对应的是图{number}"),
        given=("图中{values}", "从图中读到：{values}"),
        given_text=("资料中{values}", "根据资料，{values}"),
        cell="{column}为{value}",
        row="{row}{cells}",
        column="{column}，{cells}",
        more="等",
        what="{column}的{rows}",
        calculate=("计算：{steps}", "于是{steps}", "逐步计算：{steps}"),
        compare=("比较：{steps}", "逐项比较：{steps}"),
        rounded=("{shown}按要求四舍五入为{answer}", "四舍五入后为{answer}"),
        answer=(
            "因此答案是{answer}，即选项{letter}",
            "所以选{letter}：{answer}",
            "对应选项{letter}，即{answer}",
        ),
        letter=("即选项{letter}", "所以选{letter}", "因此答案是{letter}"),
        answer_open=("因此答案是{answer}", "所以结果为{answer}"),
        cause=(
            "需要解释的是：{effect}。各选项中能够说明这一点的是{cause}",
            "问题是{effect}的原因，选项中与之相符的是{cause}",
        ),
        cause_text=(
            "资料指出{effect}，其原因是{cause}",
            "问题是{effect}的原因，资料将其归于{cause}",
        ),
        meaning=("与{term}相符的是{answer}", "各选项中说明{term}的是{answer}"),
        others=("其余选项说的是别的内容", "其余选项与此不符"),
    ),
}
