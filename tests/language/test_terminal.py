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


def test_what_data_hold_neither_steers_a_terminal_nor_fills_it():
    import pandas as pd

    from funnelkit.language import DataError, show

    names = ["\u202egpj.exe", "\x1b]0;title\x07\x1b[2J", "a\r\nb\tc", "x" * 5_000, "漏斗"]
    text = show(pd.DataFrame({"owner": names})).text
    assert not set("\u202e\x1b\x07\r\t") & set(text)
    assert len(text.splitlines()) == 6 and max(map(len, text.splitlines())) == 300
    assert "漏斗" in text and "a b c" in text
    assert str(DataError("no_such_file", file="\x1b[2J.csv")) == "\ufffd[2J.csv: no such file. Check the path."
