"""Printed models: whole in both languages, within the terminal, with columns that stay straight."""

import dataclasses
import itertools
import re
import unicodedata

import pytest

from funnelkit import cli
from funnelkit.language import Text, use_language
from funnelkit.language.texts import LANGUAGES, texts
from funnelkit.models import catalog, describe, model_names
from funnelkit.models.funnel import funnel
from tests.support.speech import spoken


def walk(value, path=""):
    """Yield every Text of a frozen model with the way to it."""
    if isinstance(value, Text):
        yield path, value
    elif isinstance(value, tuple):
        for number, part in enumerate(value):
            yield from walk(part, f"{path}[{number}]")
    elif dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            yield from walk(getattr(value, field.name), f"{path}.{field.name}")


def models(capsys, monkeypatch, *arguments, columns=100):
    monkeypatch.setenv("COLUMNS", str(columns))
    assert cli.main(["models", *arguments]) == 0
    return capsys.readouterr().out.splitlines()


def table_after(lines, start=0):
    """Return the rule of the first table from `start` as column starts, and the lines from the rule to a blank line."""
    at = next(n for n in range(start, len(lines)) if re.fullmatch(r"-+(  -+)+", lines[n]))
    end = lines.index("", at) if "" in lines[at:] else len(lines)
    return [match.span() for match in re.finditer("-+", lines[at])], lines[at - 1 : at] + lines[at + 1 : end]


def cells(line):
    """Spread a line over terminal cells: a wide sign takes two."""
    return [cell for sign in line for cell in (sign, "")[: 1 + (unicodedata.east_asian_width(sign) in "WF")]]


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_list_shows_every_model_in_straight_columns(capsys, monkeypatch, lang):
    use_language(lang)
    lines = models(capsys, monkeypatch, "--lang", lang)
    spans, rows = table_after(lines)
    assert len(spans) == 4 and len(rows) == len(catalog()) + 1
    for row, model in zip(rows[1:], catalog(), strict=True):
        id_, name, number, kind = ("".join(cells(row)[a:b]).strip() for a, b in spans)
        assert (id_, name, number) == (model.id, str(model.name), str(len(model.stages)))
        assert kind == texts("models.catalogue")[f"kind_{model.kind}"][lang]
    assert str(len(catalog())) in lines[0]


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("name", model_names())
@pytest.mark.parametrize("columns", [60, 80, 120])
def test_a_model_prints_whole_within_the_terminal(capsys, monkeypatch, name, lang, columns):
    lines = models(capsys, monkeypatch, name, "--lang", lang, columns=columns)
    assert max(len(cells(line)) for line in lines) <= columns
    spans, rows = table_after(lines)
    gaps = [at for (_, end), (start, _) in itertools.pairwise(spans) for at in range(end, start)]
    for row in rows:
        assert {" "} >= {cells(row)[at] for at in gaps if at < len(cells(row))}, row
    assert not any("{" in line or "None" in line for line in lines)
    printed = re.sub(r"\s", "", "".join(lines))
    model = funnel(name)
    for path, text in walk(model.topics):
        assert re.sub(r"\s", "", getattr(text, lang)) in printed, path


def test_a_wide_terminal_shows_every_text_of_every_model():
    for model in catalog():
        for lang in LANGUAGES:
            printed = spoken(lang, lambda model=model: describe.model_text(model, columns=1000))
            assert [path for path, text in walk(model) if getattr(text, lang) not in printed] == []


def test_a_printed_model_says_what_is_given_and_what_is_the_kits_own():
    printed = describe.model_text(funnel("selling-5"), columns=100).splitlines()
    _, rows = table_after(printed)
    assert "20%" in rows[1] and "*" not in rows[1]
    assert sum("50%*" in row or "100%*" in row for row in rows) == 2
    assert "* Not stated in the model's sources: chosen or inferred by the authors of this kit." in printed
    assert any("not given here: Promotion rate, Duration (days)." in line for line in printed)
    assert "57.1%" in describe.model_text(spoken("zh", lambda: funnel("simple-5")))


def test_every_entry_of_the_catalogue_texts_has_both_languages():
    assert all(set(entry) == set(LANGUAGES) and all(entry.values()) for entry in texts("models.catalogue").values())
