"""The objects of a PDF as bytes, to be changed and written again: what mutations of reports are made with."""

from __future__ import annotations

import random
import re
import zlib
from collections.abc import Callable, Iterator

_OBJECT = re.compile(rb"(?<![0-9])(\d+)[ \r\n]+0[ \r\n]+obj\b(.*?)\bendobj", re.S)
STREAM = re.compile(rb"stream\r?\n(.*?)\r?\nendstream", re.S)
REFERENCE = re.compile(rb"(?<![0-9])(\d+) 0 R\b")
NUMBER = re.compile(rb"(?<![\w.#/-])-?\d+(?:\.\d+)?(?![\w.])")
WILD = (b"1e38", b"-2147483648", b"4294967296", b"99999999999999999999", b"nan", b"0", b"-0.0000000001", b"1e-40")


class Pdf:
    """The objects of a PDF without object streams, such as pdfium writes it."""

    def __init__(self, data: bytes) -> None:
        self.objects = {int(match[1]): match[2].strip() for match in _OBJECT.finditer(data)}
        root = re.findall(rb"/Root\s+(\d+) 0 R", data)
        self.root = int(root[-1]) if root else next(self.having(rb"/Type\s*/Catalog\b"), 1)

    def having(self, mark: bytes) -> Iterator[int]:
        """Yield the numbers of the objects whose dictionary matches."""
        for number, body in self.objects.items():
            if re.search(mark, body.partition(b"stream")[0]):
                yield number

    def add(self, body: bytes) -> int:
        """Add an object; return its number."""
        number = max(self.objects, default=0) + 1
        self.objects[number] = body
        return number

    def put(self, number: int, entries: bytes) -> None:
        """Put entries before those that an object's dictionary has."""
        body = self.objects[number]
        start = body.find(b"<<") + 2
        self.objects[number] = body[:start] + b" " + entries + b" " + body[start:]

    def replace(self, number: int, what: bytes, by: bytes) -> None:
        """Replace what matches in an object's dictionary."""
        head, mark, rest = self.objects[number].partition(b"stream")
        self.objects[number] = re.sub(what, lambda _: by, head) + mark + rest

    def written(self, trailer: bytes = b"") -> bytes:
        """Return the file."""
        out = bytearray(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")
        offsets: dict[int, int] = {}
        for number, body in sorted(self.objects.items()):
            offsets[number] = len(out)
            out += b"%d 0 obj\n" % number + body + b"\nendobj\n"
        start = len(out)
        most = max(offsets, default=0)
        out += b"xref\n0 %d\n0000000000 65535 f \n" % (most + 1)
        for number in range(1, most + 1):
            out += b"%010d 00000 n \n" % offsets[number] if number in offsets else b"0000000000 65535 f \n"
        out += b"trailer\n<< %s /Size %d /Root %d 0 R >>\n" % (trailer, most + 1, self.root)
        return bytes(out + b"startxref\n%d\n%%%%EOF\n" % start)


def stream(data: bytes, entries: bytes = b"") -> bytes:
    """Return a stream object's body."""
    return b"<< /Length %d %s >>\nstream\n" % (len(data), entries) + data + b"\nendstream"


def pages_of(pdf: Pdf) -> list[int]:
    return list(pdf.having(rb"/Type\s*/Page\b")) or sorted(pdf.objects)[:1]


def content_of(pdf: Pdf, rng: random.Random) -> int | None:
    """Return the number of a content stream, drawn by chance."""
    found = [
        int(number)
        for page in pages_of(pdf)
        for number in re.findall(rb"/Contents\s*\[?\s*(\d+) 0 R", pdf.objects[page])
    ]
    found = [number for number in found if number in pdf.objects]
    return rng.choice(found) if found else None


def inflated(body: bytes) -> bytes:
    match = STREAM.search(body)
    if match is None:
        return b""
    try:
        return zlib.decompressobj().decompress(match[1], 20_000_000) if b"/FlateDecode" in body else match[1]
    except zlib.error:
        return match[1]


def with_content(pdf: Pdf, rng: random.Random, change: Callable[[bytes], bytes]) -> bytes:
    """Return the file with the content of one page changed."""
    number = content_of(pdf, rng)
    if number is None:
        number = pdf.add(stream(b""))
        pdf.put(rng.choice(pages_of(pdf)), b"/Contents %d 0 R" % number)
    content = change(inflated(pdf.objects[number]))
    pdf.objects[number] = stream(zlib.compress(content, 1), b"/Filter /FlateDecode")
    return pdf.written()


def with_drawn(pdf: Pdf, rng: random.Random, kind: bytes, name: bytes, number: int, operators: bytes) -> bytes:
    """Return the file with a resource of a page that is drawn at the end of the page's content."""
    page = rng.choice(pages_of(pdf))
    content = pdf.add(stream(b"\nQ Q Q\n" + operators))
    found = re.search(rb"/Contents\s*(\[[^\]]*\]|\d+ 0 R)", pdf.objects[page])
    before = found[1].strip(b"[]") if found else b""
    pdf.replace(page, rb"/Contents\s*(\[[^\]]*\]|\d+ 0 R)", b"")
    pdf.replace(page, rb"/Resources\b", b"/OldResources")
    pdf.put(page, b"/Contents [%s %d 0 R] /Resources << %s << %s %d 0 R >> >>" % (before, content, kind, name, number))
    return pdf.written()
