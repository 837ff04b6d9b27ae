"""The glossary is complete in both languages, and its wrong options are other terms' texts."""

from __future__ import annotations

from collections import Counter

import pytest
from finlmm_generators.glossary import fold, term_of, terms, terms_by_key, terms_in

from finlmm_core.domain import Language


def test_at_least_eighty_terms_with_unique_keys_and_texts() -> None:
    assert len(terms()) >= 80
    assert len(terms_by_key()) == len(terms())
    for field in ("definition", "formula", "rise"):
        for language in ("en", "zh"):
            texts = Counter(getattr(term, field).said(language) for term in terms())
            assert max(texts.values()) == 1


def test_confusable_terms_exist_and_are_others() -> None:
    for term in terms():
        assert len(set(term.confusable)) >= 3
        assert term.key not in term.confusable
        assert set(term.confusable) <= terms_by_key().keys()


@pytest.mark.parametrize("language", ["en", "zh"])
def test_no_name_stands_for_two_terms(language: Language) -> None:
    owners: dict[str, set[str]] = {}
    for term in terms():
        for name in term.names(language):
            owners.setdefault(fold(name), set()).add(term.key)
    assert {name: keys for name, keys in owners.items() if len(keys) > 1} == {}


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("field", ["definition", "formula", "rise"])
def test_the_longest_text_is_not_mostly_the_right_one(language: Language, field: str) -> None:
    by_key = terms_by_key()
    longest = 0
    for term in terms():
        own = len(getattr(term, field).said(language))
        longest += own > max(len(getattr(by_key[key], field).said(language)) for key in term.confusable[:3])
    assert longest / len(terms()) < 0.35


@pytest.mark.parametrize(
    ("label", "language", "key"),
    [
        ("Total net sales", "en", "revenue"),
        ("Property, plant and equipment — net", "en", "ppe"),
        ("SG&A", "en", "sga"),
        ("Research & development", "en", "r_and_d"),
        ("归母净利润", "zh", "net_income"),
        ("经营活动产生的现金流量净额", "zh", "operating_cash_flow"),
    ],
)
def test_row_labels_name_terms(label: str, language: Language, key: str) -> None:
    term = term_of(label, language)
    assert term is not None
    assert term.key == key


def test_terms_in_prose_are_found_with_the_longer_name_winning() -> None:
    assert [t.key for t in terms_in("Gross profit margin fell while net sales rose.", "en")] == [
        "gross_margin",
        "revenue",
    ]
    assert [t.key for t in terms_in("毛利率提升，归母净利润同比下降", "zh")] == ["gross_margin", "net_income", "yoy"]
