"""Mutations that make a PDF hostile: loops, depth, sizes that lie or explode, content and fonts beyond all measure.

Each takes a whole file and a source of chance and returns the bytes of another file.
"""

from __future__ import annotations

import random
import zlib

from pdf_objects import (
    NUMBER,
    WILD,
    Pdf,
    content_of,
    inflated,
    pages_of,
    stream,
    with_content,
    with_drawn,
)

# ----------------------------------------------------------------------------------------------- loops and depth


def page_tree_loops(data: bytes, rng: random.Random) -> bytes:
    """Let the page tree hold itself, or each page be its own parent."""
    pdf = Pdf(data)
    for tree in list(pdf.having(rb"/Type\s*/Pages\b")):
        way = rng.randrange(4)
        kids = b" ".join(b"%d 0 R" % page for page in pages_of(pdf))
        inner = {
            0: b"%d 0 R %s" % (tree, kids),
            1: b" ".join([b"%d 0 R" % tree] * rng.choice([1, 100, 10_000])),
            2: b"%s %d 0 R"
            % (kids, pdf.add(b"<< /Type /Pages /Kids [%d 0 R] /Count 5 /Parent %d 0 R >>" % (tree, tree))),
            3: b" ".join([kids] * rng.choice([10, 300])),
        }[way]
        pdf.replace(tree, rb"/Kids\s*\[[^\]]*\]", b"/Kids [%s]" % inner)
        pdf.replace(tree, rb"/Count \d+", b"/Count %d" % rng.choice([-1, 0, 3, 10**6, 2**31 - 1]))
    for page in pages_of(pdf):
        if rng.random() < 0.3:
            pdf.replace(page, rb"/Parent \d+ 0 R", b"/Parent %d 0 R" % page)
    return pdf.written()


def forms_loop(data: bytes, rng: random.Random) -> bytes:
    """Draw a form that draws itself, two that draw each other, or a form of forms of forms."""
    pdf = Pdf(data)
    way = rng.randrange(3)

    def form(inner: int, content: bytes) -> bytes:
        return stream(
            content,
            b"/Type /XObject /Subtype /Form /BBox [0 0 612 792] /Resources << /XObject << /Fm %d 0 R >> >>" % inner,
        )

    first = max(pdf.objects) + 1
    if way == 0:
        pdf.add(form(first, b"0 0 9 9 re f /Fm Do /Fm Do"))
    elif way == 1:
        pdf.add(form(first + 1, b"/Fm Do"))
        pdf.add(form(first, b"/Fm Do /Fm Do"))
    else:
        depth, times = rng.choice([(400, 1), (6, 6), (9, 8), (25, 2)])
        for level in range(depth):
            pdf.add(form(first + level + 1, b"/Fm Do " * times))
        pdf.add(stream(b"0 0 1 1 re f", b"/Type /XObject /Subtype /Form /BBox [0 0 612 792]"))
    return with_drawn(pdf, rng, b"/XObject", b"/Fm", first, b"/Fm Do")


def resources_loop(data: bytes, rng: random.Random) -> bytes:
    """Let a soft mask, a pattern, a Type 3 font or a colour space be made of itself."""
    pdf = Pdf(data)
    number = max(pdf.objects) + 1
    way = rng.randrange(4)
    if way == 0:
        pixels = zlib.compress(b"\x80" * 300)
        pdf.add(
            stream(
                pixels,
                b"/Type /XObject /Subtype /Image /Width 10 /Height 10 /ColorSpace /DeviceRGB "
                b"/BitsPerComponent 8 /Filter /FlateDecode /SMask %d 0 R" % number,
            )
        )
        return with_drawn(pdf, rng, b"/XObject", b"/Im", number, b"q 300 0 0 300 50 50 cm /Im Do Q")
    if way == 1:
        pdf.add(
            stream(
                b"/Pattern cs /P scn 0 0 99 99 re f",
                b"/Type /Pattern /PatternType 1 /PaintType 1 /TilingType 1 "
                b"/BBox [0 0 10 10] /XStep .01 /YStep .01 /Resources << /Pattern << /P %d 0 R >> >>" % number,
            )
        )
        return with_drawn(pdf, rng, b"/Pattern", b"/P", number, b"/Pattern cs /P scn 0 0 600 700 re f")
    if way == 2:
        glyph = number + 1
        pdf.add(
            b"<< /Type /Font /Subtype /Type3 /FontBBox [0 0 9 9] /FontMatrix [1 0 0 1 0 0] /FirstChar 97 /LastChar 97 "
            b"/Widths [9] /Encoding << /Differences [97 /a] >> /CharProcs << /a %d 0 R >> "
            b"/Resources << /Font << /F %d 0 R >> >> >>" % (glyph, number)
        )
        pdf.add(stream(b"9 0 0 0 9 9 d1 BT /F 12 Tf (aaa) Tj ET"))
        return with_drawn(pdf, rng, b"/Font", b"/F", number, b"BT /F 12 Tf 72 700 Td (aaaa) Tj ET")
    pdf.add(b"[/Indexed %d 0 R 255 (abc)]" % number)
    return with_drawn(pdf, rng, b"/ColorSpace", b"/C", number, b"/C cs 1 sc 0 0 600 700 re f")


def outlines_loop(data: bytes, rng: random.Random) -> bytes:
    """Let outlines, name trees, structure and annotations go round in circles."""
    pdf = Pdf(data)
    number = max(pdf.objects) + 1
    pdf.add(
        b"<< /Type /Outlines /First %d 0 R /Last %d 0 R /Next %d 0 R /Parent %d 0 R /Title (x) /Count 9 "
        b"/Kids [%d 0 R] /K [%d 0 R] /Subtype /Popup /Rect [0 0 9 9] >>" % ((number,) * 6)
    )
    if pdf.root in pdf.objects:
        pdf.put(
            pdf.root,
            b"/Outlines %d 0 R /Names << /Dests %d 0 R >> /StructTreeRoot %d 0 R /AcroForm << /Fields "
            b"[%d 0 R] >>" % ((number,) * 4),
        )
    pdf.put(pages_of(pdf)[0], b"/Annots [%s]" % b" ".join([b"%d 0 R" % number] * rng.choice([1, 1000])))
    return pdf.written()


def deep_nesting(data: bytes, rng: random.Random) -> bytes:
    """Nest arrays and dictionaries in an object, an annotation, or a page's content."""
    pdf = Pdf(data)
    depth = rng.choice([100, 5_000, 200_000])
    opened, closed = rng.choice([(b"[", b"]"), (b"<< /A ", b" >>"), (b"(", b")")])
    nest = opened * depth + (closed * depth if rng.random() < 0.5 else b"")
    way = rng.randrange(3)
    if way == 0:
        return with_content(pdf, rng, lambda content: content + b"\n" + nest + b" TJ\n")
    if way == 1:
        pdf.put(pages_of(pdf)[0], b"/Annots " + nest)
    elif pdf.root in pdf.objects:
        pdf.put(pdf.root, b"/Names %d 0 R" % pdf.add(nest))
    return pdf.written()


# --------------------------------------------------------------------------------------------- sizes and streams


def bombs(data: bytes, rng: random.Random) -> bytes:
    """Let a content stream inflate to many megabytes, by one filter, by two, or by run lengths."""
    pdf = Pdf(data)
    megabytes = rng.choice([8, 60, 200, 500, 1000])
    unit = rng.choice([b" ", b"q ", b"0 0 1 1 re f ", b"BT (a) Tj ET ", b"\0", b"[", b"/Fm Do "])
    way = rng.randrange(3)
    if way == 2:
        packed = (b"\x81 " * 8192) * (megabytes // 2)  # each pair of bytes: 128 blanks
        body = stream(zlib.compress(packed, 9), b"/Filter [/FlateDecode /RunLengthDecode]")
    else:
        block = (unit * ((1 << 20) // len(unit) + 1))[: 1 << 20]
        packer = zlib.compressobj(9)
        head = packer.compress(block) + packer.flush(zlib.Z_FULL_FLUSH)
        again = packer.compress(block) + packer.flush(zlib.Z_FULL_FLUSH)
        body = head + again * (megabytes - 1) + packer.flush()
        if way == 1:
            body = stream(zlib.compress(body, 9), b"/Filter [/FlateDecode /FlateDecode]")
        else:
            body = stream(body, b"/Filter /FlateDecode")
    number = content_of(pdf, rng)
    if number is None:
        return pdf.written()
    pdf.objects[number] = body
    return pdf.written()


def images_lie(data: bytes, rng: random.Random) -> bytes:
    """Let pictures claim other sizes, depths, colours or decoders than they have."""
    pdf = Pdf(data)
    found = list(pdf.having(rb"/Subtype\s*/Image\b"))
    if not found:
        number = pdf.add(
            stream(
                zlib.compress(b"\x40" * 3000),
                b"/Type /XObject /Subtype /Image /Width 30 /Height 30 "
                b"/ColorSpace /DeviceRGB /BitsPerComponent 8 /Filter /FlateDecode",
            )
        )
        pdf = Pdf(with_drawn(pdf, rng, b"/XObject", b"/Im", number, b"q 400 0 0 400 50 50 cm /Im Do Q"))
        found = list(pdf.having(rb"/Subtype\s*/Image\b"))
    sides = (0, -1, 1, 3, 30_000, 65_535, 2**31 - 1)
    for number in found:
        way = rng.randrange(5)
        if way in (0, 1):
            pdf.replace(number, rb"/Width \d+", b"/Width %d" % rng.choice(sides))
            pdf.replace(number, rb"/Height \d+", b"/Height %d" % rng.choice(sides))
        if way in (1, 2):
            pdf.replace(number, rb"/BitsPerComponent \d+", b"/BitsPerComponent %d" % rng.choice([0, 1, 3, 16, 255, -8]))
        if way == 3:
            space = rng.choice([b"/DeviceCMYK", b"/DeviceGray", b"/Pattern", b"[/ICCBased %d 0 R]" % number, b"[/Lab]"])
            pdf.replace(number, rb"/ColorSpace\s*(/\w+|\[[^\]]*\]|\d+ 0 R)", b"/ColorSpace " + space)
        if way == 4:
            _other_filter(pdf, number, rng)
    return pdf.written()


def _other_filter(pdf: Pdf, number: int, rng: random.Random) -> None:
    name = rng.choice([b"DCT", b"JPX", b"JBIG2", b"CCITTFax", b"LZW", b"RunLength", b"ASCII85", b"ASCIIHex", b"Flate"])
    pdf.replace(number, rb"/Filter\s*(/\w+|\[[^\]]*\])", b"/Filter /%sDecode" % name)
    if rng.random() < 0.5:
        pdf.put(
            number,
            b"/DecodeParms << /Predictor %d /Columns %d /Colors %d /BitsPerComponent %d /K %d /EarlyChange 7 >>"
            % (
                rng.choice([2, 12, 15, 99]),
                rng.choice([0, 1, 10**9, -5]),
                rng.choice([0, 4, 10**6]),
                rng.choice([1, 8, 99]),
                rng.choice([-1, 0, 4]),
            ),
        )


def filters_exchanged(data: bytes, rng: random.Random) -> bytes:
    """Let streams name other filters, or many of them."""
    pdf = Pdf(data)
    for number in list(pdf.having(rb"/Filter\b")):
        if rng.random() < 0.4:
            _other_filter(pdf, number, rng)
        elif rng.random() < 0.1:
            pdf.replace(number, rb"/Filter\s*(/\w+|\[[^\]]*\])", b"/Filter [%s]" % (b"/FlateDecode " * 200))
    return pdf.written()


def media_boxes(data: bytes, rng: random.Random) -> bytes:
    """Give pages no size, a negative one, one of miles, a turn by odd degrees, or units of their own."""
    pdf = Pdf(data)
    boxes = (
        b"[0 0 1e9 1e9]",
        b"[0 0 0 0]",
        b"[612 792 0 0]",
        b"[-1e6 -1e6 1e6 1e6]",
        b"[0 0 nan 792]",
        b"[0 0 612]",
        b"null",
        b"[0 0 14400 14400]",
        b"[0 0 .001 .001]",
        b"[1e38 1e38 -1e38 -1e38]",
    )
    for page in pages_of(pdf):
        pdf.replace(page, rb"/MediaBox\s*\[[^\]]*\]", b"")
        pdf.replace(page, rb"/CropBox\s*\[[^\]]*\]", b"")
        pdf.put(
            page,
            b"/MediaBox %s /CropBox %s /Rotate %d /UserUnit %s"
            % (
                rng.choice(boxes),
                rng.choice(boxes),
                rng.choice([0, 90, 45, -90, 10**9]),
                rng.choice([b"1", b"0", b"1e9", b"-1"]),
            ),
        )
    return pdf.written()


# ------------------------------------------------------------------------------------------- content and its fonts


def content_numbers(data: bytes, rng: random.Random) -> bytes:
    """Put numbers beyond all measure into what a page draws."""
    share = rng.choice([0.002, 0.05, 0.5])
    return with_content(
        Pdf(data), rng, lambda c: NUMBER.sub(lambda m: rng.choice(WILD) if rng.random() < share else m[0], c)
    )


def operators_shuffled(data: bytes, rng: random.Random) -> bytes:
    """Shuffle, repeat and drop the lines of what a page draws."""

    def change(content: bytes) -> bytes:
        words = content.split(b" " if content.count(b"\n") < 20 else b"\n")
        way = rng.randrange(3)
        if way == 0:
            rng.shuffle(words)
        elif way == 1:
            words = [word for word in words if rng.random() < 0.9]
        else:
            words = [word for word in words for _ in range(rng.choice([1, 1, 3]))]
        return b" ".join(words)

    return with_content(Pdf(data), rng, change)


def operators_many(data: bytes, rng: random.Random) -> bytes:
    """Draw a page of a million somethings."""
    line, count = rng.choice(
        [
            (b"q ", 500_000),
            (b"10 10 m 500 500 l S\n", 150_000),
            (b"1 1 5 5 re W n\n", 30_000),
            (b"BT 9 9 Td (x) Tj ET\n", 60_000),
            (b"1 0 0 1 1 1 cm\n", 300_000),
            (b"0 0 m 9 9 9 9 9 9 c f\n", 150_000),
            (b"/GS gs ", 300_000),
            (b"sh\n", 300_000),
            (b"BI /W 1 /H 1 /BPC 8 /CS /G ID x EI\n", 20_000),
            (b"[] 0 d 5 5 9 9 re S ", 100_000),
        ]
    )
    return with_content(Pdf(data), rng, lambda content: content + b"\n" + line * count)


def texts_odd(data: bytes, rng: random.Random) -> bytes:
    """Write text of control characters, half pairs of surrogates, endless lines, or letters without size."""
    pdf = Pdf(data)
    odd = rng.choice([b"D800", b"DC00DC00", b"0000", b"202E", b"001B005B", b"FFFF", b"D83DDE00" * 99, b"D800005C"])
    cmap = pdf.add(
        stream(
            b"/CIDInit /ProcSet findresource begin begincmap 1 begincodespacerange <00> <FF> endcodespacerange "
            b"1 beginbfrange <20> <7E> [%s] endbfrange endcmap end" % (b"<%s> " % odd * 95)
        )
    )
    font = pdf.add(b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /ToUnicode %d 0 R >>" % cmap)
    size = rng.choice([b"12", b"0", b"-12", b"1e-9", b"1e9"])
    text = rng.choice([b"(Revenue grew by 12.5 %)", b"(%s)" % (b"x" * 300_000), b"<00010203FEFF>", b"()"])
    return with_drawn(
        pdf, rng, b"/Font", b"/F", font, b"BT /F %s Tf 72 600 Td %s Tj 0 -20 Td %s Tj ET" % (size, text, text)
    )


def fonts_broken(data: bytes, rng: random.Random) -> bytes:
    """Break fonts: their programs, widths, encodings, maps to Unicode and descendants."""
    pdf = Pdf(data)
    for number in list(pdf.having(rb"/Type\s*/Font\b")):
        way = rng.randrange(6)
        if way == 0:
            pdf.replace(
                number,
                rb"/Encoding\s*(/\w+|\d+ 0 R)",
                b"/Encoding << /Differences [0 /A -5 /B 99999 /C (x) 1e9 /.notdef] >>",
            )
        elif way == 1:
            pdf.replace(
                number,
                rb"/(FirstChar|LastChar) \d+",
                b"/FirstChar %d /LastChar %d" % (rng.choice([-1, 255]), 2**31 - 1),
            )
        elif way == 2:
            pdf.replace(
                number,
                rb"/Subtype\s*/\w+",
                b"/Subtype /" + rng.choice([b"Type0", b"Type3", b"MMType1", b"CIDFontType2"]),
            )
        elif way == 3:
            pdf.put(number, b"/ToUnicode %d 0 R" % rng.choice(list(pdf.objects)))
        elif way == 4:
            pdf.put(number, b"/DescendantFonts [%d 0 R] /Encoding /Identity-V" % number)
        else:
            pdf.put(number, b"/Widths [%s] /W [0 65535 1e9] /DW nan" % (b"1e30 -1 0 " * 50))
    for number in list(pdf.having(rb"/(FontFile[23]?|Length1)\b")):
        body = pdf.objects[number]
        if b"stream" in body and rng.random() < 0.7:
            program = bytearray(inflated(body))
            for _ in range(min(len(program), rng.choice([1, 20, 500]))):
                program[rng.randrange(len(program))] = rng.randrange(256)
            pdf.objects[number] = stream(
                zlib.compress(bytes(program)), b"/Filter /FlateDecode /Length1 %d" % len(program)
            )
    return pdf.written()
