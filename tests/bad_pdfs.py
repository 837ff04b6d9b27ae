"""PDF files that are broken, locked or hostile, each made by a function that returns its bytes.

``BAD_PDFS`` names them all with the reason that a parser must set them aside for, or None where the file is odd but
can be read. ``ENGINE_STOPS`` are files that only an engine's limits of time and memory can stop.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple


def pdf_of(objects: Sequence[bytes], trailer: bytes = b"/Root 1 0 R", offset_error: int = 0) -> bytes:
    """Return a PDF of the given objects, numbered from 1, with a cross-reference table.

    Args:
        objects: the bodies; the first is the catalogue.
        trailer: entries of the trailer beside the size.
        offset_error: added to every offset, for tables that point nowhere.
    """
    out = bytearray(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")
    offsets = []
    for number, body in enumerate(objects, 1):
        offsets.append(len(out) + offset_error)
        out += b"%d 0 obj\n" % number + body + b"\nendobj\n"
    start = len(out) + offset_error
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    out += b"trailer\n<< /Size %d %s >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, trailer, start)
    return bytes(out)


def stream(data: bytes, entries: bytes = b"") -> bytes:
    """Return a stream object's body."""
    return b"<< /Length %d %s >>\nstream\n" % (len(data), entries) + data + b"\nendstream"


_CATALOGUE = b"<< /Type /Catalog /Pages 2 0 R >>"
_ONE_PAGE = b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>"
_DRAWN = b"/Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>"
_HELVETICA = b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"


def page_with(content: bytes, more: Sequence[bytes] = (), resources: bytes = b"/Font << /F1 5 0 R >>") -> bytes:
    """Return a PDF of one page with this content stream; ``more`` are objects 6, 7, ..."""
    page = b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R /Resources << %s >> >>" % resources
    return pdf_of([_CATALOGUE, _ONE_PAGE, page, stream(content), _HELVETICA, *more])


TEXT = b"BT /F1 12 Tf 72 700 Td (Revenue grew by 12.5 percent in 2021.) Tj ET"


def good() -> bytes:
    """Return a page with one sentence, by which all others are measured."""
    return page_with(TEXT)


def report(pages: int = 5, **canvas_options: object) -> bytes:
    """Return a plain report by reportlab."""
    from reportlab.pdfgen.canvas import Canvas

    buffer = io.BytesIO()
    canvas = Canvas(buffer, pagesize=(612, 792), invariant=1, **canvas_options)
    for number in range(1, pages + 1):
        for line in range(30):
            canvas.drawString(72, 720 - 20 * line, f"Page {number}, line {line}: revenue of ${number * line},000.")
        canvas.showPage()
    canvas.save()
    return buffer.getvalue()


# -------------------------------------------------------------------------------------------------- broken


def empty() -> bytes:
    """Return no bytes."""
    return b""


def blank_bytes() -> bytes:
    """Return a disk's worth of nothing, as a failed copy leaves behind."""
    return b"\0" * 4096


def web_page() -> bytes:
    """Return what a download gives where the report has moved."""
    return b"<!doctype html><html><head><title>404</title></head><body>Not found</body></html>"


def header_only() -> bytes:
    """Return a first line and nothing behind."""
    return b"%PDF-1.7\n"


def truncated() -> bytes:
    """Return the first two thirds of a report."""
    data = report()
    return data[: len(data) * 2 // 3]


def truncated_update() -> bytes:
    """Return a file with an update behind it that was cut off."""
    update = b"".join(b"%d 0 obj\n<< /Note (%s) >>\nendobj\n" % (n, b"x" * 100) for n in range(100, 160))
    return report() + update


def garbage_inside() -> bytes:
    """Return a PDF's first and last line around random bytes."""
    noise = bytes((i * 7919 + i // 3) % 251 for i in range(20_000))
    return b"%PDF-1.4\n" + noise + b"\nstartxref\n20\n%%EOF\n"


def zero_pages() -> bytes:
    """Return a valid file with an empty page tree."""
    return pdf_of([_CATALOGUE, b"<< /Type /Pages /Kids [] /Count 0 >>"])


def broken_xref() -> bytes:
    """Return a page whose cross-reference table points nowhere; readers rebuild it."""
    page = b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] " + _DRAWN
    return pdf_of([_CATALOGUE, _ONE_PAGE, page, stream(TEXT), _HELVETICA], offset_error=777)


def missing_font() -> bytes:
    """Return a page whose text names a font that is not there."""
    return page_with(TEXT.replace(b"/F1", b"/F9"))


def font_of_nothing() -> bytes:
    """Return a page whose font refers to an object that is not there."""
    return page_with(TEXT, resources=b"/Font << /F1 99 0 R >>")


def broken_content() -> bytes:
    """Return a page with good text, then operators without operands, unbalanced brackets and binary noise."""
    return page_with(TEXT + b"\nQ Q Q ET Tj [ ( unbalanced ] >> << /a Do 1 0 0 cm \xff\xfe\x00 re f (never closed")


def no_media_box() -> bytes:
    """Return a page of no size; readers take US letter."""
    page = b"<< /Type /Page /Parent 2 0 R " + _DRAWN
    return pdf_of([_CATALOGUE, _ONE_PAGE, page, stream(TEXT), _HELVETICA])


def flat_page() -> bytes:
    """Return a page without height."""
    page = b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 0] " + _DRAWN
    return pdf_of([_CATALOGUE, _ONE_PAGE, page, stream(TEXT), _HELVETICA])


def wild_numbers() -> bytes:
    """Return a page with coordinates and a font size beyond all measure beside good text."""
    wild = b"1e38 0 0 1e38 0 0 cm 99999999999999999999 -1e30 5 5 re f BT /F1 1e9 Tf 1e12 1e12 Td (far) Tj ET"
    return page_with(TEXT + b"\nq " + wild + b" Q")


def corrupt_stream() -> bytes:
    """Return a page whose compressed content is damaged in the middle."""
    packed = bytearray(zlib.compress(b"\n".join([TEXT] * 200)))
    packed[len(packed) // 2 : len(packed) // 2 + 8] = b"\0" * 8
    page = b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] " + _DRAWN
    return pdf_of([_CATALOGUE, _ONE_PAGE, page, stream(bytes(packed), b"/Filter /FlateDecode"), _HELVETICA])


# -------------------------------------------------------------------------------------------------- locked


def encrypted() -> bytes:
    """Return a report that wants a password to be opened."""
    from reportlab.lib.pdfencrypt import StandardEncryption

    return report(encrypt=StandardEncryption("open sesame", "owner", strength=128))


def owner_password_only() -> bytes:
    """Return a report that anybody may open but not copy from, as many companies publish them."""
    from reportlab.lib.pdfencrypt import StandardEncryption

    return report(encrypt=StandardEncryption("", "owner", canPrint=1, canCopy=0, strength=128))


def unknown_encryption() -> bytes:
    """Return a file locked by a method that no reader knows."""
    lock = b"<< /Filter /Nobody /V 9 /R 9 /O (x) /U (y) /P -1 >>"
    page = b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] >>"
    return pdf_of(
        [_CATALOGUE, _ONE_PAGE, page, lock], trailer=b"/Root 1 0 R /Encrypt 4 0 R /ID [<00112233> <00112233>]"
    )


# -------------------------------------------------------------------------------------------------- too much


def many_pages(count: int = 10_000) -> bytes:
    """Return so many pages of nothing."""
    kids = b" ".join(b"%d 0 R" % (number + 3) for number in range(count))
    page = b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] >>"
    return pdf_of([_CATALOGUE, b"<< /Type /Pages /Kids [%s] /Count %d >>" % (kids, count), *[page] * count])


def huge_page(inches: int = 200) -> bytes:
    """Return a page of so many inches a side."""
    side = inches * 72
    page = b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 %d %d] " % (side, side) + _DRAWN
    return pdf_of([_CATALOGUE, _ONE_PAGE, page, stream(TEXT), _HELVETICA])


def zeros_packed(megabytes: int, fill: bytes = b" ") -> bytes:
    """Return so many megabytes of one byte as a deflate stream, made without ever holding them."""
    block = fill * (1 << 20)
    packer = zlib.compressobj(9)
    head = packer.compress(block) + packer.flush(zlib.Z_FULL_FLUSH)
    again = packer.compress(block) + packer.flush(zlib.Z_FULL_FLUSH)
    checksum = zlib.adler32(b"")
    for _ in range(megabytes):
        checksum = zlib.adler32(block, checksum)
    return head + again * (megabytes - 1) + b"\x03\x00" + checksum.to_bytes(4, "big")


def stream_bomb(megabytes: int = 4096) -> bytes:
    """Return a page whose content stream, four megabytes long, inflates to four gigabytes."""
    return _page_of_packed(zeros_packed(megabytes), b"/Filter /FlateDecode")


def twice_packed_bomb(megabytes: int = 4096) -> bytes:
    """Return a page whose content stream of a few kilobytes is packed twice over."""
    return _page_of_packed(zlib.compress(zeros_packed(megabytes), 9), b"/Filter [/FlateDecode /FlateDecode]")


def _page_of_packed(data: bytes, entries: bytes) -> bytes:
    page = b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] " + _DRAWN
    return pdf_of([_CATALOGUE, _ONE_PAGE, page, stream(data, entries), _HELVETICA])


def huge_image(side: int = 60_000) -> bytes:
    """Return a page with a picture that claims 3.6 thousand million pixels and has almost none."""
    picture = stream(
        zlib.compress(b"\xff" * 3000),
        b"/Type /XObject /Subtype /Image /Width %d /Height %d /ColorSpace /DeviceRGB /BitsPerComponent 8 "
        b"/Filter /FlateDecode" % (side, side),
    )
    content = TEXT + b"\nq 400 0 0 400 100 100 cm /Im1 Do Q"
    return page_with(content, [picture], b"/Font << /F1 5 0 R >> /XObject << /Im1 6 0 R >>")


# -------------------------------------------------------------------------------------------------- too deep


def deep_page_tree(depth: int = 5_000) -> bytes:
    """Return one page at the end of a page tree of so many levels."""
    levels = [
        b"<< /Type /Pages /Kids [%d 0 R] /Count 1 %s>>"
        % (number + 3, b"/Parent %d 0 R " % (number + 1) if number else b"")
        for number in range(depth)
    ]
    leaf = b"<< /Type /Page /Parent %d 0 R /MediaBox [0 0 612 792] >>" % (depth + 1)
    return pdf_of([_CATALOGUE, *levels, leaf])


def circular_page_tree() -> bytes:
    """Return a page tree that holds itself."""
    return pdf_of([_CATALOGUE, b"<< /Type /Pages /Kids [2 0 R 2 0 R] /Count 2 >>"])


def nested_forms(depth: int = 3_000) -> bytes:
    """Return a page with a form in a form in a form, after good text."""
    return page_with(
        TEXT + b"\n/Fm Do",
        [_form(b"/Fm Do", number + 7) for number in range(depth)],
        b"/Font << /F1 5 0 R >> /XObject << /Fm 6 0 R >>",
    )


def circular_forms() -> bytes:
    """Return a page with a form that draws itself, after good text."""
    return page_with(TEXT + b"\n/Fm Do", [_form(b"/Fm Do", 6)], b"/Font << /F1 5 0 R >> /XObject << /Fm 6 0 R >>")


def multiplying_forms(levels: int = 12, times: int = 10) -> bytes:
    """Return a page with a form that draws a form ten times, which draws a form ten times, and so on."""
    forms = [_form(b"/Fm Do " * times, number + 7) for number in range(levels)]
    forms.append(stream(b"0 0 1 1 re f", b"/Type /XObject /Subtype /Form /BBox [0 0 612 792]"))
    return page_with(TEXT + b"\n/Fm Do", forms, b"/Font << /F1 5 0 R >> /XObject << /Fm 6 0 R >>")


def _form(content: bytes, inner: int) -> bytes:
    return stream(
        content,
        b"/Type /XObject /Subtype /Form /BBox [0 0 612 792] /Resources << /XObject << /Fm %d 0 R >> >>" % inner,
    )


class BadPdf(NamedTuple):
    """A maker and what must become of its file."""

    make: Callable[[], bytes]
    reasons: tuple[str, ...]  # one of them; () where the file must parse
    has_text: bool = False  # the good sentence must be found


#: What a parser must tell by itself, within seconds and without much memory.
BAD_PDFS: dict[str, BadPdf] = {
    "good": BadPdf(good, (), True),
    "empty": BadPdf(empty, ("empty",)),
    "blank_bytes": BadPdf(blank_bytes, ("empty",)),
    "web_page": BadPdf(web_page, ("not_a_pdf",)),
    "header_only": BadPdf(header_only, ("truncated",)),
    "truncated": BadPdf(truncated, ("truncated",)),
    "truncated_update": BadPdf(truncated_update, ("truncated",)),
    "garbage_inside": BadPdf(garbage_inside, ("unreadable",)),
    "zero_pages": BadPdf(zero_pages, ("no_pages",)),
    "broken_xref": BadPdf(broken_xref, (), True),
    "missing_font": BadPdf(missing_font, (), True),
    "font_of_nothing": BadPdf(font_of_nothing, (), True),
    "broken_content": BadPdf(broken_content, (), True),
    "no_media_box": BadPdf(no_media_box, (), True),
    "flat_page": BadPdf(flat_page, (), True),
    "wild_numbers": BadPdf(wild_numbers, (), True),
    "corrupt_stream": BadPdf(corrupt_stream, ()),
    "encrypted": BadPdf(encrypted, ("encrypted",)),
    "owner_password_only": BadPdf(owner_password_only, ()),
    "unknown_encryption": BadPdf(unknown_encryption, ("encrypted",)),
    "many_pages": BadPdf(many_pages, ("too_many_pages",)),
    "huge_page": BadPdf(huge_page, ("page_too_large",)),
    "stream_bomb": BadPdf(stream_bomb, ("stream_too_large",)),
    "twice_packed_bomb": BadPdf(twice_packed_bomb, ("stream_too_large",)),
    "huge_image": BadPdf(huge_image, (), True),
    "deep_page_tree": BadPdf(deep_page_tree, ("unreadable", "no_pages")),
    "circular_page_tree": BadPdf(circular_page_tree, ("unreadable", "no_pages")),
    "nested_forms": BadPdf(nested_forms, (), True),
    "circular_forms": BadPdf(circular_forms, (), True),
}

#: What may take a library's C code for ever; an engine with limits of time and memory must set it aside.
ENGINE_STOPS: dict[str, Callable[[], bytes]] = {"multiplying_forms": multiplying_forms}


def write_bad_pdfs(folder: Path) -> dict[str, Path]:
    """Write all of ``BAD_PDFS`` and ``ENGINE_STOPS`` into a folder as NAME.pdf; return their paths by name."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = {}
    for name, maker in {**{name: bad.make for name, bad in BAD_PDFS.items()}, **ENGINE_STOPS}.items():
        paths[name] = folder / f"{name}.pdf"
        paths[name].write_bytes(maker())
    return paths
