"""Cases hold the figures that their source prints, and the topics of every model are all there."""

import pytest

from funnelkit.language.errors import CatalogError
from funnelkit.models.cases import case, common


def test_common_topics():
    sizes = {topic.id: len(topic.items) for topic in common()}
    assert sizes == {
        "purpose": 6, "data": 4, "building": 7, "conditions": 2, "comparison": 5, "indicators": 4, "follow-up": 4,
        "principles": 4, "controls": 3, "negotiation-coaching": 4,
    }  # fmt: skip


def test_telecom_case_holds_the_printed_figures():
    table = case("telecom").table()
    assert list(table.columns) == ["year", "product_line", "disconnections"] and len(table) == 12
    wide = table.pivot(index="year", columns="product_line", values="disconnections")
    assert wide.values.tolist() == [[1030, 1290, 948, 1829], [3610, 3386, 1862, 844], [2997, 3368, 1675, 64]]
    assert list(wide.index) == [2004, 2005, 2006]
    assert [line.name.zh for line in case("telecom").lines] == ["住宅", "企业", "公话", "校园"]
    with pytest.raises(CatalogError, match=r"no case named 'bank'\. Known: telecom\."):
        case("bank")
