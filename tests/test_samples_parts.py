"""The parts of the samples step: splits, duplicates, what a figure says, chance."""

from __future__ import annotations

from collections import Counter

import pytest
from PIL import Image, ImageDraw

from finlmm_core.domain import Answer, Evidence, QAPair, QuestionType
from finlmm_core.steps.sampling.chance import Chance, Deck, unit
from finlmm_core.steps.sampling.config import SplitShares
from finlmm_core.steps.sampling.duplicates import same_figures
from finlmm_core.steps.sampling.fits import asked, why_it_fits
from finlmm_core.steps.sampling.splits import assign_splits, company_key, owner
from finlmm_core.steps.sampling.words import numbers_in, rounds_to, says, words_of

# -------------------------------------------------------------------------------------------------------- splits


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Intel Corporation", "INTEL CORP."),
        ("McDonald's Corp", "McDonald’s Corporation"),
        ("Procter & Gamble Co.", "Procter and Gamble Company"),
        ("中芯国际集成电路制造有限公司", "中芯国际集成电路制造"),
        ("贵州茅台酒股份有限公司", "贵州茅台酒"),
    ],
)
def test_ways_of_writing_a_company_are_one_group(one: str, other: str) -> None:
    assert company_key(one) == company_key(other) != ""


def test_companies_stay_apart() -> None:
    assert company_key("General Motors Company") != company_key("General Mills, Inc.")
    assert company_key("The Company") == company_key("本公司") == ""


def test_many_groups_follow_the_shares() -> None:
    groups = {f"company:{n}": 1 for n in range(4000)}
    counts = Counter(assign_splits(groups, SplitShares(validation=0.1, test=0.2), 0).values())
    assert abs(counts["validation"] / 4000 - 0.1) < 0.015
    assert abs(counts["test"] / 4000 - 0.2) < 0.02


def test_splits_stay_when_groups_are_added() -> None:
    before = assign_splits({f"company:{n}": 1 for n in range(500)}, SplitShares(), 3)
    after = assign_splits({f"company:{n}": 1 for n in range(2000)}, SplitShares(), 3)
    assert all(after[group] == split for group, split in before.items())


@pytest.mark.parametrize("count", [3, 4, 7, 12, 30])
@pytest.mark.parametrize("seed", range(8))
def test_few_groups_leave_no_split_empty_and_none_too_large(count: int, seed: int) -> None:
    counts = Counter(assign_splits({f"g{n}": 1 for n in range(count)}, SplitShares(), seed).values())
    assert counts["validation"] >= 1
    assert counts["test"] >= 1
    assert counts["train"] >= count - 2 * -(-count // 10)


def test_groups_without_samples_do_not_count_for_filling_a_split() -> None:
    groups = {f"g{n}": int(n < 3) for n in range(40)}
    assigned = assign_splits(groups, SplitShares(), 0)
    assert {assigned[f"g{n}"] for n in range(3)} == {"train", "validation", "test"}


def test_no_held_out_share_means_no_held_out_group() -> None:
    assigned = assign_splits({f"g{n}": 1 for n in range(9)}, SplitShares(validation=0, test=0), 0)
    assert set(assigned.values()) == {"train"}


def test_an_item_s_owner_is_one_of_those_that_have_it() -> None:
    drawn = Counter(owner(str(n), ["train", "test"], SplitShares(), 0) for n in range(3000))
    assert set(drawn) == {"train", "test"}
    assert abs(drawn["test"] / 3000 - 0.1 / 0.9) < 0.02


# -------------------------------------------------------------------------------------------------------- chance


def test_a_deck_deals_every_number_before_any_comes_back() -> None:
    deck = Deck(4, "x")
    for _ in range(20):
        assert sorted(deck.deal() for _ in range(4)) == [0, 1, 2, 3]


def test_chance_is_fixed_for_ever() -> None:
    # a change here would change every dataset made before
    assert unit("seed", 1) == pytest.approx(0.965919, abs=1e-6)
    assert Chance("a").shuffled(range(8)) == [2, 1, 6, 5, 7, 0, 3, 4]
    assert sorted(Chance("b").some(list(range(1000)), 30)) != list(range(30))


# ---------------------------------------------------------------------------------------------------- duplicates


def _picture(shift: int) -> Image.Image:
    image = Image.new("RGB", (300, 200), "white")
    pen = ImageDraw.Draw(image)
    for bar in range(6):
        pen.rectangle((20 + 45 * bar, 180 - (bar * shift) % 150, 50 + 45 * bar, 190), fill=(30, 60, 90))
    return image


def test_reprints_are_found_and_other_years_are_not() -> None:
    table = "Net revenue 1,204 1,100 Cost of sales 803 777 Gross profit 401 323 Operating income 120 99"
    texts = [
        table,
        table.replace("Net revenue", "Net  Revenue") + " (unaudited)",
        "Net revenue 1,377 1,204 Cost of sales 911 803 Gross profit 466 401 Operating income 160 120",
        "图3 营业收入 同比增长 2021 12.5 2022 13.5 2023 10.2",
        "图3:营业收入,同比增长 2021 12.5 2022 13.5 2023 10.2",
    ]
    same = same_figures(texts, [f"{n}" for n in range(5)], lambda n: _picture(n), 0.85)
    assert same == [0, 0, 2, 3, 3]


def test_pictures_without_words_are_told_apart_by_their_looks() -> None:
    pictures = [_picture(31), _picture(31).resize((450, 300)), _picture(77)]
    assert same_figures(["", "", ""], ["a", "b", "c"], lambda n: pictures[n]) == [0, 0, 2]


def test_one_image_file_is_one_figure_whatever_is_said_of_it() -> None:
    assert same_figures(["one caption", "another"], ["a", "a"], lambda n: _picture(n)) == [0, 0]


# ------------------------------------------------------------------------------------------------ what is said


def test_numbers_are_compared_without_sign_and_separators() -> None:
    assert numbers_in("(1,234.50) and -7 % of .5, 2021") == ["1234.5", "7", "0.5", "2021"]


@pytest.mark.parametrize(
    ("number", "shown", "yes"),
    [
        ("77867", "77.9", True),
        ("77867", "77.8", False),
        ("77867", "779", False),  # a factor of a hundred is no scale that reports use
        ("1234567", "1235", True),
        ("15678", "1.57", True),  # 万
        ("12", "1.2", False),
    ],
)
def test_a_number_is_known_again_in_another_scale(number: str, shown: str, yes: bool) -> None:
    assert rounds_to(number, shown) is yes


def test_labels_are_found_however_columns_are_headed() -> None:
    text = words_of("Consolidated results, fiscal 2021 and 2020: Total net revenues 77,867")
    assert says(text, "Net revenue")
    assert says(text, "Year Ended December 31, 2021")
    assert not says(text, "2019")
    assert not says(text, "Operating expenses")
    assert says(words_of("图3:公司 营业收入(亿元)"), "营业收入")
    assert not says(words_of("图3:公司净利润(亿元)"), "营业收入")


def question(text: str, *evidence: tuple[str, float | None, tuple[str, ...]], answer: str = "8.1%") -> QAPair:
    return QAPair(
        id="q",
        document_id="d",
        type=QuestionType.ARITHMETIC_REASONING,
        language="en",
        question=text,
        options=(answer, "x"),
        answer=Answer(text=answer, option=0),
        evidence=tuple(
            Evidence(name=f"v{n}", text=printed, value=value, labels=labels, page=1)
            for n, (printed, value, labels) in enumerate(evidence)
        ),
        generator="tables",
    )


GROWTH = question(
    "By how much did net revenue grow from 2020 to 2021?",
    ("77,867", 77867, ("Net revenue", "2021", "Consolidated Statements of Income")),
    ("72,132", 72132, ("Net revenue", "2020", "Consolidated Statements of Income")),
)


@pytest.mark.parametrize(
    ("figure", "reason"),
    [
        ("Five-year summary 77,867 72,132 71,965", "holds_the_evidence"),
        ("Net revenue ($B) 2020 72.1 2021 77.9", "holds_the_evidence"),
        ("Net revenue growth 2021 8.1% 2020 4.0%", "shows_the_answer"),
        ("Segment A, 2021 and 2020: net revenue 1,200 1,100", "fits_the_question"),
        ("Net revenue 2018 70,848 2019 71,965", None),
        ("Headcount 2020 110,600 2021 121,100", None),
    ],
)
def test_figures_that_answer_too_are_recognised(figure: str, reason: str | None) -> None:
    assert why_it_fits(asked(GROWTH), figure) == reason


def test_a_term_that_another_figure_shows_too_is_no_test_of_the_figure() -> None:
    asks = question(
        "What does the operating margin tell?", ("operating margin", None, ("operating margin",)), answer="x"
    )
    assert why_it_fits(asked(asks), "Operating margin by segment 12% 14%") == "fits_the_question"
    assert why_it_fits(asked(asks), "Dividends a share 1.2 1.3") is None
