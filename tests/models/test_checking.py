"""Every kind of wrong model file is refused with file, key, what was found and what is expected, in both languages."""

import pytest

from funnelkit import cli
from funnelkit.language.errors import CatalogError
from funnelkit.models.funnel import funnel

MODEL = """
name = { en = "Mine", zh = "我的模型" }
summary = { en = "Two stages.", zh = "两个阶段。" }
entity = { en = "deal", zh = "商机" }
won_stage = "Second"

[[stages]]
id = "First"
name = { en = "First", zh = "第一" }
rate = 0.5

[[stages]]
id = "Second"
name = { en = "Second", zh = "第二" }
"""


@pytest.fixture
def load(tmp_path):
    """Return a function that writes a model file of one's own and loads it."""

    def write(text):
        path = tmp_path / "mine.toml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return funnel(str(path))

    return write


def test_a_model_of_ones_own(load):
    model = load(MODEL)
    assert (model.id, model.stage_ids, model.won_stage) == ("mine", ("First", "Second"), "Second")
    assert load(b"\xef\xbb\xbf" + MODEL.replace("\n", "\r\n").encode()) == model
    assert load('kind = "influence"\n' + MODEL.replace("0.5", "1.4")).stages[0].rate == 1.4


BOTH = ('a text in both languages, { en = "...", zh = "..." }', '两种语言的文本 { en = "...", zh = "..." }')
RATE = (
    'a fraction from 0 to 1 (more only with kind = "influence")',
    '0 到 1 之间的小数（仅 kind = "influence" 时可大于 1）',
)
NAME = ("a text in quotation marks, not empty, without blanks around it", "带引号的文本，不为空，首尾无空格")
ROWS = ("one or more tables, [[stages]]", "一个或多个表 [[stages]]")
MISSING, UNKNOWN = ("missing", "缺少"), ("unknown key", "未知的键")
OTHER = ("a name that stages[1] does not use", "stages[1] 未使用的名称")
WRONG = {
    "missing text": ('summary = { en = "Two stages.", zh = "两个阶段。" }', "", "summary", MISSING, BOTH),
    "one language": (', zh = "我的模型" }', " }", "name", "{'en': 'Mine'}", BOTH),
    "blank text": ('zh = "我的模型"', 'zh = " "', "name", "{'en': 'Mine', 'zh': ' '}", BOTH),
    "bare text": ('{ en = "deal", zh = "商机" }', '"deal"', "entity", "'deal'", BOTH),
    "unknown key": (
        "won_stage", "wonstage", "wonstage", UNKNOWN,
        ("one of: won_stage, stages, states", "以下之一：won_stage, stages, states"),
    ),
    "unknown stage key": (
        "rate = 0.5", "rates = 0.5", "stages[1].rates", UNKNOWN,
        ("one of: rate, state, aliases", "以下之一：rate, state, aliases"),
    ),
    "percent": ("rate = 0.5", "rate = 50", "stages[1].rate", "50", RATE),
    "growth outside influence": ("rate = 0.5", "rate = 1.01", "stages[1].rate", "1.01", RATE),
    "negative": ("rate = 0.5", "rate = -0.1", "stages[1].rate", "-0.1", RATE),
    "not a number": ("rate = 0.5", "rate = nan", "stages[1].rate", "nan", RATE),
    "number as text": ("rate = 0.5", 'rate = "0.5"', "stages[1].rate", "'0.5'", RATE),
    "truth as rate": ("rate = 0.5", "rate = true", "stages[1].rate", "True", RATE),
    "fractional count": (
        "rate = 0.5", "count = 1.5", "stages[1].count", "1.5", ("a whole number of at least 0", "不小于 0 的整数"),
    ),
    "endless duration": (
        "rate = 0.5", "duration_days = inf", "stages[1].duration_days", "inf",
        ("a number of days from 0 to 36525", "0 到 36525 之间的天数"),
    ),
    "unequal lists": (
        "rate = 0.5", 'tasks = { en = ["a", "b"], zh = ["甲"] }', "stages[1].tasks", "{'en': ['a', 'b'], 'zh': ['甲']}",
        ("lists of the same length in both languages, { en = [...], zh = [...] }",
         "两种语言等长的列表 { en = [...], zh = [...] }"),
    ),
    "kind": (
        'won_stage = "Second"', 'kind = "funnel"', "kind", "'funnel'",
        ('"pipeline", "influence" or "cascade"', '"pipeline"、"influence" 或 "cascade"'),
    ),
    "id with blanks": ('id = "First"', 'id = " First"', "stages[1].id", "' First'", NAME),
    "id is a number": ('id = "First"', "id = 1", "stages[1].id", "1", NAME),
    "single table": (MODEL[MODEL.index("[[stages]]"):], '[stages]\nid = "a"', "stages", "{'id': 'a'}", ROWS),
    "no stages": (MODEL[MODEL.index("[[stages]]"):], "", "stages", MISSING, ROWS),
    "id twice": ('id = "Second"', 'id = "first"', "stages[2]", "'first'", OTHER),
    "name twice": ('zh = "第二"', 'zh = "第一"', "stages[2]", "'第一'", OTHER),
    "alias twice": ('id = "Second"', 'id = "Second"\naliases = ["FIRST"]', "stages[2]", "'FIRST'", OTHER),
    "won stage": ('won_stage = "Second"', 'won_stage = "Third"', "won_stage", "'Third'", ("First, Second",) * 2),
    "state": (
        "rate = 0.5", 'state = "best"', "stages[1].state", "'best'",
        ("no state, for the model lists none", "不写 state，因为模型没有列出状态"),
    ),
    "own choice": (
        'won_stage = "Second"', 'own_choice = ["Third.rate"]', "own_choice", "'Third.rate'",
        ("a stage field, STAGE.FIELD or topics.TOPIC of this model", "本模型的阶段字段、“阶段.字段”或 topics.主题"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", WRONG)
def test_a_wrong_file_is_refused_with_file_key_found_and_expected(load, tmp_path, fault):
    old, new, key, found, expected = WRONG[fault]
    assert MODEL.count(old) == 1
    with pytest.raises(CatalogError) as error:
        load(MODEL.replace(old, new))
    file = tmp_path / "mine.toml"
    in_en, in_zh = (found, found) if isinstance(found, str) else found
    assert str(error.value) == f"{file}: {key}: {in_en}. Expected {expected[0]}."
    assert error.value.say("zh") == f"{file}：{key}：{in_zh}。应为：{expected[1]}。"
    assert error.value.exit_code == 2


def test_a_topic_with_the_same_id_twice_is_refused(load):
    topic = '\n[[topics]]\nid = "t"\ntitle = { en = "T", zh = "题" }\nitems = [{ en = "a", zh = "甲" }]\n'
    with pytest.raises(CatalogError, match=r"topics.id: 't'. Expected ids that stand once each."):
        load(MODEL + topic * 2)


def test_a_file_that_is_not_toml_is_refused_with_its_line(load, tmp_path):
    with pytest.raises(CatalogError) as error:
        load("\nname = \n")
    assert str(error.value) == (
        f"{tmp_path / 'mine.toml'}, line 2, column 8: is not valid TOML (Invalid value). "
        "Compare it with a file of funnelkit/catalog."
    )
    assert f"{tmp_path / 'mine.toml'} 第 2 行第 8 列：不是有效的 TOML" in error.value.say("zh")
    with pytest.raises(CatalogError, match="line 2, column 1: is not valid TOML"):
        load('name = "x"\nid')


def test_a_file_that_is_not_utf8_is_refused_with_its_line(load):
    with pytest.raises(CatalogError, match=r"line 2: is not UTF-8\. Save the file as UTF-8\."):
        load(MODEL.replace("Mine", "我的").encode("gb18030"))


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(CatalogError, match=r"none.toml: no such file. Check the path"):
        funnel(tmp_path / "none.toml")
    (tmp_path / "folder.toml").mkdir()
    with pytest.raises(CatalogError, match=r"folder.toml: cannot be read"):
        funnel(tmp_path / "folder.toml")


def test_a_wrong_user_file_ends_the_command_with_2_and_the_message(capsys, tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(MODEL.replace("rate = 0.5", "rate = 50"), encoding="utf-8")
    assert cli.main(["models", str(path), "--lang", "zh"]) == 2
    message = capsys.readouterr().err
    assert "stages[1].rate：50。应为：0 到 1 之间的小数" in message
