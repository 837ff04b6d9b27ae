"""Glyphs in drawing order become the words that a reader sees."""

from __future__ import annotations

from finlmm_parsers.glyphs import Glyph, words_of


def glyphs(
    text: str, x: float = 10.0, y: float = 20.0, size: float = 10.0, gap: float = 0.0, spacing: float = 0.0
) -> list[Glyph]:
    """Set a text: half an em a letter, a quarter a space; ``gap`` and ``spacing`` in font sizes after each letter."""
    result = []
    for letter in text:
        advance = (0.25 if letter == " " else 0.5) * size
        box = (x, y - 0.8 * size, x + advance, y + 0.2 * size)
        result.append(Glyph(letter, x, y, 1.0, 0.0, advance, spacing * size, size, False, box))
        x += advance + (gap + spacing) * size
    return result


def texts(drawn: list[Glyph]) -> list[str]:
    return [word.text for word in words_of(drawn)]


def test_spaces_part_words() -> None:
    assert texts(glyphs("Net income 2021")) == ["Net", "income", "2021"]


def test_a_jump_of_the_pen_parts_words_without_a_space() -> None:
    assert texts(glyphs("Revenue") + glyphs("1,250", x=300)) == ["Revenue", "1,250"]
    assert texts(glyphs("Revenue") + glyphs("Costs", y=40)) == ["Revenue", "Costs"]


def test_kerning_and_letter_spacing_do_not() -> None:
    assert texts(glyphs("Revenue", gap=0.08)) == ["Revenue"]
    assert texts(glyphs("ANNUAL REPORT", spacing=0.4)) == ["ANNUAL", "REPORT"]
    assert texts(glyphs("ANNUAL", gap=0.4)) == ["ANNUAL"]


def test_single_figures_in_columns_stay_apart() -> None:
    assert texts(glyphs("1234", gap=3.0)) == ["1", "2", "3", "4"]
    assert texts(glyphs("1234", gap=0.5)) == ["1", "2", "3", "4"]


def test_letters_drawn_twice_for_a_bold_look_count_once() -> None:
    once = glyphs("Total")
    twice = [glyph._replace(x=glyph.x + 0.3) for glyph in once]
    assert texts(once + twice) == ["Total"]
    assert texts([glyph for pair in zip(once, twice, strict=True) for glyph in pair]) == ["Total"]


def test_double_letters_are_not_taken_for_letters_drawn_twice() -> None:
    assert texts(glyphs("ill-assessed bookkeeping 1,100,000")) == ["ill-assessed", "bookkeeping", "1,100,000"]


def test_pieces_of_a_word_drawn_out_of_order_are_joined() -> None:
    word = glyphs("Revenue")
    assert sorted(texts(word[4:] + glyphs("Other", y=60) + word[:4])) == ["Other", "Revenue"]


def test_ligatures_and_odd_spaces_become_plain_characters() -> None:
    assert texts(glyphs("pro\ufb01t\u00a0and\u2003loss\u200b")) == ["profit", "and", "loss"]


def test_unreadable_glyphs_are_kept_as_unreadable() -> None:
    assert texts(glyphs("\ufffd\ufffd")) == ["\ufffd\ufffd"]


def test_a_turned_label_is_one_word_that_does_not_stand_upright() -> None:
    turned = [
        Glyph(
            letter,
            50.0,
            200.0 - 5 * place,
            0.0,
            -1.0,
            5.0,
            0.0,
            10.0,
            False,
            (42, 195 - 5 * place, 52, 200 - 5 * place),
        )
        for place, letter in enumerate("Revenue")
    ]
    words = words_of(turned)
    assert [word.text for word in words] == ["Revenue"] and not words[0].upright
    assert words[0].y1 - words[0].y0 > words[0].x1 - words[0].x0


def test_size_and_weight_are_those_of_the_first_letter() -> None:
    word = words_of([glyph._replace(bold=True) for glyph in glyphs("Total", size=12.0)])[0]
    assert (word.size, word.bold, word.upright) == (12.0, True, True)
