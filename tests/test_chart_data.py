"""Charts that print their values are read; charts of which anything is doubtful are not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from finlmm_parsers.chart_data import ChartValues, read_chart
from finlmm_parsers.chart_labels import ChartPixels
from finlmm_parsers.chart_pictures import read_chart_picture
from finlmm_parsers.extract_pdfium import PdfiumFile
from finlmm_parsers.layout.lines import find_lines
from finlmm_parsers.options import LayoutOptions
from finlmm_parsers.pdfium import PdfiumParser

from finlmm_core.domain import Box
from finlmm_core.plugins.bases import OcrLine
from finlmm_core.store.images import ImageStore

BLUE, ORANGE, GREEN = "#1f4e9c", "#e07b1a", "#2d8a4e"

Draw = Callable[[Any, Any], None]  # figure, axes


def _pdf(folder: Path, draw: Draw, size: tuple[float, float] = (5.0, 3.2)) -> Path:
    """Draw a chart with matplotlib as a page of vectors and text."""
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context({"pdf.fonttype": 42, "font.size": 8}):
        figure = Figure(figsize=size)
        axes = figure.add_axes((0.2, 0.2, 0.6, 0.55))
        draw(figure, axes)
        path = folder / "chart.pdf"
        figure.savefig(path)
    return path


def _read(path: Path, caption: str = "") -> ChartValues | str | None:
    with PdfiumFile(path) as file:
        page = file.page(1)
        box = Box(0.0, 0.0, page.width, page.height)
        return read_chart(page, find_lines(page), box, ChartPixels(file.draw(1, box, 150).pixels, box), caption)


def _table(path: Path, caption: str = "") -> ChartValues:
    read = _read(path, caption)
    assert isinstance(read, ChartValues), read
    return read


def _bars(axes: Any, series: dict[str, list[float]], colours: list[str], labels: dict[int, str] | None = None) -> None:
    width = 0.8 / len(series)
    for index, (name, values) in enumerate(series.items()):
        at = [x + (index - (len(series) - 1) / 2) * width for x in range(len(values))]
        axes.bar(at, values, 0.92 * width, color=colours[index], label=name if len(series) > 1 else None)
        for place, (x, value) in enumerate(zip(at, values, strict=True)):
            text = (labels or {}).get(place, f"{value:g}") if index == 0 else f"{value:g}"
            axes.annotate(text, (x, value), (0, 2), textcoords="offset points", ha="center")
    axes.set_ylim(0, 1.25 * max(max(values) for values in series.values()))


def test_grouped_bars_become_series_over_years(tmp_path: Path) -> None:
    def draw(figure: Any, axes: Any) -> None:
        _bars(axes, {"Net sales": [41.5, 47.2, 52.9], "Operating income": [8.1, 9.4, 7.7]}, [BLUE, ORANGE])
        axes.set_xticks(range(3), ["2021", "2022", "2023"])
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, -0.38), ncol=2, frameon=False)
        figure.text(0.2, 0.9, "Sales and income ($ in millions)", weight="bold", fontsize=10)

    table = _table(_pdf(tmp_path, draw))
    assert table.header == ("", "2021", "2022", "2023")
    assert table.rows == (("Net sales", "41.5", "47.2", "52.9"), ("Operating income", "8.1", "9.4", "7.7"))
    assert (table.scale, table.currency) == (1_000_000, "USD")
    assert table.title.startswith("Sales and income")
    assert all(box is not None for row in table.cell_boxes for box in row)


def test_boxes_of_cells_lie_on_the_printed_values(tmp_path: Path) -> None:
    def draw(figure: Any, axes: Any) -> None:
        _bars(axes, {"Revenue": [10.0, 20.0, 40.0]}, [BLUE])
        axes.set_xticks(range(3), ["2021", "2022", "2023"])
        figure.text(0.2, 0.9, "Revenue in billions", weight="bold")

    path = _pdf(tmp_path, draw)
    boxes = _table(path).cell_boxes[0][1:]
    tops = [box.y0 for box in boxes if box is not None]
    assert len(tops) == 3 and tops == sorted(tops, reverse=True)


def test_pieces_of_stacked_bars_are_read_and_their_totals_left_out(tmp_path: Path) -> None:
    low, high = [12.0, 15.0, 11.0], [6.0, 9.0, 13.0]

    def draw(figure: Any, axes: Any) -> None:
        axes.bar(range(3), low, 0.6, color=BLUE, label="Cloud")
        axes.bar(range(3), high, 0.6, bottom=low, color=ORANGE, label="Licences")
        for x, (first, second) in enumerate(zip(low, high, strict=True)):
            axes.text(x, first / 2, f"{first:g}", ha="center", va="center", color="white")
            axes.text(x, first + second / 2, f"{second:g}", ha="center", va="center")
            axes.text(x, first + second + 0.3, f"{first + second:g}", ha="center", va="bottom")
        axes.set_ylim(0, 32)
        axes.set_xticks(range(3), ["Europe", "Asia", "Americas"])
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)

    table = _table(_pdf(tmp_path, draw), "Figure 3: Revenue by region and kind (US$ billion)")
    assert table.header == ("", "Cloud", "Licences")
    assert table.rows == (("Europe", "12", "6"), ("Asia", "15", "9"), ("Americas", "11", "13"))
    assert (table.title, table.scale) == ("Revenue by region and kind (US$ billion)", 10**9)


def test_lying_bars_take_their_names_from_the_left(tmp_path: Path) -> None:
    def draw(figure: Any, axes: Any) -> None:
        values = [38.0, 24.5, 9.25]
        axes.barh(range(3), values, 0.6, color=GREEN)
        for y, value in enumerate(values):
            axes.text(value + 0.5, y, f"{value:g}%", va="center")
        axes.set_yticks(range(3), ["Wholesale\nand retail", "Online", "Licensing"])
        axes.set_xlim(0, 50)
        axes.invert_yaxis()
        figure.text(0.05, 0.9, "Share of sales by channel", weight="bold")

    table = _table(_pdf(tmp_path, draw))
    assert table.rows == (("Wholesale and retail", "38%"), ("Online", "24.5%"), ("Licensing", "9.25%"))
    assert table.header == ("", "Share of sales by channel")
    assert table.unit == "%"


def test_columns_of_lying_bars_are_named_by_the_headings_above_them(tmp_path: Path) -> None:
    columns = {"Better": [40.0, 79.0, 10.0], "No effect": [29.0, 13.0, 41.0]}

    def draw(figure: Any, axes: Any) -> None:
        for index, (name, values) in enumerate(columns.items()):
            left = 120.0 * index
            axes.barh(range(3), values, 0.6, left=left, color=BLUE)
            axes.text(left, -0.8, name, weight="bold", ha="left", va="bottom")
            for y, value in enumerate(values):
                axes.text(left + value + 2, y, f"{value:g}", va="center")
        axes.set_yticks(range(3), ["Total", "North", "South"])
        axes.set_xlim(0, 220)
        axes.set_ylim(2.6, -1.4)
        axes.set_xticks([])
        for spine in axes.spines.values():
            spine.set_visible(False)
        figure.text(0.05, 0.92, "% who say conditions are ...", weight="bold")

    table = _table(_pdf(tmp_path, draw))
    assert table.header == ("", "Better", "No effect")
    assert table.rows == (("Total", "40", "29"), ("North", "79", "13"), ("South", "10", "41"))


def test_bars_below_the_axis_have_negative_values(tmp_path: Path) -> None:
    def draw(figure: Any, axes: Any) -> None:
        values = [1.2, -0.8, 2.6, -1.5]
        axes.bar(range(4), values, 0.6, color=BLUE)
        axes.axhline(0, color="black", linewidth=0.8)
        for x, value in enumerate(values):
            up = value > 0
            text = f"{value:g}" if up else f"({-value:g})"
            axes.annotate(text, (x, value), (0, 2 if up else -2), textcoords="offset points", ha="center",
                          va="bottom" if up else "top")  # fmt: skip
        axes.set_ylim(-2.5, 3.5)
        axes.set_xticks(range(4), ["2020", "2021", "2022", "2023"])
        figure.text(0.2, 0.9, "Free cash flow, $ billion", weight="bold")

    table = _table(_pdf(tmp_path, draw))
    assert table.rows[0][1:] == ("1.2", "(0.8)", "2.6", "(1.5)")


@pytest.mark.parametrize("hole", [0.0, 0.45])
def test_shares_of_pies_and_rings_are_named_by_the_legend(tmp_path: Path, hole: float) -> None:
    shares = [46.0, 31.0, 23.0]

    def draw(figure: Any, axes: Any) -> None:
        axes.remove()
        axes = figure.add_axes((0.05, 0.1, 0.45, 0.7))
        wedges, _ = axes.pie(
            shares,
            colors=[BLUE, ORANGE, GREEN],
            startangle=70,
            wedgeprops={"width": 1 - hole, "edgecolor": "white"},
            labels=[f"{share:g}%" for share in shares],
            labeldistance=1.12,
        )
        figure.legend(wedges, ["Loans", "Bonds", "Cash"], loc="center right", frameon=False)
        figure.text(0.05, 0.92, "Assets by class", weight="bold")

    table = _table(_pdf(tmp_path, draw))
    assert dict(table.rows) == {"Loans": "46%", "Bonds": "31%", "Cash": "23%"}


def test_names_beside_the_shares_of_a_pie_serve_as_a_legend(tmp_path: Path) -> None:
    shares = {"Insurance": 52.0, "Banking": 30.0, "Other": 18.0}

    def draw(figure: Any, axes: Any) -> None:
        axes.remove()
        axes = figure.add_axes((0.25, 0.1, 0.45, 0.7))
        axes.pie(
            list(shares.values()),
            colors=[BLUE, ORANGE, GREEN],
            labels=[f"{name}\n{share:g}%" for name, share in shares.items()],
            labeldistance=1.25,
        )
        figure.text(0.05, 0.92, "Revenue by segment", weight="bold")

    table = _table(_pdf(tmp_path, draw))
    assert dict(table.rows) == {name: f"{share:g}%" for name, share in shares.items()}


def _line(axes: Any, values: list[float], colour: str, label: str = "", texts: dict[int, str] | None = None) -> None:
    axes.plot(range(len(values)), values, color=colour, marker="o", markersize=3, label=label)
    for x, value in enumerate(values):
        text = (texts or {}).get(x, f"{value:g}")
        axes.annotate(text, (x, value), (0, 4), textcoords="offset points", ha="center", va="bottom")


def test_points_of_lines_are_read_for_each_series(tmp_path: Path) -> None:
    def draw(figure: Any, axes: Any) -> None:
        _line(axes, [12.1, 13.4, 12.8, 15.0], BLUE, "Gross margin")
        _line(axes, [4.2, 5.1, 3.9, 6.6], ORANGE, "Net margin")
        axes.set_ylim(0, 18)
        axes.set_xlim(-0.3, 3.3)
        axes.set_xticks(range(4), ["2020", "2021", "2022", "2023"])
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, -0.38), ncol=2, frameon=False)
        figure.text(0.2, 0.9, "Margins (%)", weight="bold")

    table = _table(_pdf(tmp_path, draw))
    assert table.header == ("", "2020", "2021", "2022", "2023")
    rows = {row[0]: row[1:] for row in table.rows}
    assert rows == {"Gross margin": ("12.1", "13.4", "12.8", "15"), "Net margin": ("4.2", "5.1", "3.9", "6.6")}


# ---------------------------------------------------------------------------------------------------- what is refused


def test_a_value_that_its_line_denies_is_refused(tmp_path: Path) -> None:
    def draw(figure: Any, axes: Any) -> None:
        _line(axes, [12.1, 13.4, 12.8, 15.0], BLUE, texts={1: "14.4"})
        axes.set_ylim(0, 18)
        axes.set_xticks(range(4), ["2020", "2021", "2022", "2023"])
        figure.text(0.2, 0.9, "Gross margin (%)", weight="bold")

    assert isinstance(_read(_pdf(tmp_path, draw)), str)


def test_a_value_that_its_bar_denies_is_refused(tmp_path: Path) -> None:
    def draw(figure: Any, axes: Any) -> None:
        _bars(axes, {"Revenue": [10.0, 20.0, 40.0]}, [BLUE], labels={1: "30"})
        axes.set_xticks(range(3), ["2021", "2022", "2023"])
        figure.text(0.2, 0.9, "Revenue in billions", weight="bold")

    read = _read(_pdf(tmp_path, draw))
    assert isinstance(read, str) and read.startswith("the bar of")


def test_a_bar_without_a_value_is_refused(tmp_path: Path) -> None:
    def draw(figure: Any, axes: Any) -> None:
        _bars(axes, {"Revenue": [10.0, 20.0, 40.0, 30.0]}, [BLUE], labels={1: ""})
        axes.set_xticks(range(4), ["2020", "2021", "2022", "2023"])
        figure.text(0.2, 0.9, "Revenue in billions", weight="bold")

    assert isinstance(_read(_pdf(tmp_path, draw)), str)


def test_two_colours_without_names_are_refused(tmp_path: Path) -> None:
    def draw(figure: Any, axes: Any) -> None:
        _bars(axes, {"a": [41.5, 47.2, 52.9], "b": [8.1, 9.4, 7.7]}, [BLUE, ORANGE])
        axes.set_xticks(range(3), ["2021", "2022", "2023"])
        figure.text(0.2, 0.9, "Sales and income ($ in millions)", weight="bold")

    assert _read(_pdf(tmp_path, draw)) == "series without names"


def test_shares_that_the_sectors_deny_are_refused(tmp_path: Path) -> None:
    def draw(figure: Any, axes: Any) -> None:
        axes.remove()
        axes = figure.add_axes((0.05, 0.1, 0.45, 0.7))
        wedges, _ = axes.pie(
            [46, 31, 23], colors=[BLUE, ORANGE, GREEN], labels=["46%", "23%", "31%"], labeldistance=1.12
        )
        figure.legend(wedges, ["Loans", "Bonds", "Cash"], loc="center right", frameon=False)
        figure.text(0.05, 0.92, "Assets by class", weight="bold")

    assert isinstance(_read(_pdf(tmp_path, draw)), str)


@pytest.mark.parametrize("kind", ["bar", "line"])
def test_a_chart_with_an_axis_only_gives_nothing(tmp_path: Path, kind: str) -> None:
    def draw(figure: Any, axes: Any) -> None:
        values = [10.0, 20.0, 40.0, 30.0]
        if kind == "bar":
            axes.bar(range(4), values, 0.6, color=BLUE)
        else:
            axes.plot(range(4), values, color=BLUE)
        axes.set_xticks(range(4), ["2020", "2021", "2022", "2023"])
        figure.text(0.2, 0.9, "Revenue in billions", weight="bold")

    assert _read(_pdf(tmp_path, draw)) is None


# -------------------------------------------------------------------------------------------------------- as pictures


def _picture(path: Path, unsure: str = "") -> ChartValues | str | None:
    """Read a chart as a picture, with its words as OCR would give them; ``unsure`` is a word of low confidence."""
    with PdfiumFile(path) as file:
        page = file.page(1)
        scale = 150 / 72
        pixels = file.draw(1, Box(0.0, 0.0, page.width, page.height), 150).pixels
        lines = [
            OcrLine(line.text, Box(*(scale * side for side in line.box)), 0.9 if line.text == unsure else 0.99)
            for line in find_lines(page)
        ]
    return read_chart_picture(
        pixels, lines, Box(100.0, 200.0, 100 + page.width, 200 + page.height), "Margin ($ million)"
    )


def _draw_margins(figure: Any, axes: Any) -> None:
    _bars(axes, {"Margin": [1368.0, 1740.0, 1158.0, 900.0]}, [BLUE])
    axes.set_xticks(range(4), ["Shops", "Online", "Licences", "Other"])


def test_a_picture_of_a_chart_is_read_from_pixels_and_ocr(tmp_path: Path) -> None:
    table = _picture(_pdf(tmp_path, _draw_margins))
    assert isinstance(table, ChartValues), table
    assert dict(table.rows) == {"Shops": "1368", "Online": "1740", "Licences": "1158", "Other": "900"}
    boxes = [box for row in table.cell_boxes for box in row if box is not None]
    assert all(box.x0 > 100 and box.y0 > 200 for box in boxes)  # on the page, not in the picture


def test_a_number_that_ocr_is_not_sure_of_leaves_a_picture_unread(tmp_path: Path) -> None:
    assert not isinstance(_picture(_pdf(tmp_path, _draw_margins), unsure="1740"), ChartValues)


# ------------------------------------------------------------------------------------------------ through the parser


def test_the_parser_puts_a_table_beside_the_chart(tmp_path: Path) -> None:
    def draw(figure: Any, axes: Any) -> None:
        _bars(axes, {"Net sales": [41.5, 47.2, 52.9], "Operating income": [8.1, 9.4, 7.7]}, [BLUE, ORANGE])
        axes.set_xticks(range(3), ["2021", "2022", "2023"])
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, -0.38), ncol=2, frameon=False)
        axes.set_title("Sales and income ($ in millions)", weight="bold", fontsize=10)

    document = PdfiumParser(LayoutOptions()).parse(_pdf(tmp_path, draw), ImageStore(tmp_path / "images"), None)
    assert [figure.kind for figure in document.figures] == ["chart"]
    (table,) = document.tables
    assert table.figure_id == document.figures[0].id
    assert table.rows[0] == ("Net sales", "41.5", "47.2", "52.9")


def test_a_doubtful_chart_leaves_its_reason(tmp_path: Path) -> None:
    def draw(figure: Any, axes: Any) -> None:
        _bars(axes, {"Revenue": [10.0, 20.0, 40.0, 25.0]}, [BLUE], labels={1: "35"})
        axes.set_xticks(range(4), ["2020", "2021", "2022", "2023"])
        axes.set_title("Revenue ($ in millions)", weight="bold", fontsize=10)

    document = PdfiumParser(LayoutOptions()).parse(_pdf(tmp_path, draw), ImageStore(tmp_path / "images"), None)
    assert not document.tables
    assert [item.reason for item in document.rejected] == ["chart_values_unclear"]
