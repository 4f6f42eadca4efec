"""Sliders over the verbs: a panel moves values, calls one verb, shows what it found and one picture.

A panel has no arithmetic of its own. Its headless twin is the verb itself, called with the panel's values:
`panel.compute(**panel.values)` is what stands on the screen. ipywidgets is imported only when a panel is built.
"""

import math
import time
from base64 import b64encode
from dataclasses import dataclass
from html import escape

from funnelkit.charts import WhatIfPicture
from funnelkit.language import FunnelkitError, Shown, bullets, number, say
from funnelkit.planning import what_if
from funnelkit.result import table_of

WIDE, NARROW = "34em", "13em"
LET_GO_S = 0.002  # for the thread that sends: it would get the interpreter only 5 ms later, amid the next picture
REFUSED = "border-left: 4px solid #b3261e; padding: 0.3em 0.7em; background: #fdf3f2; color: #1f2933"


@dataclass(frozen=True)
class Control:
    """One value to move: its argument name, label, range and start. `scale` 100 shows a fraction as percent."""

    name: str
    label: str
    low: float
    high: float
    start: float
    step: float
    scale: float = 1.0

    def place(self, value):
        """Return the place of the slider for a value, both in shown units: the nearest step from `low`.

        >>> Control("rate", "Rate, %", 0, 1, 4 / 7, 0.01, 100).place(57.142857)
        57.0
        """
        low, high, step = (self.scale * part for part in (self.low, self.high, self.step))
        # The arithmetic of the browser's slider to the last bit: a place that it would round otherwise comes back as if
        # it had been dragged there, and overtakes what was set in the meantime.
        percent = round((value - low) / step) * (step * 100 / (high - low))
        return high if percent >= 100 else percent * (high - low) / 100 + low


class Panel:
    """Sliders and number boxes over `compute(**values)`: `found` is the Result, `table` its table; `view(found)` gives
    what to read.

    `picture.update(found)` returns PNG bytes of one figure that lives as long as the panel. A value that is typed is
    checked as a dragged one is; what cannot be is refused in place, with a message, and nothing moves. `code(values)`
    returns the call that gives the same table without the panel.
    """

    def __init__(self, compute, controls, view, picture, *, code=None):
        self.compute, self.controls, self.view, self.picture = compute, controls, view, picture
        self.code = code
        self._build()
        refused = self._read()
        if refused:
            self._refuse(refused)
        else:
            self._draw()

    @property
    def table(self):
        """Return the table that the panel stands at."""
        return table_of(self.found)

    @property
    def values(self):
        """Return what the panel stands at, as `compute` takes it."""
        exact = {control.name: self._shown[control.name] / control.scale for control in self.controls}
        return {name: _clean(value) for name, value in exact.items()}  # 0.57 and not 0.5699999999999999

    def set(self, **values):
        """Move sliders by argument name, in the units of `compute`."""
        for control in self.controls:
            if control.name in values:
                self._move(control, values[control.name] * control.scale)

    def reset(self, _=None):
        """Put every slider back to its start."""
        self.set(**{control.name: control.start for control in self.controls})

    def _build(self):
        import ipywidgets as w

        # The exact values, in shown units. A browser puts its slider on the nearest step and reports that place back.
        self._shown = {control.name: control.start * control.scale for control in self.controls}
        self.sliders, self.boxes, rows = {}, {}, []
        for control in self.controls:
            slider, box = _control_widgets(control)
            slider.observe(lambda change, control=control: self._dragged(control), "value")
            box.observe(lambda change, control=control: self._typed(control, change["new"]), "value")
            self.sliders[control.name], self.boxes[control.name] = slider, box
            rows.append(w.HBox([slider, box], layout={"flex_flow": "row wrap"}))
        self.reset_button = self._button("reset", "undo", self.reset)
        self.code_button = self._button("code", "code", self.show_code)
        self.export_button = self._button("export", "download", self.show_files)
        shown = [self.reset_button, *([self.code_button] if self.code else []), self.export_button]
        buttons = w.HBox(shown, layout={"flex_flow": "row wrap"})
        self.message, self.reading, self.extra = w.HTML(), w.HTML(), w.HTML()
        self.reading.add_class("jp-RenderedHTMLCommon")  # tables as JupyterLab shows those of other cells
        # An Image with a tooltip shows no picture: ipywidgets 8.1 looks for a description that it lacks.
        self.image = w.Image(format="png", layout={"max_width": "100%", "height": "auto"})
        self.root = w.VBox([*rows, buttons, self.extra, self.message, self.reading, self.image])

    def _button(self, name, icon, action):
        import ipywidgets as w

        button = w.Button(description=say(f"explore.widgets.{name}"), icon=icon, layout={"width": "auto"})
        button.tooltip = say(f"explore.widgets.{name}_tip")
        button.on_click(action)
        return button

    def show_code(self, _=None):
        """Show the call that reproduces the panel's state, with a button that copies it."""
        copy = escape(say("explore.widgets.copy"))
        act = "navigator.clipboard.writeText(this.previousElementSibling.textContent)"
        code = escape(self.code(self.values))
        self.extra.value = f'<pre tabindex="0">{code}</pre><button onclick="{act}">{copy}</button>'

    def show_files(self, _=None):
        """Show links that save the present table as CSV and the picture as PNG; both are within the page."""
        files = {"csv": ("text/csv", csv_bytes(self.table)), "png": ("image/png", self.image.value)}
        links = [
            f'<a download="funnelkit.{end}" href="data:{kind};base64,{b64encode(data).decode()}">'
            f"{escape(say('explore.widgets.save', end=end.upper()))}</a>"
            for end, (kind, data) in files.items()
        ]
        self.extra.value = " · ".join(links)

    def _dragged(self, control):
        value = self.sliders[control.name].value
        if abs(value - control.place(self._shown[control.name])) > control.step * control.scale / 2:
            self._move(control, _clean(value))

    def _typed(self, control, text):
        """Move the slider to a typed value, or say in place why it cannot be."""
        if text == _box_text(self._shown[control.name]):
            self.message.value = ""
            return
        value = _parse(text)
        low, high = control.low * control.scale, control.high * control.scale
        if value is None or not low <= value <= high:
            self._refuse(say("explore.widgets.refused", text=text, low=number(low), high=number(high)))
        else:
            self._move(control, value)

    def _move(self, control, value):
        changed = value != self._shown[control.name]
        self._shown[control.name], self.message.value = value, ""
        refused = self._read() if changed else None  # first, for every message before the numbers delays them
        self.sliders[control.name].value = control.place(value)
        self.boxes[control.name].value = _box_text(value)
        if refused:
            self._refuse(refused)
        elif changed:
            self._draw()

    def _refuse(self, message):
        self.message.value = f'<p class="fk fk-warn" role="alert" style="{REFUSED}">{escape(message)}</p>'

    def _read(self):
        """Show the table of the present values; an error of the function is returned as text, the last table stays."""
        try:
            self.found = self.compute(**self.values)
        except FunnelkitError as error:
            return error.say()
        self.extra.value = ""
        self.reading.value = self.view(self.found).html
        return None

    def _draw(self):
        time.sleep(LET_GO_S)
        self.image.value = self.picture.update(self.found)

    def _repr_mimebundle_(self, include=None, exclude=None):
        """Show the live panel where a kernel runs, and the table it stands at everywhere else."""
        live = self.root._repr_mimebundle_()
        live = live[0] if isinstance(live, tuple) else live or {}
        shown = self.view(self.found)
        return {**live, "text/html": shown.html, "text/plain": shown.text}


def csv_bytes(table):
    """Return a table as CSV that a spreadsheet opens in UTF-8 and takes no text of for a formula."""
    table = table.copy()
    for name in table.columns:
        if table[name].map(lambda value: isinstance(value, str)).any():
            table[name] = [f"'{value}" if str(value)[:1] in "=+-@\t\r" else value for value in table[name]]
    return table.to_csv(index=False, lineterminator="\r\n").encode("utf-8-sig")


def _control_widgets(control):
    import ipywidgets as w

    start = control.start * control.scale
    slider = w.FloatSlider(
        value=control.place(start), min=control.low * control.scale, max=control.high * control.scale,
        step=control.step * control.scale, description=control.label, readout=False, tooltip=control.label,
        style={"description_width": "initial"}, layout={"width": WIDE, "max_width": "100%"},
    )  # fmt: skip
    typed = say("explore.widgets.typed", label=control.label)
    box = w.Text(
        value=_box_text(start), description=say("explore.widgets.value"), tooltip=typed, placeholder=typed,
        continuous_update=False, style={"description_width": "initial"}, layout={"width": NARROW, "min_width": NARROW},
    )  # fmt: skip
    return slider, box


def _clean(value):
    """Return a number without the noise of binary arithmetic: 20,200 and not 20,200.000000000004."""
    return float(f"{value:.12g}")


def _box_text(value):
    """Return a value as the number box shows it, never as a power of ten; the panel keeps all its digits."""
    return f"{value:.4g}" if abs(value) < 1000 else f"{value:.2f}".removesuffix(".00")


def _parse(text):
    """Return a typed number, or None: blanks, a percent sign and full-width signs are understood."""
    try:
        value = float(str(text).replace("％", "%").replace("。", ".").strip().removesuffix("%"))
    except ValueError:
        return None
    return value if math.isfinite(value) else None


# --- what-if ---------------------------------------------------------------------------------------------------------


def what_if_panel(rates, stage, volume, deal_value, model):
    """Return a Panel over `what_if` with one slider: the promotion rate of `stage`.

    Its headless twin is `what_if(rates, {stage: rate}, volume, deal_value, model)`.
    """
    known = what_if(rates, None, volume, deal_value, model).table
    start = float(known.loc[known["stage"].astype(str) == model.stage(stage).id, "rate_base"].iloc[0])
    label = say("explore.widgets.rate", stage=str(model.stage(stage).name))
    control = Control("rate", label, 0, 1, start, 0.005, scale=100)

    def compute(rate):
        return what_if(rates, {stage: rate}, volume, deal_value, model)

    def code(values):
        return f"what_if(rates, {{{stage!r}: {values['rate']!r}}}, {volume!r}, {float(deal_value)!r}, model)"

    picture = WhatIfPicture(model)
    return Panel(compute, [control], view_result, picture, code=code)


def view_result(found):
    """Return what a Result says and its table, ready to display."""
    return joined_below(bullets(found.sentences()), found.show())


def joined_below(*parts):
    """Return several things to display as one, below each other."""
    return Shown("".join(part.html for part in parts), "\n".join(part.text for part in parts))
