"""The terms of a question that say what it is about, in English and Chinese.

A term is what is looked for in figures: a stemmed English word, a pair of Chinese characters. Words that every question
has (function words, 'calculate', 'according to the chart', 'round to one decimal') are left out, and the common ways of
writing one financial term are led to one form.
"""

# ruff: noqa: E501, SIM905 - lists of words are easier to read and to extend as lines of text

from __future__ import annotations

import re

from finlmm_core.embed import normalise, words

#: Function words and the words of asking; stems, because they are compared with stems.
_ENGLISH_STOP = frozenset(
    stemmed
    for text in (
        "a an the this that these those it its is are was were be been being am do does did done has have had having",
        "of in on at by to from for with without within into onto over under about above below between among across",
        "through during per via as than then so such and or nor but not no yes if while when where which who whom whose",
        "what why how there here their they them he she his her our we us you your i me my one some any all both each",
        "every either neither other another more most less least much many few several only also even very too just",
        "can could will would shall should may might must out up down off again same own s t",
        "according based given using use show shown showing shows following chart figure graph table image picture",
        "data provided question answer statement true false calculate compute determine find tell give identify describe",
        "explain compare discuss summarize value number amount round rounded decimal place places please report",
        "reported approximately about roughly",
    )
    for stemmed in words(text)
)
#: The words of asking in Chinese; cut out before pairs are taken. Longest first.
_CHINESE_ASKING = re.compile(
    "|".join(
        sorted(
            "请根据图中数据 根据图中数据 根据图表 请根据 根据 图中数据 图中 图表 表中 数据 请计算 计算 请保留 保留 结果 "
            "一位小数 两位小数 三位小数 四位小数 位小数 小数 整数 四舍五入 百分比形式 百分比 百分点 转换为 转化为 转换 转化 "
            "并将 然后 最后 首先 将该 得到的 该 请 提供 乘以 除以 分别 其中 多少 是 的 了 和 与 在 至 到 为 从 及 以 并 或 "
            "相对于 相比 之间 之差 之和 差值 平均值 平均 总和 比例 占比 比值 值 求 这些 以及 哪 哪个 什么 年 月 日 形式".split(),
            key=len,
            reverse=True,
        )
    )
)
#: Ways of writing one thing. Applied to normalised text of questions and figures alike, in this order.
_SAME = [
    (re.compile(pattern), form)
    for pattern, form in (
        (r"归属于?(?:上市公司|母公司)?(?:所有者|股东|普通股股东)?的?净利润|归属母公司净利润|归母净利(?!润)", "归母净利润"),
        (r"归属于?母公司所有者的?净利润", "归母净利润"),
        (r"扣除?非(?:经常性损益)?(?:后)?(?:的)?(?:归母)?净利润", "扣非净利润"),
        (r"营业总?收入|主营业务收入|营收(?!入)|总收入", "营业收入"),
        (r"同比(?:增长率|增速|增长|变动|变化)?|\byoy\b|\by-o-y\b|\by/y\b|\byear[- ]over[- ]year\b|\byear[- ]on[- ]year\b", " 同比 yoy "),
        (r"环比(?:增长率|增速|增长|变动|变化)?|\bqoq\b|\bq/q\b", " 环比 qoq "),
        (r"复合(?:年均)?增长率|年均复合增长率|\bcagr\b|compound annual growth(?: rate)?", " cagr "),
        (r"每股收益|\beps\b|earnings per (?:common |diluted |basic )?share", " eps 每股收益 "),
        (r"市盈率|\bp/e\b|price[- ](?:to[- ])?earnings", " pe 市盈率 "),
        (r"市净率|\bp/b\b|price[- ]to[- ]book", " pb 市净率 "),
        (r"净资产收益率|\broe\b|return on (?:average )?(?:common )?(?:share(?:holder)?s'? )?equity", " roe 净资产收益率 "),
        (r"研发(?:费用|支出|投入)|\br&d\b|research (?:and|&) development", " 研发 r&d "),
        (r"\bcapex\b|capital expenditures?|资本(?:性)?(?:开支|支出)", " capex "),
        (r"\bfcf\b|free cash flows?|自由现金流", " fcf "),
        (r"\bcogs\b|cost of (?:goods sold|sales|revenues?)|营业成本", " cogs 营业成本 "),
        (r"\bsg&a\b|selling, general,? (?:and|&) administrative", " sga "),
        (r"\bnet (?:income|profits?|earnings)\b", " net income "),
        (r"\b(?:net )?(?:sales|turnover|revenues?)\b", " revenue "),
        (r"\bper cent\b|\bpercent(?:age)?s?\b|\bpct\b", " % "),
        (r"\bu\. ?s\.?(?: ?a\b\.?)?(?![a-z])|\bunited states(?: of america)?\b", " usa "),
        (r"\bu\. ?k\.?(?![a-z])|\bunited kingdom\b", " uk "),
    )
]  # fmt: skip
_PERIOD_LIKE = re.compile(r"(?:19|20)\d\d")


def unified(text: str) -> str:
    """Return the normalised text with the usual synonyms and short forms led to one form."""
    text = normalise(text)
    for pattern, form in _SAME:
        text = pattern.sub(form, text)
    return text


def shown_terms(text: str) -> list[str]:
    """Return the terms of what a figure says, repeated as they stand, numbers left out."""
    return [term for term in words(unified(text)) if not term[0].isdigit() and term not in _ENGLISH_STOP]


def asked_terms(text: str) -> list[str]:
    """Return the terms of a question, each once, in order: without the words of asking, without numbers."""
    text = _CHINESE_ASKING.sub(" ", unified(text))
    found = dict.fromkeys(term for term in words(text) if not term[0].isdigit() and term not in _ENGLISH_STOP)
    return list(found)
