"""Models and glossary as tables: in the language in force, a wrong term refused with the nearest."""

import pytest

from funnelkit.analysis import glossary, models
from funnelkit.language import DataError, use_language


@pytest.mark.parametrize(("lang", "head", "cell"), [("en", "Term", "Pipeline"), ("zh", "术语", "销售管线")])
def test_glossary_shows_one_language(lang, head, cell):
    use_language(lang)
    found = glossary("pipeline", "funnel")
    assert found.table["term"].tolist() == ["pipeline", "funnel"]
    lines = found.show().text.splitlines()
    assert lines[0].startswith(head) and lines[1].startswith(cell) and len(lines) == 3


def test_whole_glossary_and_wrong_term():
    found = glossary()
    assert len(found.table) > 40 and found.reading() == f"{len(found.table)} glossary terms."
    with pytest.raises(DataError, match=r"no term named 'funel' in the glossary\. Nearest: funnel"):
        glossary("funel")


def test_models_are_shown_by_name():
    assert "industrial-8" in models().show().text


def test_one_model_shows_the_buyer_next_to_the_stage_by_state():
    found = models("industrial-8")
    assert found.table["state"].tolist() == ["search"] * 2 + ["in-funnel"] * 3 + ["best"] * 3
    shown = found.show().text.splitlines()
    assert shown[0].split("  ")[0] == "State" and sum(line.startswith("Best") for line in shown) == 1
    assert "Win probability" not in shown[0], "what is this kit's own choice alone is not shown as the source's"
    assert "20%" in models("selling-5").show().text and "50%*" in models("selling-5").show().text


def test_parts_of_a_model():
    assert models("industrial-8", "states").table["state"].value_counts().to_dict() == {
        "in-funnel": 3, "best": 3, "search": 2,
    }  # fmt: skip
    assert models("project-7", "information").table["stage"].nunique() == 3
    assert models("common", "principles").reading() == "Four principles"
    with pytest.raises(DataError, match=r"no part named 'sapce' in this model\. Nearest: space"):
        models("pharma", "sapce")
