"""The Latin font of a page: bundled for the characters of most pages, cut for what else occurs."""

import base64
import io
import re

from fontTools.ttLib import TTFont

from funnelkit.language import use_language
from funnelkit.report.pages.fonts import latin_faces

FACE = re.compile(r"font-weight:(\d+);src:url\(data:font/\w+;base64,([^)]+)\)[^}]*unicode-range:([^}]+)\}")


def faces(body):
    """Return (weight, characters of the font, characters it is to serve) of each face."""
    found = FACE.findall(latin_faces(body))
    fonts = [TTFont(io.BytesIO(base64.b64decode(data))) for _, data, _ in found]
    return [(weight, set(font.getBestCmap()), cover) for (weight, _, cover), font in zip(found, fonts, strict=True)]


def test_most_pages_take_the_bundled_font():
    found = faces("<p title='Ж'>Wins rose to 38% – “Łódź” −1 → €5</p>")
    assert [weight for weight, _, _ in found] == ["400", "600"]
    for _, has, _ in found:
        assert {ord(sign) for sign in "Wins38%–“Łź−→€"} <= has


def test_other_characters_are_cut_for_the_page_in_both_weights():
    found = faces("<p>Αθήνα и Москва</p>")
    assert [cover for _, _, cover in found[:2]] == ["U+0-2E7F"] * 2
    for _, has, cover in found[2:]:
        assert len(has) < 20 and cover == ",".join(
            f"U+{sign:X}" for sign in sorted(map(ord, set("Αθήνα и Москва") - {" "}))
        )
        assert {ord(sign) for sign in "ΑθήναиМосква"} <= has
    assert len(found) == 4


def test_chinese_punctuation_is_left_to_its_font():
    use_language("zh")
    try:
        assert all("U+2014" not in cover and "U+2018" not in cover for _, _, cover in faces("<p>“升迁”——…</p>"))
    finally:
        use_language("en")
