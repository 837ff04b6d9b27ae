"""HTML that cannot be broken by what is put in it: text is escaped unless it is Markup already."""

from __future__ import annotations

import html
import json


class Markup(str):
    """HTML that is safe to put in as it is."""

    __slots__ = ()


def text(value: object) -> Markup:
    """Return a value as HTML text, escaped unless it is Markup."""
    return value if isinstance(value, Markup) else Markup(html.escape(str(value), quote=True))


def tag(name: str, *children: object, **attributes: object) -> Markup:
    """Return an element: ``tag("td", 12, class_="n")`` gives ``<td class="n">12</td>``.

    Children and attributes are escaped; None children and attributes are left out; ``_`` in attribute names becomes
    ``-`` (a last one is dropped).
    """
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{html.escape(str(value), quote=True)}"'
        for key, value in attributes.items()
        if value is not None
    )
    return Markup(f"<{name}{written}>" + "".join(text(child) for child in children if child is not None) + f"</{name}>")


def joined(*parts: object) -> Markup:
    """Return parts one after the other, escaped unless Markup."""
    return Markup("".join(text(part) for part in parts if part is not None))


def script_json(value: object) -> Markup:
    """Return JSON that may stand inside a script element: nothing in it can end the element or a line of script."""
    encoded = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        encoded = encoded.replace(character, f"\\u{ord(character):04x}")
    return Markup(encoded)
