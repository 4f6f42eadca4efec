"""The whole catalogue is walked in both languages and the figures of the domain are asserted; so is the glossary."""

import csv
import dataclasses
import itertools
import math
import re
from pathlib import Path

import pytest

from funnelkit.language import Text, fold
from funnelkit.language.errors import CatalogError
from funnelkit.language.texts import speaking, texts
from funnelkit.models import CATALOG, case, catalog, common, funnel, model_names

ROOT = Path(__file__).parents[2]
CJK = re.compile(r"[\u4e00-\u9fff]")
# Names that Chinese writes in Latin letters.
LATIN = {"SPACE"}
WON = {
    "purchase-5": "customer-care", "selling-5": "contract", "simple-5": "purchase", "purchase-aidma": None,
    "influence": None, "customer-5": "customer", "awareness-4": "action", "principle-6": "converted",
    "closing-5": "sign", "manager-6": "close", "industrial-8": "contract-signed", "project-7": "close",
    "key-account-5": "service-follow-up", "execution-4": "closed", "pharma": None,
}  # fmt: skip
STAGES = {
    "purchase-5": "潜在客户 购买兴趣 购买意愿 购买决策 客户维护",
    "selling-5": "初步接触 需求分析 价值说明 商业谈判 签订合同",
    "simple-5": "寻找目标客户 引起客户兴趣 电话或当面咨询 询价并比较决策 最终购买产品",
    "purchase-aidma": "漏斗顶部（TOFU） 漏斗中部（MOFU） 漏斗底部（BOFU）",
    "influence": "延续 青睐 分享·介绍 传播",
    "customer-5": "潜在客户 崇拜者 潜在买家 客户 忠实客户",
    "awareness-4": "了解 兴趣 决策 行动",
    "principle-6": "明确目标客户群体 引起关注 获取兴趣 培养意愿 转化为目标客户 维系客户关系",
    "closing-5": "潜在客户获取 潜在客户筛选 产品或服务演示 商务谈判 成交与签约",
    "manager-6": "潜在客户发现 建立联系 了解客户需求 提供解决方案 商务谈判 成交",
    "industrial-8": "项目立项 初步接触 方案设计 业绩展示 方案确认 项目评估 商务谈判 签约成交",
    "project-7": "定位目标客户群 发掘潜在商机 确认客户意向 引导客户立项 赢得客户认可 进行商务谈判 完成销售成交",
    "key-account-5": "潜在客户开发 需求了解与分析 产品演示与方案制定 商务谈判与签约 售后服务与持续跟进",
    "execution-4": "潜在客户 有意向客户 成交客户 维护客户",
}


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


def test_all_models_of_the_domain_load_in_order():
    assert [model.id for model in catalog()] == list(model_names()) == list(WON)
    assert sorted(path.stem for path in CATALOG.glob("*.toml")) == sorted(WON)


def test_won_stages_are_those_whose_entry_is_the_win():
    assert {model.id: model.won_stage for model in catalog()} == WON


@pytest.mark.parametrize("name", STAGES)
def test_stages_carry_the_terms_of_the_domain(name):
    assert " ".join(stage.name.zh for stage in funnel(name).stages) == STAGES[name]


@pytest.mark.parametrize("source", [*catalog(), case("telecom"), *common()], ids=lambda source: source.id)
def test_every_text_stands_in_both_languages(source):
    found = list(walk(source))
    assert found
    for path, text in found:
        assert text.en.strip() and text.zh.strip(), path
        assert not CJK.search(text.en), f"{path}: Chinese in the English text {text.en!r}"
        assert CJK.search(text.zh) or text.zh in LATIN, f"{path}: no Chinese in {text.zh!r}"
        assert not re.search(r"[\u4e00-\u9fff]\s*[,;:?!]|[\u4e00-\u9fff]\.", text.zh), (
            f"{path}: ASCII stop in {text.zh!r}"
        )


def test_the_walk_sees_a_missing_text():
    stage = dataclasses.replace(funnel("simple-5").stages[0], name=Text("Find", ""))
    model = dataclasses.replace(funnel("simple-5"), stages=(stage,))
    assert any(not text.zh for _, text in walk(model))


def test_ids_are_kebab_case_and_names_are_unique_across_models():
    ids = [part.id for model in catalog() for part in (model, *model.stages, *model.states, *model.topics)]
    ids += [item.id for model in catalog() for topic in model.topics for item in topic.items if item.id]
    assert [name for name in ids if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name)] == []
    known = [fold(name) for model in catalog() for name in (model.id, *model.aliases)]
    assert len(known) == len(set(known))


def test_simple_5_holds_the_worked_numbers():
    stages = funnel("simple-5").stages
    counts = [stage.count for stage in stages]
    assert counts == [100, 70, 40, 20, 10]
    assert [stage.rate for stage in stages[:-1]] == pytest.approx([b / a for a, b in itertools.pairwise(counts)])
    assert math.prod(stage.rate for stage in stages[:-1]) == pytest.approx(0.10)
    assert len(funnel("simple-5").topic("seller-actions").items) == 7


def test_selling_5_gives_win_probabilities_on_leaving():
    model = funnel("selling-5")
    assert [stage.win_probability for stage in model.stages] == [0.20, 0.25, 0.50, 0.80, 1.0]
    assert [model.win_chance(stage) for stage in model.stage_ids] == [0, 0.20, 0.25, 0.50, 0.80]
    assert [stage for stage in model.stage_ids if model.chose(stage, "win_probability")] == [
        "value-proposition",
        "contract",
    ]
    assert model.stage("negotiation").marker.zh == "达成一致"
    assert model.stage("value-proposition").marker.zh == "可以洽谈交易"


def test_win_chance_is_the_stages_own_where_it_holds_in_the_stage():
    model = funnel("industrial-8")
    assert [model.win_chance(stage.id) for stage in model.stages] == [stage.win_probability for stage in model.stages]


def test_pharma_keeps_ninety_percent_at_seven_levels():
    model = funnel("pharma")
    levels = [stage for stage in model.stages if stage.level]
    assert [stage.input for stage in model.stages[:3]] == ["count", "share", "share"]
    assert [stage.level for stage in levels] == [7, 6, 5, 4, 3, 2, 1]
    assert [stage.name.zh for stage in levels] == [
        "疾病认知", "就诊率 / 购药率", "诊断率", "治疗方案", "产品价值", "差异化优势", "顺应性",
    ]  # fmt: skip
    assert all(stage.rate == 0.9 and stage.push for stage in levels)
    assert math.prod(stage.rate for stage in levels) == pytest.approx(0.4782969)
    assert "47.83" in model.topic("lesson").item("product").text.en
    assert [item.name.zh for item in model.topic("columns").items] == ["要点", "比例", "数量", "剩余", "价格", "销售额"]


def test_pharma_carries_the_positioning_tools():
    model = funnel("pharma")
    shares = [item.share for item in model.topic("adopters").items]
    assert shares == [0.025, 0.135, 0.34, 0.34, 0.16] and sum(shares) == pytest.approx(1)
    assert "".join(item.name.en[0] for item in model.topic("space").items) == "SPACE"
    assert [item.id for item in model.topic("statement-card").items] == ["usp", "smp", "cpp", "pc", "csm"]
    phases = ["导入期", "成长期", "成熟期", "衰退期"]
    for topic in ("life-cycle-goals", "life-cycle-experts", "life-cycle-literature"):
        assert [item.name.zh for item in model.topic(topic).items] == phases
    assert len(model.topic("planning-questions").items) == len(model.topic("positioning").items) == 4


def test_industrial_8_maps_buyer_milestones_and_states():
    stages = funnel("industrial-8").stages
    assert [stage.buyer.zh for stage in stages] == [
        "发现问题，提出需求", "分析研讨，确定预算", "项目立项，组建小组", "建立标准，稳定目标",
        "确定招标，初步筛选", "认准首选，筛供应商", "合作谈判", "签约",
    ]  # fmt: skip
    assert [stage.marker.zh for stage in stages] == [
        "分析项目，立项通过", "上门拜访，搞定线人", "完成方案，获得信息", "实力展示，技术倾向",
        "方案确认，技术通关", "需求挖掘，高层倾向", "合作谈判，初步结果", "签约成交",
    ]  # fmt: skip
    assert [stage.state for stage in stages] == ["search"] * 2 + ["in-funnel"] * 3 + ["best"] * 3
    states = funnel("industrial-8").states
    assert [state.name.zh for state in states] == ["客户搜索", "进入漏斗", "最佳状态"]
    assert [len(state.indicators) for state in states] == [2, 3, 3]


def test_industrial_8_has_all_five_elements():
    for stage in funnel("industrial-8").stages:
        assert stage.marker and stage.tasks and stage.rate is not None and stage.duration_days is not None


def test_project_7_holds_the_gate_rule_and_says_what_is_inferred():
    model = funnel("project-7")
    rule = model.topic("gate-rule")
    assert rule.item("stay").name.zh == "原地逗留" and rule.item("back").name.zh == "倒退"
    assert "never advances" in rule.item("never").text.en
    inferred = [stage for stage in model.stage_ids if model.chose(stage, "role")]
    assert inferred == ["locate-targets", "confirm-intent", "negotiate", "close"]
    assert [stage.missed for stage in model.stages] == ["stay"] * 3 + ["back"] * 4
    assert not model.chose("locate-targets", "missed"), "the source says it of the first stage"
    assert all(stage.role for stage in model.stages)
    assert [item.id for item in model.topic("fab").items] == ["features", "advantages", "benefits"]


def test_only_influence_may_grow():
    assert [model.id for model in catalog() if model.grows] == ["influence"]
    assert funnel("influence").topic("word-of-mouth").item("b2c").share == 0.759


def test_no_rate_or_duration_is_invented_where_the_source_is_silent():
    given = {"simple-5", "industrial-8", "pharma"}
    for model in catalog():
        if model.id not in given:
            assert [stage.rate for stage in model.stages] == [None] * len(model.stages), model.id
        if model.id != "industrial-8":
            assert [stage.duration_days for stage in model.stages] == [None] * len(model.stages), model.id


def test_topics_hold_as_many_items_as_the_domain():
    sizes = {
        ("purchase-5", "benefits"): 4, ("purchase-5", "challenges"): 4, ("influence", "planning-questions"): 2,
        ("customer-5", "key-account-criteria"): 3, ("awareness-4", "design-tactics"): 6, ("closing-5", "follow-up"): 4,
        ("key-account-5", "ranking-classes"): 3, ("execution-4", "work-flow"): 6, ("execution-4", "governance"): 5,
        ("project-7", "decision-chain"): 5, ("pharma", "more-prescriptions"): 3,
    }  # fmt: skip
    assert {key: len(funnel(key[0]).topic(key[1]).items) for key in sizes} == sizes
    assert all(item.remedy for item in funnel("purchase-5").topic("challenges").items)


@pytest.mark.parametrize("name", model_names())
def test_a_stage_is_found_by_id_both_names_and_aliases(name):
    model = funnel(name)
    for stage in model.stages:
        for text in (stage.id, stage.name.en, stage.name.zh, *stage.aliases, f" {stage.name.en.upper()} "):
            assert model.stage(text) is stage


def test_the_other_names_of_awareness_4():
    model = funnel("contact-interest-decision-purchase")
    assert model.id == "awareness-4" and model.won_stage == model.stage("购买").id == "action"
    assert {model.stage(name).id for name in ("awareness", "意识", "接触", "Contact")} == {"know"}
    with pytest.raises(CatalogError, match=r"no stage named 'actoin' in model awareness-4\. Nearest: Action"):
        model.stage("actoin")


def test_an_unknown_model_is_answered_with_the_nearest():
    with pytest.raises(CatalogError) as error:
        funnel("industrial8")
    assert str(error.value).startswith("no model named 'industrial8'. Nearest: industrial-8.")
    assert error.value.say("zh").startswith("没有名为“industrial8”的模型。相近的有：industrial-8。")


def glossary():
    with (ROOT / "data" / "glossary.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_glossary_is_whole():
    rows = glossary()
    assert list(rows[0]) == ["term", "en", "zh", "meaning_en", "meaning_zh"]
    assert len({row["term"] for row in rows}) == len(rows)
    for row in rows:
        assert None not in row and all(value and value == value.strip() for value in row.values()), row
        assert CJK.search(row["zh"]) and CJK.search(row["meaning_zh"]), row
        assert not CJK.search(row["en"] + row["meaning_en"]), row


def test_the_glossary_holds_the_domains_vocabulary():
    pairs = {row["en"]: row["zh"] for row in glossary()}
    domain = {
        "Funnel": "销售漏斗", "Pipeline": "销售管线", "Stage": "阶段", "Promotion marker": "阶段升迁标志",
        "Promotion rate": "阶段升迁率", "Time in stage": "阶段耗时", "Promotion cycle": "升迁周期",
        "Stage tasks": "阶段任务", "Loss": "流失", "Win probability": "赢单概率", "MoM": "环比", "YoY": "同比",
        "Bottleneck": "瓶颈", "Volume": "销售预计", "Flow": "销售进展", "Closing rate": "成交率",
    }  # fmt: skip
    assert {en: pairs.get(en) for en in domain} == domain


@pytest.mark.parametrize("group", ["labels", "models.catalogue"])
def test_labels_are_those_of_the_glossary(group):
    shared = [row for row in glossary() if row["term"] in texts(group)]
    assert len(shared) >= 5
    for row in shared:
        assert texts(group)[row["term"]] == {"en": row["en"], "zh": row["zh"]}, row["term"]


def test_topics_show_themselves_in_the_language_in_force():
    with speaking("zh"):
        assert "成交客户" in funnel("selling-5").topic("labels")._repr_mimebundle_()["text/html"]
        assert "对策：" in repr(funnel("purchase-5").topic("challenges"))
    with pytest.raises(CatalogError, match="no topic named 'benefit'"):
        funnel("purchase-5").topic("benefit")
