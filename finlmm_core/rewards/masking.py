"""Hides the final answer inside a thinking, so that who reads it can judge the reasoning and nothing else.

A reader that sees "... so the answer is 12.5%" learns to recognise answers. What is hidden here is therefore not only
the right answer: a mask on right answers alone would be as telling as the answer itself. Hidden alike are

* what a concluding phrase states, whatever it is: ``answer is ...``, ``choose ...``, ``\\boxed{...}``, ``答案是……``;
* numbers that are the right answer, the answer given, any of the options, or the last result that is told, in any
  written form (12.5%, 12.50 percent, 0.125, 12,5 million as 0.0125 billion, unrounded, without its sign);
* the letters and texts of all options, right or wrong, where something is concluded;
* where the options are a verdict (Yes and No, True and False), all numbers but years in conclusions: "40, more than
  30" says Yes.

What the reasoning read stays: numbers of the evidence and the question, and the labels of rows and columns, are hidden
only in conclusions (sentences with a cue such as 'therefore', and the last sentence) and where they stand behind a
calculation's ``=``. Where the right answer is itself such a number (the largest of four), no number is hidden
elsewhere: else the mask would tell a wrong cell from the right one.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple

from finlmm_core.domain import Sample
from finlmm_core.quantities import Number, find_numbers

MASK = "[MASK]"
_HOLE = "\ue000"  # private use: stands for a mask while masking, so that no mask is read as text

_STATED = re.compile(
    r"""(?:
      \b(?:answer|solution|(?:correct|right|best|matching)\s+(?:option|choice|one|label|value))s?
        (?:\s+(?:to|for)\s+(?:the|this|that)\s+question)?
        (?:\s+(?:here|therefore|thus|then|hence|so|option|choice|letter|value|must|should|would|will|number|\([A-J]\)))*
        \s*[*_]*\s*(?:\bis\b|\bare\b|\bbe\b|\bequals\b|[:：=]|->|→)
    | \b(?:I|we|you|to)?\s*(?:will\s+|would\s+|should\s+|must\s+|can\s+)?
        (?:choose|select|pick|go\s+with|opt\s+for)(?!\s+(?:the\s+)?(?:row|column|figure|image|table|chart|year))\b
    | (?:答案|正确选项|正确答案|最终结果|结论)(?:应该|应当|应|就|便|即|也)?(?:是|为|[:：＝=])
    | (?:故选|应选择?|因此选择?|所以选择?|选择|选(?=\s*[A-Ja-j（(]))
    )
    (?:\s*(?:option|choice|therefore|thus|indeed|then|clearly|选项)\b)*
    [\s*_`$"'“‘「:：]*""",
    re.VERBOSE | re.IGNORECASE,
)
_CLAUSE_END = re.compile(
    r"[.!?](?=[\s*_)\]\"'”]|\Z)|[。！？；;\n]|(?=,?\s+(?:because|since|given\s+that|as\s+(?:the|it|we)|which\s+means)\b)"
    r"|(?=，?(?:因为|由于|理由))",
    re.IGNORECASE,
)
_ABBREVIATION = re.compile(r"(?:\b(?:Inc|Ltd|Co|Corp|vs|No|approx|St|Mr|Dr|e\.g|i\.e|U\.S|cf|incl|excl))\Z")
_NAMED = re.compile(
    r"[ ](?:is|are|was)\s+(?:indeed\s+|therefore\s+|thus\s+)?(?:(?:the|our|my)\s+)?"
    r"(?:(?:(?:correct|right|final|best)\s+)?(?:answer|option|choice)\b|(?:correct|right)\b)"
    r"|(?:是|为)(?:正确|最终)?(?:的)?(?:答案|选项)",
    re.IGNORECASE,
)
_CLAUSE_START = re.compile(
    r"(?:[.!?,;](?=\s)|[，。！？；;\n\ue000]|\A)\s*(?:(?:so|thus|hence|therefore|then|and|because|option|choice)\b[ ]*"
    r"|因此|所以|故)*",
    re.IGNORECASE,
)
_BOXED = re.compile(r"\\(?:boxed|fbox)\s*\{")
_CUE = re.compile(
    r"\b(?:answer|therefore|thus|hence|accordingly|consequently|conclu\w+|finally|final|in\s+(?:sum|short|summary)|overall"
    r"|options?|choices?|match(?:es|ing|ed)?|corresponds?|closest|nearest|round(?:s|ed|ing)?|result(?:s|ing)?|boxed"
    r"|correct|this\s+(?:gives|means|shows|leaves|makes))\b|(?:\A|\n)\W*so\b|[,;]\s+so\b"
    r"|答案|因此|所以|故|综上|由此|可见|可知|结论|最终|选项|应选|选择|正确|结果|四舍五入|约为|即为|最后",
    re.IGNORECASE,
)
_RESULT = re.compile(
    r"[\d)）%％\]\ue000\w][ ]*(?:=|＝|≈|≃|~=|\\approx|\bequals\b|等于|得到?|约等于)[ ]*[*$¥€£(+\-−]*\Z"
)
_CALCULATED = re.compile(
    r"[+\-−*/×÷·][ ]*[$¥€£(]*[\d.,]+[^=＝≈\n]{0,24}\Z|\d[^=\n]{0,12}[)）][^=\n]{0,12}\Z|\ue000\W*\Z"
)
_GIVES = re.compile(
    r"(?:\b(?:gives?|giving|yields?|makes?|leaves?|leaving|gets?|is|are|equals?|becomes?|(?:amounts?|comes?|rounds?|rounded)"
    r"\s+to|rounded|about|approximately|roughly|i\.e\.,?)|得到?|为|是|约)[\s:*]*[$¥€£(+\-−]*\Z",
    re.IGNORECASE,
)
_ORDINAL = re.compile(
    r"\b(?:first|second|third|fourth|fifth|sixth|seventh|eighth|ninth|tenth|eleventh|twelfth|\d{1,3}(?:st|nd|rd|th)"
    r"|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve)\b|第[一二三四五六七八九十百\d]{1,4}|[一二三四五六七八九十](?=[个名位家项种])",
    re.IGNORECASE,
)
_PERIOD = re.compile(
    r"(?:\b(?:FY|CY|fiscal(?:\s+year)?|[QH][1-4])\s*'?)?(?<!\d)(?:19|20)\d\d(?:\s*(?:[AEF]\b|年度?|财年))?(?![\d,]|\.\d)"
    r"|\bFY\s*'?\d\d\b|\b[1-4]?[QH][1-4]?\b(?=\W|\Z)",
)
_LETTERS = "ABCDEFGHIJ"
_VERDICTS = frozenset(
    ("yes", "no", "true", "false", "correct", "incorrect", "是", "否", "不是", "对", "错", "正确", "错误")
)
_JOINT = re.compile(r"\ue000(?:[ :：=＝≈~()（）\[\].*_`$%\"'“”‘’\\{}\-–—]{0,8}\ue000)+(?P<close>\s*[)）\]])?")
_DRESSED = re.compile(r"[*_`$\"“‘]*\ue000(?:\s*\\?[%％])?[*_`$\"”’]*")


class _Amount(NamedTuple):
    """A number to be hidden."""

    size: float  # without its sign
    half: float  # half a unit of its last digit
    plain: float  # with its scale
    percent: bool
    money: bool
    digits: int  # significant ones


class _Known(NamedTuple):
    """What masking needs to know of a sample."""

    amounts: tuple[_Amount, ...]  # right answer and options, where the answer is a number
    cells: frozenset[Decimal]  # what the reasoning may read; sizes
    everywhere: bool  # amounts that are no cells are hidden wherever they stand
    long_texts: tuple[str, ...]  # hidden wherever they stand
    labels: tuple[str, ...]  # hidden in conclusions
    letters: str
    ordinals: bool
    periods: bool
    numeric: bool
    verdict: bool  # the options are Yes and No, or their like


def mask_answer(thinking: str, sample: Sample, mask: str = MASK, given: str | None = None) -> str:
    """Return the thinking with its final answer hidden, right or wrong alike; see the module for what that means.

    Two thinkings that differ in nothing but the answer they end with, in whatever written form, become the same text.
    Linear in the length of the thinking.

    Args:
        thinking: what stands in the think tag.
        sample: whose question it is about.
        mask: what to write in place of what is hidden; neighbouring masks become one.
        given: the answer that the completion gives (its answer tag), where known.
    """
    known = _known(sample)
    text = thinking.replace(_HOLE, " ")
    text = _mask_boxed(text)
    text = _mask_texts(text, known.long_texts if given is None else (*known.long_texts, *_long(given, known)))
    text = _mask_labels(text, known, given)  # before what is stated: labels have commas and points in them
    text = _mask_stated(text)
    text = _mask_named(text)
    text = _mask_rest(text, known, given)
    text = _DRESSED.sub(_HOLE, text)
    text = _JOINT.sub(lambda run: _HOLE if run["close"] is None or _opened(run.group()) else _HOLE + run["close"], text)
    return text.replace(_HOLE, mask)


def _opened(run: str) -> bool:
    """Whether the parenthesis that closes the run was opened in it."""
    return run.count("(") + run.count("（") + run.count("[") >= run.count(")") + run.count("）") + run.count("]")


# ------------------------------------------------------------------------------------------ what there is to hide


@lru_cache(maxsize=4096)
def _known(sample: Sample) -> _Known:
    answer = sample.answer
    numeric = answer.value is not None
    amounts: list[_Amount] = []
    if answer.value is not None:
        size = abs(answer.value)
        decimals = answer.decimals if answer.decimals is not None else _decimals(answer.value)
        percent = answer.unit in ("percent", "percentage_points")
        money = answer.unit is not None and len(answer.unit) == 3 and answer.unit.isupper()
        digits = _digits(f"{size:.{decimals}f}")
        amounts.append(_Amount(size, 0.5 * 10.0**-decimals, size * answer.scale, percent, money, digits))
        for option in (answer.text, *sample.options):
            amounts += [_amount(number) for number in find_numbers(option)[:2]]
    cells = {abs(Decimal(repr(item.value))) for item in sample.evidence if item.value is not None}
    if not cells:  # a sample from elsewhere: what its context prints may be what is asked for
        cells.update(abs(number.value) for number in find_numbers(sample.context))
    looked_up = answer.value is not None and abs(Decimal(repr(answer.value))) in cells
    cells.update(abs(number.value) for number in find_numbers(sample.question))
    options = [option.strip() for option in (*sample.options, answer.text) if option.strip()]
    label = answer.unit == "label"
    texts = () if numeric else tuple(dict.fromkeys(options))
    return _Known(
        amounts=tuple(dict.fromkeys(amounts)),
        cells=frozenset(cells),
        everywhere=numeric and not looked_up,
        long_texts=() if label else tuple(text for text in texts if len(text) >= 20 or len(text.split()) >= 4),
        labels=_with_short_forms([*texts, *(name for e in sample.evidence[:12] if label for name in e.labels[:1])]),
        letters=_LETTERS[: len(sample.options)] or _LETTERS[:4],
        ordinals=answer.unit == "count" or any(_ORDINAL.fullmatch(option) for option in options),
        periods=label and any(_PERIOD.search(option) for option in options),
        numeric=numeric,
        verdict=bool(options) and all(option.casefold().rstrip(".。") in _VERDICTS for option in options),
    )


def _with_short_forms(texts: Iterable[str]) -> tuple[str, ...]:
    """Return the texts and what stands before their closing parenthesis, longest first."""
    found = dict.fromkeys(texts)
    for text in list(found):
        short = re.sub(r"\s*[(（][^()（）]{1,80}[)）]\Z", "", text)
        if len(short) > 1:
            found[short] = None
    return tuple(sorted(found, key=lambda text: (-len(text), text)))


def _long(given: str, known: _Known) -> list[str]:
    """The given answer's text, where the right answer is a text of some length too."""
    given = given.strip()
    return [given] if known.long_texts and 20 <= len(given) <= 600 else []


def _amount(number: Number) -> _Amount:
    size = float(abs(number.value))
    return _Amount(
        size=size,
        half=0.5 * 10.0**-number.decimals,
        plain=size * number.scale,
        percent=number.unit in ("percent", "percentage_points", "basis_points"),
        money=number.currency is not None,
        digits=_digits(str(abs(number.value))),
    )


def _decimals(value: float) -> int:
    return len(repr(value).partition(".")[2].rstrip("0"))


def _digits(written: str) -> int:
    return len(written.replace(".", "").lstrip("0"))


def _given_amounts(given: str | None) -> list[_Amount]:
    """The numbers of the answer given; of a longer text the last one, which is what a grader would take."""
    numbers = find_numbers(given[-400:]) if given else []
    return [_amount(number) for number in (numbers if len(numbers) <= 3 else numbers[-1:])]


def _same(number: _Amount, amount: _Amount) -> bool:
    """Whether the number is a written form of the amount: rounded, unrounded, as a fraction, in another scale."""
    if (number.percent and amount.money) or (number.money and amount.percent):
        return False
    if amount.size == 0 or number.size == 0 or not math.isfinite(number.plain) or not math.isfinite(amount.plain):
        return amount.size == number.size
    if _near(number.size, number.half, amount.size, amount.half):
        return True
    scale = number.plain / number.size
    if _near(number.plain, number.half * scale, amount.plain, amount.half * amount.plain / amount.size):
        return True
    for shift in (100.0, 0.01) if number.percent or amount.percent or min(number.digits, amount.digits) >= 2 else ():
        if _near(number.size * shift, number.half * shift, amount.size, amount.half):
            return True
    if min(number.digits, amount.digits) < 3:
        return False
    power = 10.0 ** round(math.log10(amount.size / number.size))
    return _near(number.size * power, number.half * power, amount.size, amount.half)


def _near(one: float, one_half: float, other: float, other_half: float) -> bool:
    """Whether one rounds to the other, at the precision of whichever is printed more coarsely."""
    apart = abs(one - other)
    if apart <= other_half * 1.000001 + 1e-12 * other:
        return one_half <= other_half * 1.000001 or apart <= 0.02 * other
    return apart <= one_half * 1.000001 and apart <= 0.05 * other


# ------------------------------------------------------------------------------------------------ where it stands


def _mask_boxed(text: str) -> str:
    """Hide what stands in boxes, braces balanced."""
    pieces: list[str] = []
    reached = 0
    for match in _BOXED.finditer(text):
        if match.start() < reached:
            continue
        depth, end = 1, match.end()
        limit = min(len(text), match.end() + 400)
        while end < limit and depth:
            depth += {"{": 1, "}": -1}.get(text[end], 0)
            end += 1
        pieces += [text[reached : match.start()], _HOLE]
        reached = end
    return "".join([*pieces, text[reached:]])


def _mask_texts(text: str, texts: Sequence[str]) -> str:
    """Hide whole texts wherever they stand, letter case and spacing aside."""
    return _expression(tuple(texts)).sub(_HOLE, text) if texts else text


@lru_cache(maxsize=4096)
def _expression(texts: tuple[str, ...]) -> re.Pattern[str]:
    written = []
    for text in sorted(texts, key=lambda text: (-len(text), text)):
        escaped = r"\s+".join(re.escape(word) for word in text.rstrip(" .。").split())
        before = r"(?<![A-Za-z0-9])" if text[:1].isascii() and text[:1].isalnum() else ""
        behind = r"(?![A-Za-z0-9])" if text[-1:].isascii() and text[-1:].isalnum() else ""
        written.append(before + escaped + behind)
    return re.compile("|".join(written), re.IGNORECASE)


def _mask_stated(text: str) -> str:
    """Hide what follows 'answer is' and its like, to the end of the clause."""
    pieces: list[str] = []
    reached = 0
    for match in _STATED.finditer(text):
        if match.start() < reached:
            continue
        end = _clause_end(text, match.end())
        if text[match.end() : end].strip():
            pieces += [text[reached : match.end()], _HOLE]
            reached = end
    return "".join([*pieces, text[reached:]])


def _clause_end(text: str, start: int) -> int:
    for match in _CLAUSE_END.finditer(text, start):
        if match.group() == "." and _ABBREVIATION.search(text, max(start, match.start() - 8), match.start()):
            continue
        short = match.group() == "." and match.start() - start < 4
        if short and re.match(r"\W*[A-Ja-j]?\.[ ]*[^\s*)]", text[start : match.end() + 8]):
            continue  # 'the answer is B. 8.2%'
        return match.start()
    return len(text)


def _mask_named(text: str) -> str:
    """Hide what is said to be the answer: '8.2% is the answer'."""
    pieces: list[str] = []
    reached = 0
    for match in _NAMED.finditer(text):
        floor = max(reached, match.start() - 160)
        starts = [start.end() for start in _CLAUSE_START.finditer(text[floor : match.start()])]
        start = floor + max(starts, default=0)
        if text[start : match.start()].strip():
            pieces += [text[reached:start], _HOLE]
            reached = match.start()
    return "".join([*pieces, text[reached:]])


def _conclusions(text: str) -> list[tuple[int, int]]:
    """Return the spans of sentences that conclude: those with a cue, and the last one."""
    spans: list[tuple[int, int]] = []
    start = 0
    for match in re.finditer(r"[.!?](?=[\s*_)\]\"'”]|\Z)|[。！？]|\n+", text):
        if match.group() == "." and _ABBREVIATION.search(text, max(start, match.start() - 8), match.start()):
            continue
        if text[start : match.start()].strip():
            spans.append((start, match.start()))
        start = match.end()
    if text[start:].strip():
        spans.append((start, len(text)))
    return [
        span
        for number, span in enumerate(spans)
        if number == len(spans) - 1 or _HOLE in text[span[0] : span[1]] or _CUE.search(text[span[0] : span[1]].strip())
    ]


def _mask_labels(text: str, known: _Known, given: str | None) -> str:
    """Hide the options' texts and the labels that can be the answer, in conclusions."""
    labels = known.labels
    if given and not known.numeric and 1 < len(given.strip()) < 200:
        labels = _with_short_forms((*labels, given.strip()))
    if not labels:
        return text
    pieces: list[str] = []
    reached = 0
    for start, end in _conclusions(text):
        pieces += [text[reached:start], _expression(labels).sub(_HOLE, text[start:end])]
        reached = end
    return "".join([*pieces, text[reached:]])


def _mask_rest(text: str, known: _Known, given: str | None) -> str:
    """Hide numbers by value, and in conclusions letters, places in an order and periods."""
    conclusions = _conclusions(text)
    holes: list[tuple[int, int]] = []
    if known.numeric:
        holes += _number_holes(text, known, given, conclusions)
    if known.verdict:
        holes += _concluded_numbers(text, conclusions)
    for start, end in conclusions:
        sentence = text[start:end]
        found = _letters(sentence, known.letters)
        if known.ordinals:
            found += [match.span() for match in _ORDINAL.finditer(sentence)]
        if known.periods:
            found += [match.span() for match in _PERIOD.finditer(sentence)]
        holes += [(start + first, start + last) for first, last in found]
    pieces: list[str] = []
    reached = 0
    for first, last in sorted(holes):
        if first >= reached:
            pieces += [text[reached:first], _HOLE]
        reached = max(reached, last)
    return "".join([*pieces, text[reached:]])


def _concluded_numbers(text: str, conclusions: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return where numbers other than years stand in conclusions."""
    begins = [start for start, _ in conclusions]
    holes = []
    for number in find_numbers(text):
        at = bisect_right(begins, number.start) - 1
        year = number.text.isdigit() and 1900 <= number.value <= 2100
        if at >= 0 and number.start < conclusions[at][1] and not year:
            holes.append((number.start, number.end))
    return holes


def _number_holes(
    text: str, known: _Known, given: str | None, conclusions: Sequence[tuple[int, int]]
) -> list[tuple[int, int]]:
    numbers = find_numbers(text)
    calculated = {number.start for number in numbers if _is_result(text, number.start)}
    amounts = [*known.amounts, *_given_amounts(given)]
    if known.ordinals:  # 'that is 4 of 5': too small a number to be hidden wherever it stands
        calculated |= {number.start for number in numbers if number.text.isdigit() and _gives(text, number)}
    told = [number for number in numbers if number.start in calculated or _is_told(text, number, known)]
    if told:  # what the reasoning arrives at, also where the answer then given is another
        amounts.append(_amount(told[-1]))
    concluded = [*amounts]
    last = numbers[-1] if numbers and conclusions and numbers[-1].start >= conclusions[-1][0] else None
    if last is not None and _telling(last) and abs(last.value) not in known.cells:
        concluded.append(_amount(last))
    begins = [start for start, _ in conclusions]
    holes = []
    for number in numbers:
        at = bisect_right(begins, number.start) - 1
        inside = at >= 0 and number.start < conclusions[at][1]
        if number.start in calculated or inside:
            sought = concluded
        elif known.everywhere and abs(number.value) not in known.cells and _telling(number):
            sought = amounts
        else:
            continue
        size = _amount(number)
        if any(_same(size, amount) for amount in sought):
            holes.append((number.start, number.end))
    return holes


def _is_result(text: str, start: int) -> bool:
    """Whether what starts here stands behind the '=' of a calculation."""
    before = text[max(0, start - 64) : start]
    match = _RESULT.search(before)
    return match is not None and _CALCULATED.search(before[: match.start() + 1]) is not None


def _is_told(text: str, number: Number, known: _Known) -> bool:
    """Whether a number is what something 'gives' or 'is', and nothing that was read."""
    return _telling(number) and abs(number.value) not in known.cells and _gives(text, number)


def _gives(text: str, number: Number) -> bool:
    return _GIVES.search(text, max(0, number.start - 24), number.start) is not None


def _telling(number: Number) -> bool:
    """Whether a number is unlikely to stand somewhere by chance, as 4 and 2021 do."""
    if number.unit is not None or number.currency is not None or number.scale > 1 or number.decimals:
        return True
    return abs(number.value) >= 100 and not (number.text.isdigit() and 1900 <= number.value <= 2100)


def _letters(sentence: str, letters: str) -> list[tuple[int, int]]:
    """Return where option letters stand in a concluding sentence; the article 'A' is none."""
    spans = []
    for match in re.finditer(rf"(?<![A-Za-z0-9'’&/-])[{letters}{letters.lower()}](?![A-Za-z0-9'’&/-])", sentence):
        letter = match.group()
        behind = sentence[match.end() : match.end() + 8]
        before = sentence[max(0, match.start() - 24) : match.start()]
        enclosed = before.endswith(("(", "（", "[", "*")) and behind.startswith((")", "）", "]", "*"))
        named = re.search(r"(?:\boption|\bchoice|\banswer|\bletter|\bis|选项|选择?|[:：])\s*[(（*\"']*\Z", before, re.I)
        if letter.islower():
            listed = bool(re.search(r"(?:\boption|\bchoice|选项|选)\s*\Z", before, re.I))
            wanted = enclosed or (listed and letter != "a") or (listed and not re.match(r"\s+[a-z]", behind))
        elif letter in "AI":
            wanted = (
                enclosed
                or not re.match(r"\s+[a-z]", behind)
                or bool(named and re.search(r"option|choice|选", named.group(), re.I))
            )
        else:
            wanted = True
        if wanted:
            spans.append(match.span())
    return spans
