"""Gates: every combination of evidence against the rule written out by hand; bad evidence is named."""

from itertools import product

import pandas as pd
import pytest

from funnelkit.analysis.gates import check_gates
from funnelkit.language.errors import CatalogError, DataError
from funnelkit.models.funnel import custom, funnel

MODEL = funnel("project-7")


def evidence(*rows):
    return pd.DataFrame(rows, columns=["deal_id", "stage", "gate", "met"])


def expected(here, met):
    """The rule in words: a broken earlier aim moves back, an unmet one stays, a met one goes on."""
    for earlier in range(here):
        if met[earlier] is False:
            return "move_back", earlier
    return ("advance", here + 1) if met[here] is True else ("stay", here)


def test_every_combination_of_evidence():
    model = custom(["A", "B", "C"])
    cases = list(product(range(3), product([True, False, None], repeat=3)))
    rows = [
        (f"{k}", "ABC"[here], gate, value)
        for k, (here, met) in enumerate(cases)
        for gate, value in zip("ABC", met, strict=True)
    ]
    table = check_gates(evidence(*rows), model).table
    assert len(table) == len(cases) == 81
    for (here, met), row in zip(cases, table.itertuples(), strict=True):
        verdict, target = expected(here, met)
        assert (row.verdict, row.stage) == (verdict, "ABC"[here])
        assert row.to_stage == "ABC"[target] if target < 3 else pd.isna(row.to_stage)
        assert (row.n_met, row.n_gates) == (sum(value is True for value in met[: here + 1]), here + 1)
        if row.verdict == "advance":
            assert met[here] is True, "never on an unmet aim"


def test_no_evidence_at_a_gate_is_no_advance():
    first, second = MODEL.stage_ids[:2]
    table = check_gates(evidence(("a", second, first, True), ("b", first, second, True)), MODEL).table
    assert table["verdict"].tolist() == ["stay", "stay"], "a later marker opens no gate"


def test_stages_by_name_in_either_language_and_order_of_the_input():
    model = funnel("industrial-8")
    table = check_gates(
        evidence(("z", "商务谈判", "Negotiation", True), ("a", "签约成交", "signed", 1)), named(model)
    ).table
    assert table["deal_id"].tolist() == ["z", "a"]
    assert table["to_stage"].astype(object).where(table["to_stage"].notna(), None).tolist() == ["contract-signed", None]


def named(model):
    """Return the model with an alias for its last stage."""
    from dataclasses import replace

    last = replace(model.stages[-1], aliases=(*model.stages[-1].aliases, "signed"))
    return replace(model, stages=(*model.stages[:-1], last))


def test_unknown_stage_names_the_nearest():
    with pytest.raises(
        CatalogError, match=r"no stage named 'negotiatoin' in model industrial-8\. Nearest: Negotiation"
    ):
        check_gates(evidence(("a", "negotiatoin", "negotiation", True)), funnel("industrial-8"))


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (evidence().drop(columns="gate"), "no column named 'gate'. Nearest: deal_id, stage, met"),
        (evidence(("a", "A", "A", "yes")), r"deal a: met is 'yes'. Write True or False"),
        (evidence(("a", "A", "A", 2)), "deal a: met is 2"),
        (evidence(("a", "A", "A", True), ("a", "B", "A", True)), "deal a stands in several stages at once: A, B"),
        (evidence(("a", "B", "A", True), ("a", "B", "A", False)), "deal a: the same marker is both met and not met: A"),
    ],
)
def test_bad_evidence_is_named(table, message):
    with pytest.raises(DataError, match=message):
        check_gates(table, custom(["A", "B"]))


def test_repeated_and_blank_judgements_do_no_harm():
    table = evidence(("a", "A", "A", True), ("a", "A", "A", True), ("a", "A", "A", None))
    assert check_gates(table, custom(["A", "B"])).table["verdict"].tolist() == ["advance"]
    nullable = table.assign(met=pd.array([True, True, None], dtype="boolean"))
    assert check_gates(nullable, custom(["A", "B"])).table["verdict"].tolist() == ["advance"]
    assert len(check_gates(evidence(), custom(["A", "B"])).table) == 0


def test_input_is_not_changed():
    table = evidence(("a", "A", "A", True))
    before = table.copy()
    check_gates(table, custom(["A", "B"]))
    pd.testing.assert_frame_equal(table, before)


def test_reading_in_both_languages():
    model = funnel("industrial-8")
    found = check_gates(
        evidence(
            ("A", "first-contact", "first-contact", True),
            ("B", "first-contact", "first-contact", False),
            ("C", "negotiation", "first-contact", False),
            ("D", "contract-signed", "contract-signed", True),
            ("E", "negotiation", "negotiation", None),
        ),
        model,
    )
    assert found.sentences() == [
        "On the evidence given, 2 deals may advance, 2 stay and 1 moves back.",
        "A: advances from 'First contact' to 'Solution design'; met: 'visited in person; an inside contact won'.",
        "B: stays in 'First contact'; aim missed: 'visited in person; an inside contact won'.",
        "C: moves back from 'Negotiation' to 'First contact'; "
        "no longer true: 'visited in person; an inside contact won'.",
        "D: has passed the last gate, 'Contract signed'; met: 'signed'.",
        "E: stays in 'Negotiation'; not checked yet: 'negotiated; preliminary result'.",
    ]
    assert found.sentences("zh")[2:4] == [
        "B：原地逗留在“初步接触”，目的“上门拜访，搞定线人”没有达到。",
        "C：由“商务谈判”倒退到“初步接触”，升迁标志“上门拜访，搞定线人”已不成立。",
    ]
    assert [(one.kind, one.subject) for one in found.findings] == [("moves_back", "C")]


@pytest.mark.parametrize(
    ("stage", "met", "verdict", "to"),
    [
        ("find-opportunity", False, "stay", "find-opportunity"),
        ("confirm-intent", False, "stay", "confirm-intent"),
        ("lead-to-approval", False, "move_back", "confirm-intent"),
        ("negotiate", False, "move_back", "win-approval"),
        ("lead-to-approval", None, "stay", "lead-to-approval"),
        ("lead-to-approval", True, "advance", "win-approval"),
    ],
)
def test_from_approval_on_a_missed_aim_moves_back(stage, met, verdict, to):
    """Up to stage 3 little is lost by waiting; not yet checked is not missed."""
    row = check_gates(evidence(("a", stage, stage, met)), MODEL).table.iloc[0]
    assert (row["verdict"], row["to_stage"]) == (verdict, to)
