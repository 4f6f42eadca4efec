"""Every visible text exists in both languages, says the same, and is used."""

import re
import string
from pathlib import Path

import pytest

from funnelkit.language.errors import CatalogError, DataError, ReportError
from funnelkit.language.texts import Text, joined, say, speaking, texts

ROOT = Path(__file__).parents[2] / "funnelkit"
FILES = {path.stem: texts(path.stem) for path in sorted((ROOT / "language" / "texts").glob("*.toml"))}
GROUPS = {
    f"{name}.{part}" if part else name: entries
    for name, found in FILES.items()
    for part, entries in ({"": found} if "en" in next(iter(found.values())) else found).items()
}
ENTRIES = [(group, key, entry) for group, entries in GROUPS.items() for key, entry in entries.items()]


def placeholders(text):
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


@pytest.mark.parametrize(("group", "key", "entry"), ENTRIES, ids=[f"{group}.{key}" for group, key, _ in ENTRIES])
def test_both_languages_hold_the_same_places(group, key, entry):
    assert set(entry) == {"en", "zh"}
    assert entry["en"].strip() and entry["zh"].strip()
    assert placeholders(entry["en"]) == placeholders(entry["zh"])
    assert not re.search(r"[\u4e00-\u9fff]", entry["en"]), "Chinese in the English text"


COUNTED = "deals|rows|days|periods|months|accounts|wins|files|lines|cells|stages|reports"


@pytest.mark.parametrize(("group", "key", "entry"), ENTRIES, ids=[f"{group}.{key}" for group, key, _ in ENTRIES])
def test_english_counts_one_as_one(group, key, entry):
    """After a number that may be 1 the noun has a form for it; `of {n} deals` needs none."""
    found = re.findall(rf"(?<!of )(?<!of the )\{{n\}} (?:{COUNTED})\b", entry["en"])
    assert group.startswith("explore") or not found


@pytest.mark.parametrize(
    ("names", "english", "chinese"),
    [
        ([], "", ""),
        (["North"], "North", "North"),
        (["A", "B"], "A and B", "A 和 B"),
        (
            [Text("Offer", "报价"), Text("Order", "下单"), Text("Visit", "访问")],
            "Offer, Order and Visit",
            "报价、下单和访问",
        ),
        (["demo and proof", "offer"], "demo and proof, and offer", "demo and proof 和 offer"),
        ([Text("a", "展示和业绩"), Text("b", "报价")], "a and b", "展示和业绩、报价"),
        (Text("Offer", "报价"), "Offer", "报价"),
        ([1, 2, 3], "1, 2 and 3", "1、2 和 3"),
        (
            [Text("need 33%", "需求 33%"), Text("intent 67%", "意向 67%")],
            "need 33% and intent 67%",
            "需求 33% 和意向 67%",
        ),
    ],
)
def test_a_list_in_a_sentence_ends_in_and(names, english, chinese):
    for lang, words in (("en", english), ("zh", chinese)):
        with speaking(lang):
            assert joined(names) == words


@pytest.mark.parametrize(("n", "words"), [(1, "1 deal is"), ("1", "1 deal is"), (2, "2 deals are"), (0, "0 deals are")])
def test_the_form_follows_the_number(n, words):
    assert say("reading.findings.closed_without_outcome", "en", file="a", column="b", n=n).startswith(
        f"a, column b: {words}"
    )


def test_error_speaks_both_languages_and_survives_pickling():
    import pickle

    error = DataError("no_such_file", file="a.csv")
    assert str(error) == "a.csv: no such file. Check the path."
    assert error.say("zh") == "a.csv：文件不存在。请检查路径。"
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
    report = pickle.loads(pickle.dumps(ReportError("report_busy", 16, out="o")))
    assert (report.exit_code, report.key) == (16, "report_busy")


def test_errors_are_said_with_all_their_values():
    """Each raise in the package names a key that exists and gives every value that its text needs."""
    import ast

    kinds = {"DataError", "CatalogError", "RuleError", "ReportError"}
    seen = 0
    for path in ROOT.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not (isinstance(node, ast.Call) and getattr(node.func, "id", "") in kinds and node.args):
                continue
            key = node.args[0]
            if not isinstance(key, ast.Constant):
                continue
            entry = texts("errors").get(key.value)
            assert entry, f"{path.name}:{node.lineno}: no text errors.{key.value}"
            given = {keyword.arg for keyword in node.keywords}
            if None not in given:
                needed = {name.split("!")[0].split(":")[0].split(".")[0] for name in placeholders(entry["en"])}
                assert needed <= given, f"{path.name}:{node.lineno}: {key.value} lacks {needed - given}"
            seen += 1
    assert seen > 20


def test_catalog_error_exit_code():
    assert CatalogError("no_such_model", name="x", nearest="y").exit_code == 2


def test_no_text_is_unused():
    """Each key stands in the code as it is, or begins or ends like a key that the code puts together."""
    source = "\n".join(path.read_text(encoding="utf-8") for path in sorted(ROOT.rglob("*.py")))
    begun = tuple(part for part in re.findall(r"""f["']([a-z_]+\.[a-z_.]*)\{""", source))
    ended = re.findall(r"""\{\w+\}(_[a-z_]+)["']""", source)

    def used(key):
        return key in source or key.startswith(begun) or any(key.removesuffix(end) in source for end in ended)

    # Reasons of the system are looked up by what the system says, labels by the names of columns.
    # The explorables' modules ask for theirs by the last part: tests/explore/test_explorables.py holds those.
    own = ("language.system", "labels", "errors", *(group for group in GROUPS if group.startswith("explore.")))
    keys = [f"{group}.{key}" for group, key, _ in ENTRIES if group not in own]
    assert [key for key in keys if not used(key)] == []
