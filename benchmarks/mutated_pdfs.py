"""PDF files that were whole once: cut pieces of reports, each damaged or made hostile in one of many ways.

``mutants(bases, count, seed)`` yields ``(name, bytes)``; the same arguments give the same files. A mutation works on
the bytes, or on the objects of a file whose cross-reference table is then written anew, so that the damage is read
and not only the repair of a broken table. Damage stands here, what is hostile in ``hostile_pdfs.py``.
"""

from __future__ import annotations

import io
import random
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from hostile_pdfs import (
    bombs,
    content_numbers,
    deep_nesting,
    filters_exchanged,
    fonts_broken,
    forms_loop,
    images_lie,
    media_boxes,
    operators_many,
    operators_shuffled,
    outlines_loop,
    page_tree_loops,
    resources_loop,
    texts_odd,
)
from pdf_objects import NUMBER, REFERENCE, STREAM, WILD, Pdf

Mutation = Callable[[bytes, random.Random], bytes]

# --------------------------------------------------------------------------------------------------------- bytes


def truncated(data: bytes, rng: random.Random) -> bytes:
    """Cut the end off."""
    return data[: rng.randrange(len(data))]


def middle_cut(data: bytes, rng: random.Random) -> bytes:
    """Cut a piece out of the middle, so that the end is still there and every offset behind it is wrong."""
    start = rng.randrange(20, len(data) - 200)
    return data[:start] + data[min(len(data) - 100, start + rng.randrange(1, len(data) // 2)) :]


def bytes_flipped(data: bytes, rng: random.Random) -> bytes:
    """Change bytes anywhere."""
    out = bytearray(data)
    for _ in range(rng.choice([1, 10, 100, 1000])):
        out[rng.randrange(len(out))] = rng.randrange(256)
    return bytes(out)


def bits_flipped_in_streams(data: bytes, rng: random.Random) -> bytes:
    """Change single bits inside of streams, where decoders meet them."""
    out = bytearray(data)
    spans = [match.span(1) for match in STREAM.finditer(data) if match.end(1) > match.start(1)]
    for _ in range(rng.choice([1, 5, 50, 500])):
        start, end = rng.choice(spans) if spans else (0, len(out))
        out[rng.randrange(start, end)] ^= 1 << rng.randrange(8)
    return bytes(out)


def blocks_overwritten(data: bytes, rng: random.Random) -> bytes:
    """Write zeros or noise over disk blocks."""
    out = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        start = rng.randrange(len(out)) // 512 * 512
        size = min(len(out) - start, 512 * rng.randint(1, 16))
        out[start : start + size] = b"\0" * size if rng.random() < 0.5 else rng.randbytes(size)
    return bytes(out)


def blocks_moved(data: bytes, rng: random.Random) -> bytes:
    """Exchange disk blocks, as a broken file system does."""
    out = bytearray(data)
    size = 512 * rng.randint(1, 8)
    places = range(0, max(1, len(out) - size), 512)
    for _ in range(rng.randint(1, 4)):
        one, other = rng.choice(places), rng.choice(places)
        out[one : one + size], out[other : other + size] = out[other : other + size], out[one : one + size]
    return bytes(out)


def spliced(data: bytes, rng: random.Random) -> bytes:
    """Put the beginning of a file before a later piece of itself."""
    return data[: rng.randrange(len(data))] + data[rng.randrange(len(data)) :]


def text_mode(data: bytes, rng: random.Random) -> bytes:
    """Do to line ends what a transfer as text does."""
    return data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n") if rng.random() < 0.5 else data.replace(b"\r", b"\n")


# --------------------------------------------------------------------------------------------- objects and tables


def objects_swapped(data: bytes, rng: random.Random) -> bytes:
    """Exchange the bodies of objects."""
    pdf = Pdf(data)
    numbers = list(pdf.objects)
    for _ in range(rng.choice([1, 2, 8])):
        one, other = rng.choice(numbers), rng.choice(numbers)
        pdf.objects[one], pdf.objects[other] = pdf.objects[other], pdf.objects[one]
    return pdf.written()


def objects_lost(data: bytes, rng: random.Random) -> bytes:
    """Leave objects out."""
    pdf = Pdf(data)
    for number in rng.sample(list(pdf.objects), min(len(pdf.objects) - 1, rng.choice([1, 3, 10]))):
        del pdf.objects[number]
    return pdf.written()


def references_redirected(data: bytes, rng: random.Random) -> bytes:
    """Let references point at other objects, or at none."""
    pdf = Pdf(data)
    numbers = [*pdf.objects, 0, 99_999]
    share = rng.choice([0.02, 0.1, 0.5])
    for number, body in list(pdf.objects.items()):
        head, mark, rest = body.partition(b"stream")
        new = REFERENCE.sub(lambda m: b"%d 0 R" % rng.choice(numbers) if rng.random() < share else m[0], head)
        pdf.objects[number] = new + mark + rest
    return pdf.written()


def numbers_wild(data: bytes, rng: random.Random) -> bytes:
    """Put numbers beyond all measure into dictionaries."""
    pdf = Pdf(data)
    share = rng.choice([0.01, 0.1])
    for number, body in list(pdf.objects.items()):
        head, mark, rest = body.partition(b"stream")
        new = NUMBER.sub(lambda m: rng.choice(WILD) if rng.random() < share else m[0], head)
        pdf.objects[number] = new + mark + rest
    return pdf.written()


def names_exchanged(data: bytes, rng: random.Random) -> bytes:
    """Exchange the names that dictionaries hold."""
    pdf = Pdf(data)
    names = sorted(set(re.findall(rb"/[A-Z][A-Za-z0-9]+", b" ".join(pdf.objects.values()))))
    share = rng.choice([0.02, 0.2])
    for number, body in list(pdf.objects.items()):
        head, mark, rest = body.partition(b"stream")
        new = re.sub(rb"/[A-Z][A-Za-z0-9]+", lambda m: rng.choice(names) if rng.random() < share else m[0], head)
        pdf.objects[number] = new + mark + rest
    return pdf.written()


def xref_broken(data: bytes, rng: random.Random) -> bytes:
    """Let the cross-reference table lie."""
    start = data.rfind(b"xref\n0 ")
    if start < 0:
        return bytes_flipped(data, rng)
    table = data[start:]
    way = rng.randrange(6)
    if way == 0:  # offsets that point anywhere
        return data[:start] + re.sub(rb"\d{10}(?= \d{5} n)", lambda _: b"%010d" % rng.randrange(len(data)), table)
    if way == 1:  # all offsets moved
        return data[:start] + re.sub(
            rb"\d{10}(?= \d{5} n)", lambda m: b"%010d" % (int(m[0]) + rng.randint(1, 50)), table
        )
    if way == 2:
        return data[:start] + table.replace(b"xref\n", b"xrfe\n", 1)
    if way == 3:  # more entries than there are
        return data[:start] + re.sub(
            rb"xref\n0 \d+", b"xref\n0 %d" % rng.choice([0, 10**6, 2**31, 10**12]), table, count=1
        )
    if way == 4:  # a table before it that is itself, or nowhere
        before = rng.choice([start, 0, 10**9, -1])
        return data[:start] + table.replace(b"trailer\n<<", b"trailer\n<< /Prev %d /XRefStm %d" % (before, before), 1)
    return re.sub(rb"startxref\s+\d+", b"startxref\n%d" % rng.choice([0, start + 3, len(data), 10**15]), data)


def trailer_wrong(data: bytes, rng: random.Random) -> bytes:
    """Let the trailer name another root, a lock, or a size that is none."""
    pdf = Pdf(data)
    way = rng.randrange(4)
    if way == 0:
        pdf.root = rng.choice([0, 10**9, *pdf.objects])
        return pdf.written()
    if way == 1:
        lock = pdf.add(
            b"<< /Filter /Standard /V %d /R %d /Length %d /O (x) /U () /P -1 >>"
            % (
                rng.choice([0, 1, 2, 4, 5, 99]),
                rng.choice([0, 2, 3, 4, 5, 6]),
                rng.choice([0, 40, 128, 2**31]),
            )
        )
        return pdf.written(b"/Encrypt %d 0 R /ID [<00> <00>]" % lock)
    if way == 2:
        return re.sub(rb"/Size \d+", b"/Size %d" % rng.choice([0, 1, 2**31 - 1, 10**18]), data)
    return pdf.written(b"/Info %d 0 R /Extends %d 0 R" % (pdf.root, pdf.root))


def lengths_lie(data: bytes, rng: random.Random) -> bytes:
    """Let streams be longer or shorter than they are, or as long as they say of themselves."""
    pdf = Pdf(data)
    for number in list(pdf.having(rb"/Length\b")):
        if rng.random() < 0.4:
            lie = rng.choice([b"0", b"1", b"-1", b"2147483647", b"99999999999999", b"%d 0 R" % number, b"[]", b"5.5"])
            pdf.replace(number, rb"/Length \d+( 0 R)?", b"/Length " + lie)
    return pdf.written()


MUTATIONS: dict[str, Mutation] = {
    mutation.__name__: mutation
    for mutation in (
        truncated,
        middle_cut,
        bytes_flipped,
        bits_flipped_in_streams,
        blocks_overwritten,
        blocks_moved,
        spliced,
        text_mode,
        objects_swapped,
        objects_lost,
        references_redirected,
        numbers_wild,
        names_exchanged,
        xref_broken,
        trailer_wrong,
        lengths_lie,
        page_tree_loops,
        forms_loop,
        resources_loop,
        outlines_loop,
        deep_nesting,
        bombs,
        images_lie,
        filters_exchanged,
        media_boxes,
        content_numbers,
        operators_shuffled,
        operators_many,
        texts_odd,
        fonts_broken,
    )
}


def mutants(bases: Sequence[bytes], count: int, seed: int) -> Iterator[tuple[str, bytes]]:
    """Yield so many mutated files, the ways taken in turn.

    Args:
        bases: whole PDF files; which one is mutated is drawn by chance.
        count: how many.
        seed: another one gives other files.
    """
    names = list(MUTATIONS)
    for number in range(count):
        name = names[number % len(names)]
        rng = random.Random(f"{seed} {number} {name}")
        yield f"{number:04d}_{name}.pdf", MUTATIONS[name](rng.choice(bases), rng)


def cut_pieces(folder: Path, pages: int, pieces: int, seed: int) -> list[bytes]:
    """Return pieces of so many pages of each report of a folder (searched deeply), as PDF files of their own.

    pdfium writes them plainly, every object by itself. Reports that are no longer than a piece come whole, as they are.
    """
    import pypdfium2

    found = []
    for path in sorted(folder.rglob("*.pdf")):
        document = pypdfium2.PdfDocument(path)
        rng = random.Random(f"{seed} {path.name}")
        length = len(document)
        if length <= pages:
            found.append(path.read_bytes())
        for start in {rng.randrange(max(1, length - pages + 1)) for _ in range(pieces)}:
            piece = pypdfium2.PdfDocument.new()
            piece.import_pages(document, list(range(start, min(length, start + pages))))
            buffer = io.BytesIO()
            piece.save(buffer)
            piece.close()
            found.append(buffer.getvalue())
        document.close()
    return found
