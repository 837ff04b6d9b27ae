"""Causal statements of a report's prose: what moved, and why."""
# ruff: noqa: E501 - expressions are easier to read whole

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from finlmm_core.domain import Box, Document, Language
from finlmm_core.quantities import find_numbers, find_periods
from finlmm_generators.glossary import terms_in

Shape = Literal["clause", "noun"]


@dataclass(frozen=True)
class Cause:
    """One statement: ``effect`` is a clause ('net sales rose 4% in 2018') or a noun phrase ('the increase in ...')."""

    effect: str
    cause: str
    shape: Shape
    sentence: str
    paragraph: str
    heading: str
    page: int
    box: Box
    terms: tuple[str, ...]  # glossary keys that the effect names


_ABBREVIATION = re.compile(
    r"(?:\b(?:U\.S|U\.K|Inc|Corp|Ltd|Co|No|vs|approx|Mr|Ms|Dr|St|e\.g|i\.e|etc|Jan|Feb|Mar|Apr|Aug|Sept|Sep|Oct|Nov|Dec)|\b[A-Z])\.\Z"
)
_MOVED = re.compile(
    r"\b(?:increas|decreas|declin|grew|grow|rose|ris(?:e|en|ing)|fell|fall|dropp?|improv|expand|contract|higher|lower|reduc|gain|loss|up\b|down\b|"
    r"doubl|slow|accelerat|weaken|strengthen)",
    re.IGNORECASE,
)
_ADVERB = r"(?:(?:was|were|is|are|has been|have been)\s+)?(?:(?:primarily|mainly|largely|principally|mostly|predominantly|chiefly|driven primarily|due primarily)\s+)?"
_LINK = re.compile(
    rf"[,;]?\s+(?:and\s+)?{_ADVERB}(?P<link>due\s+(?:primarily\s+|mainly\s+|largely\s+|principally\s+)?to|(?:primarily\s+|mainly\s+|largely\s+)?driven\s+(?:primarily\s+|mainly\s+|largely\s+)?by|"
    r"attributable\s+(?:primarily\s+|mainly\s+|largely\s+)?to|attributed\s+to|as\s+a\s+result\s+of|(?:primarily\s+)?the\s+result\s+of|resulting\s+(?:primarily\s+)?from|because\s+of|"
    r"caused\s+by|led\s+by|reflecting|reflects|primarily\s+from)\s+(?=\S)",
    re.IGNORECASE,
)
_CUT = re.compile(
    r"[,;]?\s+(?:(?:and|but|which\s+(?:was|were))\s+)?(?:(?:were|was)\s+)?(?:partially|partly|more\s+than|slightly|also|largely)?\s*(?:offset|mitigated)(?:\s+in\s+part)?\s+by\b.*"
    r"|[,;]\s+(?:while|whereas|although|compared\s+(?:to|with)|which|but|as\s+(?:compared|discussed|described|noted)|see\b|refer\b|respectively|including\b).*"
    r"|\s+(?:as\s+(?:discussed|described|noted|compared)|compared\s+(?:to|with)|offset\s+by|partially\s+offset)\b.*",
    re.IGNORECASE | re.DOTALL,
)
_UNCLEAR = re.compile(
    r"\b(?:this|these|those|such|it|they|them|their|he|she|which|above|below|following|previously|aforementioned|"
    r"discussed|described|noted|former|latter|note\s+\d+|table|chart|graph|figure|item\s+\d|part\s+i+|section|we|us)\b",
    re.IGNORECASE,
)
_MODAL = re.compile(
    r"\b(?:may|might|could|would|will|should|can|expect(?:s|ed)?|anticipate[sd]?|if|intend|estimate[sd]?|likely|assum\w+|risks?|potential)\b",
    re.IGNORECASE,
)
_NOUN = re.compile(
    r"\A(?:the\s+|an?\s+)?(?:(?:net|overall|remaining|slight|significant|year-over-year|\$?[\d.,]+%?(?:\s+(?:million|billion|percent))?)\s+)*(?:increases?|decreases?|declines?|growth|improvements?|reductions?|changes?|drop|rise)\s+(?:in|of)\s+",
    re.IGNORECASE,
)
_CHINESE_MOVED = re.compile(r"增长|下降|上升|提升|减少|增加|下滑|提高|降低|回落|回升|改善|增速|转正|承压|高增|波动")
_CHINESE_LINK = re.compile(
    r"[，,]?(?:这)?(?:主要|主因)?(?:是)?(?:由于|系因?|得益于|受益于|缘于|源于|归因于|原因是|原因系|因为|主因)(?:公司)?(?=[\u4e00-\u9fffA-Za-z0-9])|[，,]?主要(?:是)?因(?:为)?|[，,]主要(?:受|为)(?=.{2,40}(?:影响|所致|带动|驱动|拉动))"
)
_CHINESE_MAINLY = re.compile(
    r"(?P<effect>[^。；;]{6,70})[，,](?:主要|主因)?(?:是)?受(?P<cause>[^，,。；;]{4,50}?)(?:等?因素)?(?:的?影响|拖累|带动|驱动|拉动|推动)(?:所致)?"
)
_CHINESE_INFLUENCE = re.compile(
    r"\A(?:[^，,。]{0,12}[，,])?受(?P<cause>[^，,。；;]{4,40}?)(?:等?因素)?(?:的?影响|拖累|带动|驱动|拉动|推动)[，,](?P<effect>[^。；;]{6,70})"
)
_CHINESE_UNCLEAR = re.compile(
    r"上述|如下|下表|上表|下图|上图|如图|图\s?\d|表\s?\d|该|此|其(?!他|中)|预计|有望|将|可能|若|如果|预期|风险|假设|我们"
)
_ALREADY = re.compile(
    r"\b(?:due to|because of|as a result|driven by|attributable to|reflecting|in response to|following|related to|primarily|mainly|"
    r"while|whereas|although|including|excluding|offset)\b",
    re.IGNORECASE,
)
_BARE = re.compile(
    r"(?:the\s+)?(?:total\s+|net\s+)*(?:revenues?|sales|income|operating\s+income|earnings|expenses?|costs?|profit|margins?)\s",
    re.IGNORECASE,
)
_LOWERED = re.compile(
    r"\A(?:The|Our|Net|Total|Operating|Gross|Selling|Costs?|Interest|Income|Revenues?|Sales|Cash|Research|Depreciation|Amortization|Capital|Other|General|"
    r"Marketing|Provision|Effective|Accounts|Inventor(?:y|ies)|Organic|Comparable|Diluted|Consolidated|Adjusted|Segment|Foreign|Long-term|Working|Free|Average|"
    r"Higher|Lower|Increases?d?|Decreases?d?|Growth|Transaction|Service|Services|Product|Products|Administrative|Depreciation|Earnings|Profit|An?|Changes?|In|During|For)\b"
)


def lowered(text: str) -> str:
    """Return the text with its first letter small, unless the first word may be a name."""
    return text[0].lower() + text[1:] if _LOWERED.match(text) else text


def sentences_of(text: str) -> list[str]:
    pieces = re.split(r"(?<=[.!?])\s+(?=[A-Z“\"(])", re.sub(r"\s+", " ", text).strip())
    merged: list[str] = []
    for piece in pieces:
        if merged and _ABBREVIATION.search(merged[-1]):
            merged[-1] += " " + piece
        else:
            merged.append(piece)
    return merged


_VERSUS = re.compile(
    r"\A(?P<later>(?:19|20)\d\d)\s+(?:vs\.?|versus|compared\s+(?:to|with))\s+(?P<earlier>(?:19|20)\d\d)\s*[:.–—-]?\s+(?=[A-Z])"
)
_RUN_IN = re.compile(r"\A(?:[A-Z0-9][A-Z0-9&,'’/-]+\s+){2,}(?=[A-Z][a-z])")


def _without_lead(sentence: str) -> str:
    """Return the sentence without a heading run into it; '2020 vs. 2019 Revenue rose ...' keeps its years behind."""
    sentence = _RUN_IN.sub("", sentence)
    if found := _VERSUS.match(sentence):
        link = _LINK.search(sentence)
        years = f" in {found.group('later')} compared to {found.group('earlier')}"
        cut = link.start() if link else len(sentence)
        sentence = sentence[found.end() : cut] + years + sentence[cut:]
    return sentence


def _tidy(text: str) -> str:
    text = re.sub(r"\bour\b", "the company's", text)
    text = re.sub(r"\bOur\b", "The company's", text)
    text = re.sub(r"\((?:i{1,3}|iv|v|vi{0,3}|[a-e])\)\s*", "", text)
    text = re.sub(r"\s*\((?:see|refer|as)[^)]*\)", "", text, flags=re.IGNORECASE)
    text = re.sub(r"\s+", " ", text).strip(" ,;:–—-")
    return text if re.search(r"(?:\b[A-Z]\.)+[A-Z]\.\Z|\b(?:Inc|Corp|Ltd|Co)\.\Z", text) else text.rstrip(" ,;:.–—-")


def _english(sentence: str) -> tuple[str, str, Shape] | None:
    """Return effect, cause and shape of a sentence with one causal link, or None."""
    sentence = _without_lead(sentence)
    links = list(_LINK.finditer(sentence))
    if not links or len(sentence) > 600 or not re.search(r"[.!?][\"”)]*\Z", sentence):
        return None
    link = links[0]
    effect, cause = sentence[: link.start()], sentence[link.end() :]
    if link.group("link").lower().startswith(("reflect",)) and not re.search(
        r",\s*\Z|,\s+", sentence[link.start() : link.start() + 2]
    ):
        return None
    cause = _CUT.sub("", cause)
    if second := _LINK.search(" " + cause):
        # 'due to lower volume as a result of ...': the chain is kept only up to its first reason.
        cause = cause[: max(0, second.start() - 1)]
    effect, cause = _tidy(effect), _tidy(cause)
    effect = re.sub(
        r"(?:[,\s]+(?:was|were|is|are|has been|have been|being|and|which|that|also|in part|benefit{1,2}ing|helped|primarily|mainly|partly))+\Z",
        "",
        effect,
    )
    shape: Shape = "noun" if _NOUN.match(effect) and not re.search(r"\b(?:was|were)\b", effect) else "clause"
    if not _MOVED.search(effect) or _UNCLEAR.search(effect) or _UNCLEAR.search(cause) or _MODAL.search(sentence):
        return None
    if re.search(r"\b(?:same|factors?|reasons?|items?|matters?)\b", cause, re.IGNORECASE):
        return None  # it points at reasons that stand elsewhere
    words, reasons = len(effect.split()), len(cause.split())
    if not (4 <= words <= 40 and 3 <= reasons <= 32) or "respectively" in sentence.lower():
        return None
    if effect.count("(") != effect.count(")") or cause.count("(") != cause.count(")"):
        return None
    if shape == "clause" and not re.search(
        r"\b(?:increased|decreased|declined|grew|rose|climbed|advanced|fell|dropped|improved|expanded|contracted|was|were|doubled|slowed|reduced)\b",
        effect,
    ):
        return None
    if re.search(
        r"\b(?:by|of|the|and|a|an|to|in|for|with|from|lower|higher|net|other|that|which|than|as|at|on|its|their)\Z",
        cause,
    ) or re.search(r";|•", effect + cause):
        return None
    if re.match(
        r"(?:and|or|but|however|also|additionally|although|while|as|if|when|because|since|excluding)\b",
        effect,
        re.IGNORECASE,
    ):
        return None
    if shape == "noun" and re.search(r"\b(?:is|are|was|were|has|had)\b", effect):
        return None
    if _ALREADY.search(effect) or (_BARE.match(effect) and not find_periods(effect)):
        return None
    return effect, cause, shape


def _chinese(sentence: str) -> tuple[str, str, Shape] | None:
    if not re.search(r"[。！？]\Z", sentence):
        return None  # cut by the end of a column: the reason may go on elsewhere
    if found := _CHINESE_INFLUENCE.search(sentence) or _CHINESE_MAINLY.search(sentence):
        effect, cause = found.group("effect"), found.group("cause")
    elif link := _CHINESE_LINK.search(sentence):
        effect, cause = sentence[: link.start()], sentence[link.end() :]
        cause = re.split(r"[；;]|，(?:同时|但|此外|其中|公司|我们|环比|同比|较)", cause)[0]
        cause = re.sub(r"(?:所致|导致|的影响|影响|带动|驱动)\Z", "", cause.strip("。，；;, "))
    else:
        return None
    effect, cause = re.sub(r"\s+", "", effect).strip("。，；：;,:、"), re.sub(r"\s+", "", cause).strip("。，；：;,:、")
    effect = effect.rsplit("；", 1)[-1]
    if not (8 <= len(effect) <= 70 and 5 <= len(cause) <= 60) or not _CHINESE_MOVED.search(effect):
        return None
    if (
        _CHINESE_UNCLEAR.search(effect)
        or _CHINESE_UNCLEAR.search(cause)
        or effect.count("（") != effect.count("）")
        or cause.count("（") != cause.count("）")
    ):
        return None
    if sum("\u4e00" <= c <= "\u9fff" for c in cause) < 4 or re.search(r"[\[\]<>|]|\.{3}", effect + cause):
        return None
    return effect, cause, "clause"


def find_causes(document: Document, language: Language) -> Iterator[Cause]:
    """Yield the causal statements of the prose, in reading order, each only if it says what moved, when or how much."""
    heading = ""
    seen: set[str] = set()
    for page in document.pages:
        for block in page.blocks:
            if block.kind == "heading":
                heading = re.sub(r"\s+", " ", block.text).strip(" :.")
                continue
            if (
                len(block.text) < 60
                and len(block.text.split()) <= 8
                and not re.search(r"[.;。；,，]\s*\Z|\d", block.text)
            ):
                # A short line without a full stop heads what follows, also where its type gives no hint.
                heading = re.sub(r"\s+", " ", block.text).strip(" :.")
                continue
            if block.kind not in ("paragraph", "list_item"):
                continue
            text = block.text.strip(" •·▪■●◦-–")
            sentences = re.split(r"(?<=[。！？])", re.sub(r"\s+", "", text)) if language == "zh" else sentences_of(text)
            for sentence in sentences:
                parsed = _chinese(sentence) if language == "zh" else _english(sentence)
                if parsed is None:
                    continue
                effect, cause, shape = parsed
                terms = tuple(term.key for term in terms_in(effect, language))
                measured = bool(find_periods(effect)) or any(
                    n.unit or n.currency or n.decimals for n in find_numbers(effect)
                )
                if not measured or effect in seen:
                    continue
                seen.add(effect)
                yield Cause(
                    lowered(effect),
                    lowered(cause),
                    shape,
                    sentence.strip(),
                    text,
                    heading,
                    page.number,
                    block.box,
                    terms,
                )
