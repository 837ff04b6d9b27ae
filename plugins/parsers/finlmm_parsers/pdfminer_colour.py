"""PDF colours as pdfminer.six hands them over, turned to 0xRRGGBB.

pdfminer keeps colour operands as they stand in the file and forgets what a named colour space was made of, so spot
colours and palettes (common in designed reports, where every bar of a chart is a spot colour) would all be unknown.
``NamedColourSpace`` keeps the specification beside pdfminer's own object.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pdfminer.pdfcolor import PDFColorSpace
from pdfminer.pdftypes import PDFStream, dict_value, list_value, num_value, resolve1
from pdfminer.psparser import PSLiteral

#: What an unknown paint (a pattern, a function that is not read) is shown as: neither white nor black nor a colour.
UNKNOWN_PAINT = 0x808080


class NamedColourSpace(PDFColorSpace):
    """A colour space of the page's resources with its specification, an array as in PDF 32000-1, 8.6."""

    def __init__(self, name: str, components: int, specification: Sequence[Any]) -> None:
        super().__init__(name, components)
        self.specification = specification


def named_colour_space(specification: Any) -> NamedColourSpace | None:
    """Return the colour space that an entry of the ColorSpace resources describes; None where it is a plain name."""
    resolved = resolve1(specification)
    if not isinstance(resolved, list) or not resolved:
        return None
    family = _name(resolve1(resolved[0]))
    if family == "ICCBased" and len(resolved) > 1:
        profile = resolve1(resolved[1])
        count = profile.get("N", 3) if isinstance(profile, PDFStream) else 3
        return NamedColourSpace(family, int(resolve1(count)), resolved)
    if family == "DeviceN" and len(resolved) > 3:
        return NamedColourSpace(family, len(list_value(resolved[1])), resolved)
    if family in ("Separation", "Indexed") and len(resolved) > 3:
        return NamedColourSpace(family, 1, resolved)
    if family in ("CalRGB", "Lab"):
        return NamedColourSpace(family, 3, resolved)
    if family == "CalGray":
        return NamedColourSpace(family, 1, resolved)
    return None


def rgb_of(colour: Any, space: PDFColorSpace) -> int:
    """Return 0xRRGGBB of a colour as pdfminer's graphic state holds it.

    Args:
        colour: a number, a tuple of numbers, or whatever pdfminer puts for a pattern.
        space: the colour space that was current.
    """
    if isinstance(colour, (int, float)):
        components: tuple[float, ...] = (float(colour),)
    elif isinstance(colour, (list, tuple)) and colour and all(isinstance(part, (int, float)) for part in colour):
        components = tuple(float(part) for part in colour)
    else:
        return UNKNOWN_PAINT
    return _rgb(components, space.name, getattr(space, "specification", ()), depth=0)


def _rgb(components: Sequence[float], family: str, specification: Sequence[Any], depth: int) -> int:
    if depth > 3:  # a space whose alternative is itself
        return UNKNOWN_PAINT
    if family == "Lab" and len(components) == 3:
        return _lab(components)
    if family == "Indexed" and len(specification) > 3:
        return _indexed(int(components[0]), specification, depth)
    if family in ("Separation", "DeviceN"):
        if len(specification) > 3:
            values = _evaluate(specification[3], components)
            if values is not None:
                alternative, inner = _family(specification[2])
                return _rgb(values, alternative, inner, depth + 1)
        if len(components) == 1:  # the tint of one ink, shown as that much black
            return _pack((1 - components[0],) * 3)
        return UNKNOWN_PAINT
    if len(components) == 1:
        return _pack((components[0],) * 3)
    if len(components) == 3:
        return _pack(components)
    if len(components) == 4:
        cyan, magenta, yellow, black = components
        return _pack(((1 - cyan) * (1 - black), (1 - magenta) * (1 - black), (1 - yellow) * (1 - black)))
    return UNKNOWN_PAINT


def _pack(components: Sequence[float]) -> int:
    red, green, blue = (max(0, min(255, round(part * 255))) for part in components)
    return red << 16 | green << 8 | blue


def _name(value: Any) -> str:
    if isinstance(value, PSLiteral):
        return value.name if isinstance(value.name, str) else value.name.decode("latin-1")
    return str(value)


def _family(space: Any) -> tuple[str, Sequence[Any]]:
    resolved = resolve1(space)
    if isinstance(resolved, list) and resolved:
        return _name(resolve1(resolved[0])), resolved
    return _name(resolved), ()


def _lab(components: Sequence[float]) -> int:
    """CIE L*a*b* to sRGB by way of XYZ (D65 matrix; the white point's difference is of no matter here)."""
    lightness, a, b = components
    fy = (lightness + 16) / 116
    xyz = [
        value**3 if value > 6 / 29 else 3 * (6 / 29) ** 2 * (value - 4 / 29)
        for value in (fy + a / 500, fy, fy - b / 200)
    ]
    x, y, z = xyz[0] * 0.9505, xyz[1], xyz[2] * 1.089
    linear = (
        3.2406 * x - 1.5372 * y - 0.4986 * z,
        -0.9689 * x + 1.8758 * y + 0.0415 * z,
        0.0557 * x - 0.2040 * y + 1.0570 * z,
    )
    return _pack([12.92 * v if v <= 0.0031308 else 1.055 * v ** (1 / 2.4) - 0.055 for v in linear])


def _indexed(index: int, specification: Sequence[Any], depth: int) -> int:
    base, inner = _family(specification[1])
    palette = resolve1(specification[3])
    data = palette.get_data() if isinstance(palette, PDFStream) else palette
    if not isinstance(data, bytes):
        return UNKNOWN_PAINT
    size = {"DeviceGray": 1, "CalGray": 1, "DeviceCMYK": 4}.get(base, 3)
    if base == "ICCBased" and inner and len(inner) > 1:
        profile = resolve1(inner[1])
        size = int(resolve1(profile.get("N", 3))) if isinstance(profile, PDFStream) else 3
    entry = data[index * size : index * size + size]
    if len(entry) < size:
        return UNKNOWN_PAINT
    return _rgb([byte / 255 for byte in entry], base, inner, depth + 1)


def _evaluate(function: Any, inputs: Sequence[float]) -> list[float] | None:
    """Evaluate a tint transform of type 2 (exponential), 0 (sampled, one input) or 3 (stitched); None for others."""
    resolved = resolve1(function)
    attributes = resolved.attrs if isinstance(resolved, PDFStream) else resolved
    if not isinstance(attributes, dict) or len(inputs) != 1:
        return None
    kind = resolve1(attributes.get("FunctionType"))
    domain = [float(num_value(v)) for v in list_value(attributes.get("Domain", [0, 1]))]
    x = min(max(inputs[0], domain[0]), domain[1])
    if kind == 2:
        low = [float(num_value(v)) for v in list_value(attributes.get("C0", [0.0]))]
        high = [float(num_value(v)) for v in list_value(attributes.get("C1", [1.0]))]
        power = x ** float(num_value(attributes.get("N", 1)))
        return [a + power * (b - a) for a, b in zip(low, high, strict=False)]
    if kind == 0 and isinstance(resolved, PDFStream) and resolve1(attributes.get("BitsPerSample")) == 8:
        size = int(num_value(list_value(attributes["Size"])[0]))
        limits = [float(num_value(v)) for v in list_value(attributes.get("Decode", attributes["Range"]))]
        outputs = len(limits) // 2
        position = round((x - domain[0]) / ((domain[1] - domain[0]) or 1) * (size - 1))
        samples = resolved.get_data()[position * outputs : position * outputs + outputs]
        if len(samples) < outputs:
            return None
        return [limits[2 * i] + s / 255 * (limits[2 * i + 1] - limits[2 * i]) for i, s in enumerate(samples)]
    if kind == 3:
        bounds = [float(num_value(v)) for v in list_value(attributes.get("Bounds", []))]
        encode = [float(num_value(v)) for v in list_value(attributes["Encode"])]
        functions = list_value(attributes["Functions"])
        place = sum(1 for bound in bounds if x >= bound)
        edges = [domain[0], *bounds, domain[1]]
        place = min(place, len(functions) - 1)
        width = (edges[place + 1] - edges[place]) or 1
        inner = encode[2 * place] + (x - edges[place]) / width * (encode[2 * place + 1] - encode[2 * place])
        part = resolve1(functions[place])
        part_kind = (part.attrs if isinstance(part, PDFStream) else dict_value(part)).get("FunctionType")
        return None if resolve1(part_kind) == 3 else _evaluate(part, [inner])
    return None
