"""Models and glossary as tables: in the language in force, a wrong term refused with the nearest."""

import pytest

from funnelkit.analysis import glossary, models
from funnelkit.language import DataError, use_language


@pytest.mark.parametrize(("lang", "head", "cell"), [("en", "Term", "Pipeline"), ("zh", "用语", "销售管线")])
def test_glossary_shows_one_language(lang, head, cell):
    use_language(lang)
    found = glossary("pipeline", "funnel")
    assert found.table["term"].tolist() == ["pipeline", "funnel"]
    lines = found.show().text.splitlines()
    assert lines[0].startswith(head) and lines[1].startswith(cell) and len(lines) == 3


def test_whole_glossary_and_wrong_term():
    found = glossary()
    assert len(found.table) > 40 and found.reading() == f"{len(found.table)} terms of the field."
    with pytest.raises(DataError, match=r"no term named 'funel' in the glossary\. Nearest: funnel"):
        glossary("funel")


def test_models_are_shown_by_name():
    assert "industrial-8" in models().show().text
