"""Which part of a completion is its final answer."""
# ruff: noqa: E501 - expressions are easier to read whole

from __future__ import annotations

import re
from typing import NamedTuple

from finlmm_core.answers.tags import read_tags
from finlmm_core.quantities import find_numbers

_PHRASES = 9  # answer phrases of a completion that are looked at: the last ones
_SENTENCE = 600  # characters of a sentence that can state a result
_SENTENCE_COUNT = 60  # sentences of a free text that are looked at from its end, and a third as many from its start
_TAIL = 10_000  # characters of an untagged completion that are looked at, from its end: that is where answers stand
_TAGS = ("<answer>", "</answer>", "<think>", "</think>", "<image_selection>", "</image_selection>")

_PHRASE = re.compile(
    r"(?:answer|(?:correct|right|best)[ ](?:option|choice))(?<![A-Za-z_]answer)(?:[ ]to[ ][^\n.:=]{1,60}?)?[ ]?(?:\*\*|__)?[ ]?"
    r"(?:[:：=]|(?:is|was|would[ ]be|should[ ]be)(?![A-Za-z])[ ]?:?)",
    re.IGNORECASE,
)
_PHRASE_ASIAN = re.compile(  # apart, because English text is searched twice as fast without
    r"(?:答案|正确选项)[ ]?(?:应该|应当)?[ ]?(?:\*\*)?(?:[:：]|应?[为是选][:：]?)"
    r"|(?:故|应|因此|所以)选择?(?:项)?[:：]?"
    r"|(?:答え|回答|正解)(?:[:：]|[はが][、:：]?)"
)
_LEAD = re.compile(
    r"[\s*_#>-]{0,8}(?:the[ ])?(?:final[ ]|correct[ ]|right[ ]){0,2}(?:answer|最终答案|答案)[ ]?(?:\*\*)?[ ]?(?:[:：=]|is(?![A-Za-z])[ ]?:?|[为是])",
    re.IGNORECASE,
)
_SENTENCE_END = re.compile(
    r"(?<=[^\s.].)\.[ ]{1,3}(?=[A-Z\"(])|[。；]|;[ ]|[ ](?:because|since|as|which)[ ]", re.DOTALL
)
_CONCLUSION = re.compile(
    r"\b(?:therefore|thus|hence|so|in (?:summary|conclusion)|overall|to summarize|finally|consequently)\b"
    r"|因此|所以|综上|故|总之|したがって|よって",
    re.IGNORECASE,
)
_SENTENCES = re.compile(r"(?<=[.!?])[ ]+(?=[A-Z\"(])|[。！？]|\n")
_IF = re.compile(r"\bif\b", re.IGNORECASE)
_BOX_OR_BRACE = re.compile(r"\\boxed[ ]?\{|[{}]")
_YEAR = re.compile(r"(?:19|20)\d\d\Z")


class Extracted(NamedTuple):
    """A completion's final answer as written.

    ``how`` is 'answer_tag', 'boxed', 'phrase', 'claim' or 'last_line'; where there is no answer it is 'empty',
    'bad_tags' (an answer tag that is missing its end, nested or repeated), 'only_thinking' or 'empty_tag'.
    ``others`` are further answers that the same way of writing gave before, as far as they are written differently.
    """

    text: str | None
    how: str
    others: tuple[str, ...] = ()


def extract_answer(
    completion: str, *, tagged_only: bool = False, prose: bool = False, several: bool = False
) -> Extracted:
    """Return the final answer of a completion; linear in its length.

    In order: what stands in the one ``<answer>`` tag, else the last ``\\boxed{}``, else what follows the last 'the answer
    is' (答案是, 答案为 ...), else the last line with a letter or a digit. Thinking never counts. Outside of tags only
    the last 10,000 characters are looked at.

    Args:
        completion: what the model wrote.
        tagged_only: of a completion in which any of the tags stands, nothing but the answer tag counts.
        prose: where no answer is marked as such, take the sentence that concludes instead of the last line.
        several: the answer may be a list: lines that follow each other are taken together.
    """
    text = completion
    if "<" in completion and any(tag in completion for tag in _TAGS):
        answer = read_tags(completion).answer
        if answer is not None:
            return _from_tag(answer) if answer else Extracted(None, "empty_tag")
        if "<answer>" in completion or "</answer>" in completion or tagged_only:
            return Extracted(None, "bad_tags")
        if "<think>" in completion and completion.rfind("</think>") < completion.rfind("<think>"):
            return Extracted(None, "only_thinking")
        text = completion[max(completion.rfind("</think>"), 0) :].removeprefix("</think>")
        text = text.partition("<image_selection>")[0]
    return _from_text(text[-_TAIL:], prose, several)


def _from_tag(answer: str) -> Extracted:
    boxed, outside = _boxes(answer) if "boxed" in answer else ([], "")
    if boxed:
        rival = (outside,) if any(character.isalnum() for character in outside) else ()
        return Extracted(boxed[-1], "answer_tag", _different([*rival, *boxed]))
    lead = _LEAD.match(answer)
    if lead is not None and lead.end() < len(answer):
        answer = answer[lead.end() :].strip(" \t\n*_") or answer
    return Extracted(answer, "answer_tag")


def _from_text(text: str, prose: bool, several: bool) -> Extracted:
    boxed, _ = _boxes(text) if "boxed" in text else ([], "")
    if boxed:
        return Extracted(boxed[-1], "boxed", _different(boxed))
    phrases = []
    for match in _answer_phrases(text)[-_PHRASES:]:
        answer = "" if _supposed(text, match) else _after(text, match.end(), several)
        if answer:
            phrases.append(answer)
    if phrases:
        return Extracted(phrases[-1], "phrase", _different(phrases))
    if prose and (claim := _claim(text)):
        return Extracted(claim, "claim")
    lines = [line.strip() for line in text.splitlines() if any(character.isalnum() for character in line)]
    if not lines:
        return Extracted(None, "empty")
    return Extracted("\n".join(_block(lines)) if several else lines[-1], "last_line")


def _answer_phrases(text: str) -> list[re.Match[str]]:
    """Return where a text says 'the answer is', left to right."""
    found = list(_PHRASE.finditer(text))
    if not text.isascii():
        found = sorted([*found, *_PHRASE_ASIAN.finditer(text)], key=lambda match: match.start())
    return found


def _supposed(text: str, phrase: re.Match[str]) -> bool:
    """Return whether an answer is only what would be right if something were so."""
    return (
        "would" in phrase.group().lower() and _IF.search(text, max(0, phrase.start() - 120), phrase.start()) is not None
    )


def _block(lines: list[str]) -> list[str]:
    """Return the lines at the end that can be items of one list: short, and no sentences."""
    last: list[str] = []
    for line in reversed(lines[-50:]):
        if last and (len(line) > 240 or line.endswith((".", ":", "。", "："))):
            break
        last.insert(0, line)
    return last


def _different(answers: list[str]) -> tuple[str, ...]:
    """Return what was answered before the last one, each wording once."""
    return tuple(dict.fromkeys(answer for answer in answers[:-1] if answer != answers[-1]))[-8:]


def _boxes(text: str) -> tuple[list[str], str]:
    """Return the contents of all innermost closed ``\\boxed{...}`` and what stands outside of them; linear."""
    found: list[str] = []
    opened: list[int] = []  # for each open brace where a box's content begins, or -1
    outside: list[str] = []
    inner = 0  # where the last box ended: a box around it is not taken, so that no text is copied twice
    for match in _BOX_OR_BRACE.finditer(text):
        if match.group() != "}":
            opened.append(match.end() if len(match.group()) > 1 else -1)
        elif opened:
            start = opened.pop()
            if start >= inner and start >= 0 and (content := text[start : match.start()].strip()):
                found.append(content)
                outside.append(text[inner : text.rfind("\\", inner, start)])
                inner = match.end()
    return found, " ".join([*outside, text[inner:]]).strip()


def _after(text: str, start: int, several: bool) -> str:
    """Return what follows a phrase: the rest of its sentence, or the next lines where nothing follows."""
    end = text.find("\n", start)
    end = len(text) if end < 0 else end
    rest = text[start : min(end, start + 2000)]
    if not any(character.isalnum() for character in rest):
        following = text[end : end + 2000].lstrip("\n\r \t*_#-:`\\[$")
        rest = following.partition("\n")[0]
        if _answer_phrases(rest):
            return ""  # the next line has an answer phrase of its own
        if several:
            return "\n".join(line.strip() for line in following.partition("\n\n")[0].splitlines() if line.strip())
    stop = _SENTENCE_END.search(rest)
    if stop is not None and any(character.isalnum() for character in rest[: stop.start()]):
        rest = rest[: stop.start() + 1]
    return rest.strip(" \t:：")


def _claim(text: str) -> str | None:
    """Return the sentence that states the result of a free text.

    The last concluding one ('therefore', 'so', 因此) if it has a number, else the last one with a number behind it. A text
    of one paragraph without a conclusion states its result first and explains it then; of several, the last counts.
    """
    sentences = [part.strip() for part in _SENTENCES.split(text) if part and part.strip()]
    last = sentences[-_SENTENCE_COUNT:]
    numeric = [place for place, sentence in enumerate(last) if _has_quantity(sentence)]
    concluding = [place for place, sentence in enumerate(last) if _CONCLUSION.search(sentence[:_SENTENCE])]
    behind = [place for place in numeric if concluding and place >= concluding[-1]]
    if behind:
        return last[behind[0] if behind[0] == concluding[-1] else behind[-1]]
    both = [place for place in concluding if place in numeric]
    if both:
        return last[both[-1]]
    if "\n\n" not in text.strip():
        return next((sentence for sentence in sentences[: _SENTENCE_COUNT // 3] if _has_quantity(sentence)), None)
    return last[numeric[-1]] if numeric else None


def _has_quantity(sentence: str) -> bool:
    """Return whether a sentence has a number that is no year."""
    if not any(character.isdigit() for character in sentence) or len(sentence) > _SENTENCE:
        return False
    return any(number.unit or number.currency or not _YEAR.match(number.text) for number in find_numbers(sentence))
