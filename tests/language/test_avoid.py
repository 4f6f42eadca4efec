"""Words of the language guide that neither edition uses: lessons, guides, texts of all rooms, catalogue, glossary."""

import re
import tomllib
from pathlib import Path

import pytest

from funnelkit.course import lessons

ROOT = Path(__file__).parents[2]
RULES = tomllib.loads((Path(__file__).parent / "avoid.toml").read_text(encoding="utf-8"))
GUIDES = {
    "en": ("README.md", "notebooks/README.md", "data/README.md", "notebooks/report/README.md"),
    "zh": ("README.zh.md", "notebooks/README.zh.md", "data/README.zh.md", "notebooks/report/README.zh.md"),
}
WORDS = re.compile(r'\b(en|zh) = ("(?:[^"\\]|\\.)*")')


def places(lang):
    """Yield (place, text) of whatever a person reads in a language."""
    for name in lessons.names():
        for cell in lessons.read_lesson(name, lang).cells:
            yield f"{lang}/{name}, cell {cell.id}", cell.source
    for file in GUIDES[lang]:
        yield file, (ROOT / file).read_text(encoding="utf-8")
    for file in [*(ROOT / "funnelkit/language/texts").glob("*.toml"), *(ROOT / "funnelkit/models").rglob("*.toml")]:
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
            yield f"{file.name}, line {number}", " ".join(text for one, text in WORDS.findall(line) if one == lang)
    yield "glossary.csv", (ROOT / "data/glossary.csv").read_text(encoding="utf-8")


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_words_of_the_guide_are_not_used(lang):
    found = []
    for place, text in places(lang):
        for rule in RULES[lang]:
            allowed = [one["place"] for one in rule.get("allowed", ())]
            for hit in re.finditer(rule["avoid"], text):
                if not any(place.startswith(one) for one in allowed):
                    found.append(f"{place}: {text[max(0, hit.start() - 20) : hit.end() + 20]!r}; write {rule['write']}")
    assert not found, "\n".join(found)
