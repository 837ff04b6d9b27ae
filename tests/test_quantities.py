"""Numbers, periods and units are read as reports print them, in English and Chinese."""

from __future__ import annotations

import datetime
import time
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finlmm_core.quantities import (
    find_numbers,
    find_periods,
    format_amount,
    format_number,
    format_percent,
    parse_number,
    parse_period,
    parse_units,
)

# ------------------------------------------------------------------------------------------------------- numbers


@pytest.mark.parametrize(
    ("printed", "value"),
    [
        ("1,234", "1234"),
        ("1,234.50", "1234.50"),
        ("(1,234)", "-1234"),
        ("$ (1,234)", "-1234"),
        ("$(1,234)", "-1234"),
        ("(12.5)%", "-12.5"),
        ("(12.5 %)", "-12.5"),
        ("(12.5%)", "-12.5"),
        ("（1,234）", "-1234"),
        ("-12.3", "-12.3"),
        ("−12.3", "-12.3"),
        ("–12.3", "-12.3"),
        ("△12.3", "-12.3"),
        ("▲ 5", "-5"),
        ("(1,234", "-1234"),
        ("１２，３４５．６％", "12345.6"),
        ("1'234'567", "1234567"),
        ("12,34,567", "1234567"),
        ("1.234.567,8", "1234567.8"),
        (".05", "0.05"),
        ("+4.5%", "4.5"),
        ("RMB1,234.5", "1234.5"),
    ],
)
def test_a_cell_with_one_number_is_read_with_its_sign(printed: str, value: str) -> None:
    number = parse_number(printed)
    assert number is not None
    assert number.value == Decimal(value)


@pytest.mark.parametrize("printed", ["-", "—", "–", "$ —", "— %", "nil", "N/A", "", " ", "$", "1,23", "1.2.3", "12 34"])
def test_dashes_words_and_broken_digits_are_not_numbers(printed: str) -> None:
    assert parse_number(printed) is None


@pytest.mark.parametrize("printed", ["2021A", "3M", "Q3", "FY21", "1,234 (56)", "5 years", "2019-2020"])
def test_a_cell_that_holds_more_than_a_number_is_refused(printed: str) -> None:
    assert parse_number(printed) is None


@pytest.mark.parametrize("printed", ["1,234 (1)", "1,234(a)", "1,234*", "1,234 †", "1,234¹", "1,234 [2]"])
def test_footnote_marks_do_not_change_the_number(printed: str) -> None:
    number = parse_number(printed)
    assert number is not None
    assert (number.value, number.text) == (Decimal(1234), "1,234")


@pytest.mark.parametrize(
    ("printed", "scale", "currency", "unit"),
    [
        ("US$ 5.2bn", 10**9, "USD", None),
        ("HK$1,000", 1, "HKD", None),
        ("$3M", 10**6, "USD", None),
        ("3.2亿元", 10**8, "CNY", None),
        ("12万", 10**4, None, None),
        ("15.3百万美元", 10**6, "USD", None),
        ("€ 4.5 million", 10**6, "EUR", None),
        ("£12k", 10**3, "GBP", None),
        ("25bps", 1, None, "basis_points"),
        ("1.5个百分点", 1, None, "percentage_points"),
        ("0.3 percentage points", 1, None, "percentage_points"),
        ("12.5x", 1, None, "multiple"),
        ("12.5 percent", 1, None, "percent"),
        ("¥1,200", 1, "CNY", None),
    ],
)
def test_signs_codes_scale_words_and_units_beside_a_number_are_read(
    printed: str, scale: int, currency: str | None, unit: str | None
) -> None:
    number = parse_number(printed)
    assert number is not None
    assert (number.scale, number.currency, number.unit) == (scale, currency, unit)
    assert number.percent == (unit == "percent")


def test_numbers_in_english_prose_are_found_with_their_spans() -> None:
    text = "Net sales rose 4.5% to $1.2 billion in 2021 (2020: $1,150 million), a loss of $(34) million at 3M; see (1)."
    numbers = find_numbers(text)
    assert [str(n.value) for n in numbers] == ["4.5", "1.2", "2021", "2020", "1150", "-34", "1"]
    assert all(text[n.start : n.end] == n.text for n in numbers)
    assert numbers[1].plain == Decimal("1200000000.0")


def test_numbers_in_chinese_prose_are_found_with_their_spans() -> None:
    text = "2024年营业收入577.96亿元，同比增长27.7%，毛利率提升1.5个百分点至18.6%；净利润同比-23.3%。"
    numbers = find_numbers(text)
    assert [str(n.value) for n in numbers] == ["2024", "577.96", "27.7", "1.5", "18.6", "-23.3"]
    assert numbers[1].scale == 10**8
    assert numbers[3].unit == "percentage_points"


def test_the_second_number_of_a_range_is_not_negative() -> None:
    assert [n.value for n in find_numbers("2019-2020, 5%-10% and pages 12–14")] == [2019, 2020, 5, 10, 12, 14]


amounts = st.decimals(min_value=-(10**12), max_value=10**12, places=2, allow_nan=False, allow_infinity=False)


@given(amounts, st.integers(0, 2))
def test_a_formatted_number_reads_back_as_itself(value: Decimal, decimals: int) -> None:
    text = format_number(value, decimals)
    number = parse_number(text)
    assert number is not None
    assert format_number(number.value, decimals) == text
    assert number.decimals == decimals


@given(
    amounts,
    st.sampled_from(["USD", "EUR", "GBP", "HKD", None]),
    st.sampled_from([1, 10**3, 10**6, 10**9]),
)
def test_an_english_amount_reads_back_with_scale_and_currency(value: Decimal, currency: str | None, scale: int) -> None:
    text = format_amount(value, 1, scale=scale, currency=currency)
    number = parse_number(text)
    assert number is not None
    assert (number.scale, number.currency) == (scale, currency)
    assert format_number(number.value, 1) == format_number(value, 1)


@given(amounts, st.sampled_from(["CNY", "USD", "HKD", None]), st.sampled_from([1, 10**4, 10**6, 10**8]))
def test_a_chinese_amount_reads_back_with_scale_and_currency(value: Decimal, currency: str | None, scale: int) -> None:
    text = format_amount(value, 2, scale=scale, currency=currency, language="zh")
    number = parse_number(text)
    assert number is not None
    assert (number.scale, number.currency) == (scale, currency)
    assert format_number(number.value, 2) == format_number(value, 2)


@given(amounts)
def test_parentheses_negate_in_both_scripts(value: Decimal) -> None:
    text = format_number(abs(value), 2)
    for printed in (f"({text})", f"（{text}）", f"$ ({text})", f"({text})%"):
        number = parse_number(printed)
        assert number is not None
        assert number.value == -abs(Decimal(text.replace(",", "")))


@given(st.text(alphabet="0123456789,.()-–$%€¥ 万亿年月日QHFYE（）％，．mkbn'\n", max_size=60))
def test_any_text_is_searched_without_error_and_spans_are_true(text: str) -> None:
    for number in find_numbers(text):
        assert text[number.start : number.end] == number.text
    for period in find_periods(text):
        assert text[period.start : period.end] == period.text
    parse_units(text)
    alone = parse_number(text)
    assert alone is None or alone.text in text


@pytest.mark.parametrize(
    "piece", ["1", "1,", "(", "$ ", "- ", "1,234", "2021 ", "Q3 ", "three months ended ", "(1)", "1.", "亿"]
)
def test_long_hostile_text_is_read_in_linear_time(piece: str) -> None:
    def seconds(length: int) -> float:
        text = (piece * length)[:length]
        begin = time.process_time()
        find_numbers(text)
        find_periods(text)
        parse_units(text[:5000])
        parse_number(text)
        return time.process_time() - begin

    short, long = seconds(10_000), seconds(80_000)
    assert long < max(2.0, 40 * short)


# ------------------------------------------------------------------------------------------------------- periods


@pytest.mark.parametrize(
    ("printed", "key"),
    [
        ("FY21", "2021"),
        ("2021A", "2021"),
        ("2024E", "2024E"),
        ("FY2021", "2021"),
        ("fiscal year 2021", "2021"),
        ("Year Ended December 31, 2021", "2021"),
        ("For the Years Ended December 31, 2021", "2021"),
        ("Year ended 31 March 2019", "2019"),
        ("1H22", "2022-H1"),
        ("H1 FY22", "2022-H1"),
        ("first half of 2022", "2022-H1"),
        ("2022年上半年", "2022-H1"),
        ("2022H1", "2022-H1"),
        ("Six Months Ended June 30, 2022", "2022-H1"),
        ("3Q20", "2020-Q3"),
        ("Q3 2020", "2020-Q3"),
        ("third quarter of 2020", "2020-Q3"),
        ("2020年第三季度", "2020-Q3"),
        ("2020年Q3", "2020-Q3"),
        ("Three Months Ended September 30, 2020", "2020-Q3"),
        ("2020年7-9月", "2020-Q3"),
        ("2023年前三季度", "2023-9M"),
        ("Nine Months Ended September 30, 2023", "2023-9M"),
        ("9M23", "2023-9M"),
        ("Sep-21", "2021-09"),
        ("September 2021", "2021-09"),
        ("2021年9月", "2021-09"),
        ("2021/12/31", "2021-12-31"),
        ("December 31, 2021", "2021-12-31"),
        ("31 December 2021", "2021-12-31"),
        ("12/31/2021", "2021-12-31"),
        ("2021年12月31日", "2021-12-31"),
        ("As of Dec. 31, 2021", "2021-12-31"),
        ("2021年", "2021"),
        ("2021年度", "2021"),
        ("2021财年", "2021"),
        ("２０２１年", "2021"),
        ("2021-22", "2022"),
        ("52 weeks ended January 28, 2023", "2023-01/12M"),
        ("13 Weeks Ended April 29, 2023", "2023-04/3M"),
        ("1Q24E", "2024-Q1E"),
        ("2021(1)", "2021"),
    ],
)
def test_two_ways_of_printing_one_period_have_one_key(printed: str, key: str) -> None:
    period = parse_period(printed)
    assert period is not None
    assert period.key == key
    assert period.estimate == key.endswith("E")


@pytest.mark.parametrize(
    "printed",
    [
        "",
        "Total",
        "2021 vs. 2020",
        "2019-2020",
        "1,234",
        "$2,021",
        "2021.5",
        "Note 12",
        "Six Months Ended June 30,",
        "第三季度",
        "12.5%",
    ],
)
def test_headings_without_exactly_one_period_have_none(printed: str) -> None:
    assert parse_period(printed) is None


def test_periods_in_prose_are_found_in_order() -> None:
    text = "In 2021 and fiscal 2020, and for the three months ended June 30, 2022, against 2021年上半年 and 3Q19."
    assert [p.key for p in find_periods(text)] == ["2021", "2020", "2022-Q2", "2021-H1", "2019-Q3"]


@given(st.integers(1980, 2069), st.integers(1, 4))
def test_quarters_in_english_and_chinese_agree(year: int, quarter: int) -> None:
    short, word = f"{year % 100:02d}", "一二三四"[quarter - 1]
    printed = [
        f"Q{quarter} {year}",
        f"{quarter}Q{short}",
        f"{year}年第{word}季度",
        f"{year}Q{quarter}",
        f"Q{quarter} FY{short}",
    ]
    keys = {parse_period(text).key for text in printed}  # type: ignore[union-attr]
    assert keys == ({f"{year}-Q{quarter}"} if year >= 1970 else keys)


@given(st.dates(min_value=datetime.date(1950, 1, 1), max_value=datetime.date(2069, 12, 31)))
def test_dates_in_english_and_chinese_agree(date: datetime.date) -> None:
    printed = [
        f"{date:%Y-%m-%d}",
        f"{date:%Y/%m/%d}",
        f"{date:%B} {date.day}, {date.year}",
        f"{date.day} {date:%B} {date.year}",
        f"{date.year}年{date.month}月{date.day}日",
    ]
    assert {parse_period(text).key for text in printed} == {f"{date:%Y-%m-%d}"}  # type: ignore[union-attr]


# ------------------------------------------------------------------------------------------------------- units


@pytest.mark.parametrize(
    ("printed", "scale", "currency", "unit"),
    [
        ("(in millions, except per share data)", 10**6, None, None),
        ("(MILLIONS, EXCEPT PER COMMON SHARE DATA)", 10**6, None, None),
        ("RMB'000", 10**3, "CNY", None),
        ("单位：亿元", 10**8, "CNY", None),
        ("百万元", 10**6, "CNY", None),
        ("人民币万元", 10**4, "CNY", None),
        ("$ in thousands", 10**3, "USD", None),
        ("Dollars in Billions", 10**9, "USD", None),
        ("百万美元", 10**6, "USD", None),
        ("US$ bn", 10**9, "USD", None),
        ("£m", 10**6, "GBP", None),
        ("€ million", 10**6, "EUR", None),
        ("%", 1, None, "percent"),
        ("(in percent)", 1, None, "percent"),
        ("单位：%", 1, None, "percent"),
        ("单位：万股", 10**4, None, "股"),
        ("Number of employees", 1, None, "employees"),
        ("shares in thousands", 10**3, None, "shares"),
        ("图3：收入（亿元）及增速（%）", 10**8, "CNY", None),
    ],
)
def test_units_of_headings_are_read(printed: str, scale: int, currency: str | None, unit: str | None) -> None:
    units = parse_units(printed)
    assert (units.scale, units.currency, units.unit) == (scale, currency, unit)
    assert units.text


@pytest.mark.parametrize("printed", ["", "Net sales", "2021", "Item 1000", "公司概况"])
def test_headings_without_a_unit_have_none(printed: str) -> None:
    assert parse_units(printed).text == ""


_FRAGMENTS = """
    thousand thousands in millions billion mn bn m k $ US$ HK$ C$ usd RMB eur dollars U.S. euro pounds sterling yen yuan
    renminbi '000 000 % percent per cent pct. number of No. units shares hours gwh square feet basis points bps times
    5 2 ( ) , s a
"""


@given(st.lists(st.tuples(st.sampled_from(_FRAGMENTS.split()), st.sampled_from(["", " "])), max_size=6))
def test_text_passed_over_for_want_of_hints_tells_no_unit(pieces: list[tuple[str, str]]) -> None:
    text = "".join(piece + space for piece, space in pieces)
    searched = parse_units(text + " …")  # a character beyond ASCII has everything searched
    assert parse_units(text)[:3] == searched[:3]


def test_a_scale_word_of_a_printed_number_is_no_unit_of_the_figures_below() -> None:
    assert parse_units("a loss of $5 million").scale == 1


def test_amounts_are_written_in_the_style_of_the_report() -> None:
    assert format_amount(Decimal("-1944.04"), 1, scale=10**6, currency="USD") == "-$1,944.0 million"
    assert format_amount(Decimal("12.345"), 2, scale=10**8, currency="CNY", language="zh") == "12.35亿元"
    assert format_amount(Decimal("1.25"), 1, unit="percentage_points") == "1.3 percentage points"
    assert format_percent(Decimal("-0.04")) == "0.0%"
