import pandas as pd
import pytest

from funnelkit.language.errors import DataError
from funnelkit.planning.statement_card import LIMITS, advantage_test, statement_card

TEXTS = {
    "usp": "For elderly patients with two conditions: one tablet controls both",
    "smp": "Reduced strokes by a third in five years",
    "cpp": "One tablet, two goals",
    "pc": "trustworthy, calm",
    "csm": "One tablet a day keeps both numbers down",
}
EVIDENCE = {"usp": "trial A, 2019", "smp": "trial A, 2019", "cpp": "label, section 4", "csm": "guideline 2021"}
ANSWERS = pd.DataFrame(
    {
        "advantage": ["once a day", "five-year trial"],
        "unique": [False, True],
        "different": [True, True],
        "important": [True, True],
        "lasting": [False, True],
    }
)


def faults(texts=None, evidence=None):
    found = statement_card(TEXTS | (texts or {}), EVIDENCE | (evidence or {}))
    return found.table.set_index("part")["ok"], found.reading()


def test_a_good_card_passes():
    ok, reading = faults()
    assert ok.all()
    assert reading == "The card is complete: 5 parts, each filled, short enough, with its evidence."


@pytest.mark.parametrize("blank", ["", "  ", "TBD", "待定", "…", None])
def test_empty_parts_are_named_with_what_to_write(blank):
    ok, reading = faults({"smp": blank})
    assert not ok["smp"] and ok.drop("smp").all()
    assert "is empty. Write: The most persuasive unique fact." in reading
    assert reading.startswith("1 of 5 parts needs work.")
    assert faults({"smp": blank, "cpp": blank})[1].startswith("2 of 5 parts need work.")


def test_length_counts_columns():
    assert faults({"cpp": "x" * LIMITS["cpp"]})[0]["cpp"]
    assert not faults({"cpp": "x" * (LIMITS["cpp"] + 1)})[0]["cpp"]
    assert faults({"cpp": "药" * (LIMITS["cpp"] // 2)})[0]["cpp"]
    ok, reading = faults({"cpp": "药" * (LIMITS["cpp"] // 2 + 1)})
    assert not ok["cpp"] and "has 42 characters' width, at most 40" in reading


def test_claims_need_evidence_but_a_character_does_not():
    for part in ("usp", "smp", "cpp", "csm"):
        ok, reading = faults(evidence={part: "none"})
        assert not ok[part] and "names no evidence" in reading
    assert statement_card(TEXTS, EVIDENCE).table.set_index("part").loc["pc", "evidence"] == ""


def test_a_copy_is_no_part_of_its_own():
    ok, reading = faults({"csm": " one tablet, TWO goals"})
    assert not ok["csm"] and "says the same as CPP" in reading


def test_unknown_part_is_refused():
    with pytest.raises(DataError, match=r"the card has no part 'slogan'\. Its parts: usp, smp, cpp, pc, csm\."):
        statement_card({"slogan": "x"})


def test_advantage_needs_all_four():
    found = advantage_test(ANSWERS)
    assert found.table["passes"].tolist() == [False, True]
    assert found.reading() == "five-year trial: passes all 4 tests."
    one = advantage_test(ANSWERS.head(1))
    assert one.table["n_passed"].tolist() == [2]
    assert one.reading("zh") == "没有一项优势通过全部 4 项检验。最接近的是“once a day”，未通过：独特和不变的特性。"
    assert advantage_test(ANSWERS.head(0)).reading() == "No advantage is given."


def test_advantage_refuses_what_is_no_answer():
    with pytest.raises(DataError, match="the answer of once a day on unique is 'maybe'"):
        advantage_test(ANSWERS.astype(object).assign(unique=["maybe", True]))
    with pytest.raises(DataError, match="no column named 'lasting'"):
        advantage_test(ANSWERS.drop(columns="lasting"))
