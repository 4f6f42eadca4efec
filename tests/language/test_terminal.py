"""Text of a terminal: nothing breaks inside a word, Chinese signs take two columns."""

from funnelkit.language.terminal import width, wrap_text


def test_wrapping_measures_cells_and_keeps_punctuation():
    lines = wrap_text("把客户的采购流程，一一对应到我方的销售流程（八步）。", 10)
    assert "".join(lines) == "把客户的采购流程，一一对应到我方的销售流程（八步）。"
    assert max(map(width, lines)) <= 10
    assert not any(line[0] in "，。）" or line[-1] == "（" for line in lines)
    assert wrap_text("one two three", 7) == ["one two", "three"]
    assert wrap_text("incomprehensible", 6) == ["incomp", "rehens", "ible"]
    assert wrap_text("", 6) == [""]
    assert width("e\u0301") == 1
