"""What the prose of a lesson quotes is there: a heading, column, button, preset or sentence, or what people say."""

import csv
import html
import json
import re
import tomllib
from functools import cache
from pathlib import Path

import pytest

from funnelkit.course import lessons

ROOT = Path(__file__).parents[2]
SPOKEN = tomllib.loads((Path(__file__).parent / "spoken.toml").read_text(encoding="utf-8"))
QUOTED = {"en": re.compile(r'"([^"\n]+)"|“([^”\n]+)”'), "zh": re.compile(r"“([^”\n]+)”|「([^」\n]+)」")}
MARKS = " ,.?!:;，。？！：；、…#*-`'"
# What stands between the parts of a text that can be quoted by themselves, placeholders and markup included.
BETWEEN = re.compile(r'\n|\\n|<[^>]*>|\{[^}]*\}|[，。；：、？！～|,;:?!“”"()（）→]|\. ')
CODE = re.compile(r"```.*?```|`[^`\n]*`|<(?!!)[^>]*>", re.DOTALL)
LONG = {"en": 16, "zh": 6}  # a quotation of so many characters may also be part of a sentence
EXPLORABLE = "application/vnd.funnelkit.explorable+json"


def folded(text):
    return re.sub(r"\s+", " ", text).strip(MARKS).casefold()


def parts(texts):
    return {folded(text) for text in texts} | {folded(part) for text in texts for part in BETWEEN.split(text)}


def of_language(found, lang):
    if isinstance(found, str):
        yield found
    elif isinstance(found, dict):
        for value in [found[lang]] if set(found) == set(lessons.LANGUAGES) else found.values():
            yield from of_language(value, lang)
    elif isinstance(found, list):
        for value in found:
            yield from of_language(value, lang)


@cache
def kit(lang):
    """Return all texts of the kit, the glossary and the report in one language."""
    files = [*ROOT.glob("funnelkit/language/texts/*.toml"), *ROOT.glob("funnelkit/models/catalogue/**/*.toml")]
    texts = [text for path in files for text in of_language(tomllib.loads(path.read_text(encoding="utf-8")), lang)]
    with (ROOT / "data/glossary.csv").open(encoding="utf-8", newline="") as file:
        texts += [row[lang] for row in csv.DictReader(file)]
    report = json.loads((ROOT / f"notebooks/report/{lang}.ipynb").read_text(encoding="utf-8"))
    texts += ["".join(cell["source"]) for cell in report["cells"] if cell["cell_type"] == "markdown"]
    return frozenset(parts(texts)), "\n".join(map(folded, texts))


def own(cells, lang):
    """Return what a lesson itself holds: prose without its quotations, code, all that it shows."""
    found = []
    for cell in cells:
        prose = cell.cell_type == "markdown"
        found.append(QUOTED[lang].sub("", cell.source) if prose else cell.source)
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            shown = [output.get("text", ""), data.get("text/plain", ""), data.get("text/html", "")]
            found += map(html.unescape, [*shown, json.dumps(data.get(EXPLORABLE, ""), ensure_ascii=False)])
    return parts(found), "\n".join(folded(re.sub(r"<[^>]*>", " ", text)) for text in found)


def quotations(source, lang):
    """Return what prose quotes, code aside, without the marks at its ends and the English word behind a term."""
    plain = CODE.sub("", source)
    return [re.sub(r"（[A-Za-z -]+）", "", one or other).strip(MARKS) for one, other in QUOTED[lang].findall(plain)]


def unknown(cells, lang):
    known, text = (theirs | mine if isinstance(theirs, frozenset) else theirs + mine
                   for theirs, mine in zip(kit(lang), own(cells, lang), strict=True))  # fmt: skip
    known |= {folded(words) for words in SPOKEN[lang]}
    for cell in cells:
        played = "offline" in cell.metadata.get("tags", [])  # what people say to each other in a game of roles
        if cell.cell_type != "markdown" or played:
            continue
        for words in quotations(cell.source, lang):
            long = len(words) >= LONG[lang]
            if folded(words) not in known and not (long and folded(words) in text):
                yield f"{lang}, cell {cell.id}: {words}"


@pytest.mark.parametrize("lang", lessons.LANGUAGES)
@pytest.mark.parametrize("name", lessons.names())
def test_what_is_quoted_is_there(name, lang):
    """Quote it as it is written there; what is nobody's text goes into spoken.toml."""
    assert list(unknown(lessons.read_lesson(name, lang).cells, lang)) == []


@pytest.mark.parametrize("lang", lessons.LANGUAGES)
def test_all_that_is_spoken_is_quoted(lang):
    cells = [cell for name in lessons.names() for cell in lessons.read_lesson(name, lang).cells]
    quoted = {folded(words) for cell in cells for words in quotations(cell.source, lang)}
    assert [words for words in SPOKEN[lang] if folded(words) not in quoted] == []


def test_a_column_called_otherwise_is_found():
    assert quotations('看“进行中（open）”那一列，`"owner"`', "zh") == ["进行中"]
    known, _ = kit("zh")
    assert folded("最佳估计") in known and folded("最好的估计") not in known
