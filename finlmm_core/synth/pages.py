"""Pages under construction, and what stands on every page: running head, page number, logo, sidebar."""

from __future__ import annotations

from dataclasses import dataclass, field

from finlmm_core.domain import Box
from finlmm_core.synth import noise
from finlmm_core.synth.look import ReportLook
from finlmm_core.synth.sheet import Color, Sheet
from finlmm_core.synth.truth import TruthBlock, TruthFigure, TruthNoise, TruthPage, TruthStatement


@dataclass
class PageDraft:
    """A page with everything that is known of it."""

    sheet: Sheet
    number: int
    columns: int
    scanned: bool = False
    furniture: bool = True  # running head, page number, logo
    figures: list[TruthFigure] = field(default_factory=list)
    noise: list[TruthNoise] = field(default_factory=list)
    statements: list[TruthStatement] = field(default_factory=list)
    blocks: list[TruthBlock] = field(default_factory=list)

    def truth(self) -> TruthPage:
        return TruthPage(
            number=self.number,
            width=self.sheet.width,
            height=self.sheet.height,
            scanned=self.scanned,
            columns=self.columns,
        )


def draw_furniture(page: PageDraft, look: ReportLook, logo: noise.Logo, running_head: str) -> None:
    """Draw running head, page number, logo and sidebar as the look has them."""
    sheet = page.sheet
    size = look.size - 1.5
    font = look.body.regular
    gray: Color = (0.4, 0.4, 0.4)
    baseline = look.margin - 6
    odd = page.number % 2 == 1
    if look.sidebar:
        box = sheet.rect(Box(0, 0, 18, look.height), fill=look.accent)
        page.noise.append(TruthNoise(page=page.number, kind="decoration", box=box))
    if look.head == "top":
        x, align = (look.margin, "left") if look.logo == "top_right" or not odd else (look.width - look.margin, "right")
        if look.logo == "top_left":
            x, align = look.width - look.margin, "right"
        if look.logo == "top_right":
            x, align = look.margin, "left"
        head = sheet.text(x, baseline, running_head, font, size, gray, align)
        page.noise.append(TruthNoise(page=page.number, kind="running_head", box=head.rounded()))
        rule = sheet.line(look.margin, baseline + 5, look.width - look.margin, baseline + 5, look.accent, 0.6)
        page.noise.append(TruthNoise(page=page.number, kind="decoration", box=rule.rounded()))
    foot = look.height - look.margin + 12
    if look.head == "bottom":
        box = sheet.text(look.margin, foot, running_head, font, size, gray)
        page.noise.append(TruthNoise(page=page.number, kind="running_head", box=box.rounded()))
    x, align = (look.width / 2, "center") if look.head != "bottom" else (look.width - look.margin, "right")
    box = sheet.text(x, foot, str(page.number), font, size, gray, align)
    page.noise.append(TruthNoise(page=page.number, kind="page_number", box=box.rounded()))
    if look.logo != "none":
        width, height = logo.size(62.0)
        at = {
            "top_right": (look.width - look.margin - width, baseline + 1 - height),
            "top_left": (look.margin, baseline + 1 - height),
            "bottom_right": (look.width - look.margin - width - 30, look.height - look.margin + 16 - height),
        }[look.logo]
        box = logo.draw(sheet, *at, width)
        page.noise.append(TruthNoise(page=page.number, kind="logo", box=box.rounded()))
