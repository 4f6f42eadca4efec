// What every explorable shares: the card with its controls, the layer that draws, words and numbers, what goes out.
// A module of its own for tests and editors; Python joins it with the explorable's, for a widget may import nothing.

export const INK = "#1f2933", SOFT = "#52606d", LINE = "#d9e0e7", NOW = "#2f6690", FLOW = "#cfdfeb", GAIN = "#6fb7e6";
export const UP = "#1d5f8f", DOWN = "#a8480f", LOST = "#d97a35", STAR = "#b7791f", PANEL = "#f4f6f8";
const FONTS = 'system-ui, "Segoe UI", "Noto Sans SC", "Source Han Sans SC", "PingFang SC", "Microsoft YaHei", ' +
  '"WenQuanYi Micro Hei", sans-serif';
const SVG = "http://www.w3.org/2000/svg";
const GLIDE_MS = 260, REST_MS = 120, SEND_MS = 500, SPEAK_MS = 500, TICKS = 200, NARROW = 920;
const OTHER = { en: "中文", zh: "English" }; // a language bears its own name
const GONE = ["restarting", "autorestarting", "terminating", "dead"]; // of a kernel that knows its cards no more
const LOST_KERNEL = "jupyter-widgets-disconnected"; // the class that ipywidgets gives
const UNITS = { k: 3, K: 3, M: 6, 万: 4, 萬: 4, 亿: 8, 億: 8 };

export const clamp = (value, low, high) => Math.min(high, Math.max(low, value));
export const clean = (value) => Number(value.toPrecision(12)); // 0.57 and not 0.5700000000000001

// --- numbers and words ------------------------------------------------------------------------------------------------

// Halves of the shortest decimal go away from zero, as in Python's `number`; what rounds to zero bears no sign.
const formats = new Map();
function format(lang, options) {
  const key = lang + JSON.stringify(options);
  if (!formats.has(key)) formats.set(key, new Intl.NumberFormat(lang === "zh" ? "zh-CN" : "en", options));
  return formats.get(key);
}

export const MOST_NAMED = 3; // names that a sentence lists in full

export function words(texts, lang, currency) {
  const known = (value) => Number.isFinite(value);
  const minus = (text) => (lang === "zh" ? text.replace("-", "−") : text); // as Python's `number`
  const shown = (value, digits, more) => known(value)
    ? minus(format(lang, { minimumFractionDigits: digits, maximumFractionDigits: digits, signDisplay: "negative", ...more })
      .format(value)) : "–";
  return {
    lang,
    t: (key, values = {}) => (texts[lang][key] ?? key).replace(/\{(\w+)\}/g, (all, name) => values[name] ?? all),
    name: (text) => (text && typeof text === "object" ? text[lang] : String(text ?? "")),
    list: (names) => names.join(texts[lang].between).replaceAll("”、“", "”“"), // as Python's `joined`
    named(names) { // who shares a place, as Python's `named` says it
      if (names.length === 1 && lang === "en") return names[0];
      const shown = names.slice(0, names.length > MOST_NAMED ? 2 : MOST_NAMED), n = names.length - shown.length;
      const quotes = shown.map((name) => (lang === "zh" ? `“${name}”` : `'${name}'`));
      if (n) return this.t("and_others", { names: this.list(quotes), n });
      return quotes.length > 1 ? this.list(quotes.slice(0, -1)) + this.t("and") + quotes.at(-1) : quotes[0];
    },
    number: (value, digits = 0) => shown(value, digits),
    counter: (values) => { // one way of writing for counts that stand together
      const whole = values.every((value) => Number.isInteger(value) || !known(value));
      return (value) => shown(value, whole || Math.abs(value) >= 1000 ? 0 : 1);
    },
    percent: (value, digits = 1) => shown(value, digits, { style: "percent" }),
    signed: (value, digits = 1) => shown(value, digits, { signDisplay: "exceptZero" }),
    change: (value, digits = 1) => shown(value, digits, { style: "percent", signDisplay: "exceptZero" }),
    points: (value, digits = 1) => shown(value * 100, digits, { signDisplay: "exceptZero" }),
    money: (value, more = {}) => {
      if (!known(value)) return "–";
      const unit = currency ? { style: "currency", currency } : {};
      const size = Math.abs(value) < 1000 ? { maximumFractionDigits: 0 }
        : { notation: "compact", maximumSignificantDigits: 3 };
      return minus(format(lang, { ...unit, ...size, signDisplay: "negative", ...more }).format(value));
    },
  };
}

// A typed number in the units of the state, or null: "65", "65 %", "６５％", "1,200", "65。5", "3万"; never "1e3".
export function parse(text, control) {
  const found = String(text).normalize("NFKC").replace(/\s/g, "").replace(/。/g, ".").replace(/[−–]/g, "-")
    .match(/^[¥$€£]?([+-]?)(\d+|\d{1,3}(?:,\d{3})+|(?=\.\d))(\.\d*)?(%?)([kKM万萬亿億]?)$/);
  if (!found) return null;
  const [, sign, whole, part = "", percent, unit] = found;
  const rate = control.kind === "percent";
  if ((percent && (!rate || unit)) || (rate && unit)) return null;
  const value = Number(`${sign}${whole.replace(/,/g, "") || 0}${part}e${rate ? -2 : UNITS[unit] ?? 0}`);
  const low = control.least ?? control.min, high = control.most ?? control.max;
  return Number.isFinite(value) && value >= low && value <= high && !(control.whole && value % 1) ? value : null;
}

// --- a figure beside its baseline -------------------------------------------------------------------------------------

export const tone = (more) => (Math.abs(more) < 1e-9 ? "" : more > 0 ? "up" : "down");

export function compared(view, label, [now, base], show, difference) {
  const turned = tone((now - base) / (base || 1));
  const note = { "": view.t("as_before"), up: "▲ ", down: "▼ " }[turned];
  const was = turned && view.t("was", { change: difference(now, base), base: show(base) });
  return { label: view.t(label), value: show(now), note: note + was, tone: turned };
}

// --- the place on a slider --------------------------------------------------------------------------------------------

const ticks = (control) => (control.log ? TICKS : Math.round((control.max - control.min) / control.step));
const atTick = (control, tick) => {
  if (!control.log) return clean(control.min + tick * control.step);
  const value = Number((control.min * (control.max / control.min) ** (tick / TICKS)).toPrecision(3));
  return control.whole ? Math.round(value) : value;
};
const share = (control, value) => clamp(control.log
  ? Math.log(Math.max(value, control.min) / control.min) / Math.log(control.max / control.min)
  : (value - control.min) / (control.max - control.min), 0, 1);

// Whole numbers on a logarithmic slider lie further apart than its ticks: a tick is at least one of them.
const stepped = (control, tick, from) => {
  const value = atTick(control, tick), was = Math.round(share(control, from) * ticks(control));
  return control.whole && value === from && tick !== was ? from + Math.sign(tick - was) : value;
};

// --- chance -----------------------------------------------------------------------------------------------------------

// mulberry32: its state is a counter, so that numpy draws the same numbers at once (draws.py). For teaching only.
export function uniform(counter) {
  const state = Math.imul(counter, 0x6d2b79f5) >>> 0;
  let mixed = Math.imul(state ^ (state >>> 15), state | 1);
  mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
  return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
}

// How many of `n` draws from `counter` on fall below `rate`.
export function successes(counter, n, rate) {
  let k = 0;
  for (let at = 0; at < n; at += 1) if (uniform(counter + at) < rate) k += 1;
  return k;
}

// The operations of `fk.wilson` in its order; `z2` is the squared quantile.
export function wilson(k, n, z2) {
  const p = k / n, centre = (p + z2 / (2 * n)) / (1 + z2 / n);
  const half = Math.sqrt(z2) * Math.sqrt(p * (1 - p) / n + z2 / (4 * (n * n))) / (1 + z2 / n);
  return [k === 0 ? 0 : centre - half, k === n ? 1 : centre + half];
}

// The operations of `fk.newcombe` in its order: change, low, high.
export function newcombe(k, n, k0, n0, z2) {
  const [low, high] = wilson(k, n, z2), [low0, high0] = wilson(k0, n0, z2), p = k / n, p0 = k0 / n0, change = p - p0;
  return [change, change - Math.hypot(p - low, high0 - p0), change + Math.hypot(high - p, p0 - low0)];
}

// --- nodes ------------------------------------------------------------------------------------------------------------

export function node(tag, attributes = {}, ...inside) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) if (value != null) made.setAttribute(name, value);
  made.append(...inside);
  return made;
}
const write = (at, text) => { if (at.textContent !== text) at.textContent = text; };
const mark = (at, name, value) => { if (at.getAttribute(name) !== String(value)) at.setAttribute(name, value); };

// Draws anew each time and touches only what differs: the k-th thing drawn keeps the k-th node.
class Layer {
  constructor(root) { this.root = root; this.kept = []; this.at = 0; }

  put(tag, attributes, text) {
    let kept = this.kept[this.at];
    if (!kept || kept.tag !== tag) {
      const made = { tag, node: document.createElementNS(SVG, tag), now: {} };
      if (kept) kept.node.replaceWith(made.node); else this.root.append(made.node);
      this.kept[this.at] = kept = made;
    }
    this.at += 1;
    for (const name in attributes) {
      let value = attributes[name];
      if (typeof value === "number") value = Math.round(value * 100) / 100;
      if (kept.now[name] !== value) {
        if (value == null) kept.node.removeAttribute(name); else kept.node.setAttribute(name, value);
        kept.now[name] = value;
      }
    }
    for (const name in kept.now) if (!(name in attributes)) { kept.node.removeAttribute(name); delete kept.now[name]; }
    if (text !== undefined) write(kept.node, text);
    return kept.node;
  }

  rect(x, y, width, height, more) { this.put("rect", { x, y, width: Math.max(0, width), height, ...more }); }
  line(x1, y1, x2, y2, more) { this.put("line", { x1, y1, x2, y2, stroke: LINE, ...more }); }
  path(d, more) { this.put("path", { d, ...more }); }
  circle(cx, cy, r, more) { this.put("circle", { cx, cy, r, ...more }); }
  text(x, y, text, more) { this.put("text", { x, y, fill: INK, "font-size": 12.5, ...more }, text); }

  end() {
    for (const kept of this.kept.splice(this.at)) kept.node.remove();
    this.at = 0;
  }
}

function picture() {
  const svg = document.createElementNS(SVG, "svg"), defs = document.createElementNS(SVG, "defs");
  const hatch = document.createElementNS(SVG, "pattern"), stroke = document.createElementNS(SVG, "path");
  const set = (at, all) => Object.entries(all).forEach(([name, value]) => at.setAttribute(name, value));
  set(svg, { role: "img", xmlns: SVG, "font-family": FONTS });
  set(hatch, { id: "hatch", width: 6, height: 6, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" });
  set(stroke, { d: "M1 0V6M4 0V6", stroke: LOST, "stroke-width": 1.6 });
  // The ground is as large as the picture: where what is painted grows, the browser makes all layers of a page anew.
  const shapes = document.createElementNS(SVG, "g"), ground = document.createElementNS(SVG, "rect");
  shapes.setAttribute("aria-hidden", "true"); // the picture's label says all of it once
  set(ground, { width: "100%", height: "100%", fill: "#fff" });
  hatch.append(stroke); defs.append(hatch); svg.append(defs, ground, shapes);
  return { svg, layer: new Layer(shapes) };
}

// --- what goes out ----------------------------------------------------------------------------------------------------

export const python = (value) => (typeof value === "string" ? JSON.stringify(value)
  : Number.isInteger(value) && Math.abs(value) < 1e16 ? `${value}.0` : String(value));
export const pythonDict = (values) =>
  `{${Object.entries(values).map(([name, value]) => `${python(name)}: ${python(value)}`).join(", ")}}`;

const cellText = (cell) => (cell && typeof cell === "object" ? cell.text : cell ?? "");
function csv(table) {
  const quote = (value) => {
    let text = String(value ?? "");
    if (typeof value === "string" && /^[=+\-@\t\r]/.test(text)) text = `'${text}`; // no name becomes a formula
    return /[",\r\n]/.test(text) ? `"${text.replace(/"/g, '""')}"` : text;
  };
  const value = (cell) => (cell && typeof cell === "object" ? cell.value ?? cell.text : cell);
  const lines = [table.columns.map((column) => column.name), ...table.rows.map((row) => row.map(value))];
  return "\ufeff" + lines.map((line) => line.map(quote).join(",")).join("\r\n") + "\r\n";
}

function save(name, blob) {
  const url = URL.createObjectURL(blob), link = node("a", { href: url, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}

const drawn = (svg) => {
  const copy = svg.cloneNode(true), { width, height } = svg.getBoundingClientRect();
  for (const [name, value] of [["width", width], ["height", height]]) copy.setAttribute(name, value);
  return { text: new XMLSerializer().serializeToString(copy), width, height };
};

async function png(svg) {
  const { text, width, height } = drawn(svg), image = new Image(), canvas = node("canvas");
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(text)}`;
  await image.decode();
  canvas.width = 2 * width; canvas.height = 2 * height;
  canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
}

// --- the card ---------------------------------------------------------------------------------------------------------

// `parts`: compute(spec, state), figures(view), draw(view, layer, box) -> alt text, table(view), code(spec, state), and
// where there are such: judge(spec, state) -> {status, ...} and verdict(view, judged), answer(view) once it is revealed,
// remark(view), drag(view, held, dx, dy) -> changes, actions, legend. What they call `view` is the Card: spec, state, found, words.
export const explorable = (parts) => ({ render: ({ model, el, signal }) => new Card(parts, model, el, signal).close });

class Card {
  constructor(parts, model, el, signal) {
    Object.assign(this, { parts, model, spec: model.get("spec"), boxes: new Map(), timers: {}, kept: {}, size: {} });
    this.state = { ...model.get("state") };
    this.shadow(el);
    this.build();
    this.listen(signal);
    this.speakLanguage();
  }

  shadow(el) {
    el.setAttribute("data-lm-suppress-shortcuts", "true"); // JupyterLab leaves the keys to what has the focus
    for (const kind of ["keydown", "keyup", "keypress"]) el.addEventListener(kind, (event) => event.stopPropagation());
    this.root = el.shadowRoot ?? el.attachShadow({ mode: "open" });
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(this.model.get("css"));
    this.root.adoptedStyleSheets = [sheet];
    this.root.replaceChildren();
  }

  build() {
    const { spec } = this, level = spec.level ?? 3;
    this.title = node(`h${level}`, { class: "title", id: "title" });
    this.figures = node("dl", { class: "figures" });
    this.switch = node("button", { class: "chip", type: "button" });
    this.bar = node("div", { class: "bar", role: "group" });
    this.more = node("details", { class: "more" }, node("summary"), node("div", { class: "bar" }));
    this.controls = node("div", { class: "controls", role: "group" });
    this.head = node("div", { class: "head" });
    this.controls.append(this.head);
    this.legend = node("div", { class: "head legend" });
    Object.assign(this, picture());
    this.canvas = node("div", { class: "canvas" }, this.svg);
    this.table = node("table");
    this.numbers = node("div", { class: "numbers", tabindex: 0, role: "group" }, this.table);
    this.presets = node("div", { class: "chips", role: "group" });
    this.guess = node("div", { class: "chips" });
    this.tools = node("div", { class: "tools", role: "group" });
    this.alert = node("p", { class: "alert", role: "alert" });
    this.gone = node("p", { class: "gone", role: "status" });
    this.said = node("p", { class: "unseen", role: "status" });
    this.remark = node("p", { class: "remark" });
    this.remark.hidden = !(this.parts.remark || spec.remark);
    this.code = node("textarea", { class: "code", readonly: "", rows: 6, hidden: "" });
    this.buildControls();
    this.buildButtons();
    const body = node("div", { class: "body" }, this.controls, node("div", { class: "picture" }, this.legend, this.canvas));
    const aside = node("div", { class: "aside" }, ...(spec.challenge ? [this.buildChallenge(level + 1)] : []), this.tools);
    const actions = node("div", { class: "actions" }, this.alert, this.gone, this.presets, this.guess);
    const foot = node("div", { class: "foot" }, actions, aside);
    this.card = node("section", { class: `card ${spec.layout}`, "aria-labelledby": "title" },
      node("div", { class: "header" }, this.title, this.figures, this.switch), this.bar, body, this.remark, foot, this.said,
      this.code);
    this.body = body;
    if (spec.layout === "rows") {
      const n = this.controls.childElementCount - 1;
      this.card.style.setProperty("--n", n);
      this.card.classList.toggle("many", n > 9);
    } else this.card.insertBefore(this.fold = node("details", {}, node("summary"), this.numbers), foot);
    this.bar.hidden = !this.bar.childElementCount;
    if (this.more.lastChild.childElementCount) this.card.insertBefore(this.more, foot);
    this.frame = node("div", { class: "frame" }, this.card);
    this.root.append(this.frame);
  }

  buildControls() {
    for (const control of this.spec.controls) {
      if (control.place === "unseen") continue; // moved by an action
      const made = control.options ? this.choice(control) : this.slider(control);
      this.boxes.set(control.id, made);
      ({ bar: this.bar, guess: this.guess, more: this.more.lastChild }[control.place] ?? this.controls).append(made.row);
    }
    if (this.spec.last) this.controls.append(this.last = node("div", { class: "row last" }, node("span"), node("span")));
  }

  slider(control) {
    const id = `c${this.boxes.size}`, label = node("label", { for: id });
    const range = node("input", { type: "range", id, min: 0, max: ticks(control), step: 1 });
    const tick = node("span", { class: "tick" }), box = node("input", { type: "text", inputmode: "decimal", class: "box", size: 2 });
    const row = node("div", { class: "row" }, label, node("span", { class: "track" }, range, tick), box);
    range.addEventListener("input", () => this.move({ [control.id]: stepped(control, Number(range.value), this.state[control.id]) }));
    range.addEventListener("keydown", (event) => this.page(event, control, range));
    box.addEventListener("input", () => { this.typing = box; });
    // Enter has taken what was typed, and the box shows it shortened: the change that follows is none.
    box.addEventListener("change", () => { if (this.typing === box) this.typed(control, box); });
    box.addEventListener("keydown", (event) => { if (event.key === "Enter") this.typed(control, box); });
    return { control, row, label, range, tick, box };
  }

  page(event, control, range) {
    const step = { PageUp: 1, PageDown: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    range.value = clamp(Number(range.value) + step * Math.max(1, Math.round(ticks(control) / 10)), 0, ticks(control));
    range.dispatchEvent(new Event("input", { bubbles: true }));
  }

  choice(control) {
    const id = `c${this.boxes.size}`, label = node("label", { for: id }), select = node("select", { id });
    for (const option of control.options) select.append(node("option", { value: option.id }));
    select.addEventListener("change", () => this.move({ [control.id]: select.value }));
    return { control, row: node("div", { class: "row choice" }, label, select), label, select };
  }

  button(into, key, act, shape = "tool") {
    const made = node("button", { type: "button", class: shape });
    made.addEventListener("click", act);
    made.textKey = key;
    into.append(made);
    return made;
  }

  buildButtons() {
    for (const preset of this.spec.presets) {
      this.button(this.presets, preset.name, () => this.glide({ ...this.spec.baseline, ...preset.state, ...this.counted() }), "chip");
    }
    for (const action of this.parts.actions ?? []) {
      this.button(this.guess, action.key, () => this.act(action), "chip action");
    }
    if (this.parts.answer) {
      this.reveal = this.button(this.guess, "reveal", () => this.setRevealed(!this.revealed), "chip reveal");
      this.guess.append(this.answer = node("span", { class: "answer", role: "status" }));
    }
    this.button(this.tools, "reset", () => this.reset());
    this.copy = this.button(this.tools, "copy", () => this.copyCode());
    const name = this.spec.name;
    this.button(this.tools, "csv", () => save(`${name}.csv`, new Blob([csv(this.parts.table(this))], { type: "text/csv" })));
    this.button(this.tools, "svg", () => save(`${name}.svg`, new Blob([drawn(this.svg).text], { type: "image/svg+xml" })));
    this.button(this.tools, "png", async () => save(`${name}.png`, await png(this.svg)));
  }

  buildChallenge(level) {
    this.challengeTitle = node(`h${level}`, { class: "small" });
    this.challengeText = node("p");
    this.verdict = node("p", { role: "status" }, node("strong"), node("span"));
    this.challenge = node("div", { class: "challenge" }, this.challengeTitle, this.challengeText, this.verdict);
    return this.challenge;
  }

  listen(signal) {
    const { model } = this, close = [];
    const on = (name, act) => { model.on(`change:${name}`, act); close.push(() => model.off(`change:${name}`, act)); };
    on("state", () => this.take());
    on("lang", () => this.speakLanguage());
    on("revealed", () => this.show());
    on("spec", () => { this.spec = model.get("spec"); this.take(); });
    const anew = () => { this.measure(); this.show(); }, observer = new ResizeObserver(() => { this.place(); anew(); });
    observer.observe(this.frame); observer.observe(this.canvas);
    this.switch.addEventListener("click", () => { model.set("lang", this.lang === "zh" ? "en" : "zh"); this.sync(); });
    this.dragging();
    close.push(this.follow(model.widget_manager?.kernel));
    this.fold?.addEventListener("toggle", () => this.show());
    for (const moment of ["beforeprint", "afterprint"]) addEventListener(moment, anew);
    this.close = () => {
      if (this.timers.send) this.post();
      observer.disconnect();
      Object.values(this.timers).forEach((timer) => { clearTimeout(timer); cancelAnimationFrame(timer); });
      for (const moment of ["beforeprint", "afterprint"]) removeEventListener(moment, anew);
      close.splice(0).forEach((undo) => undo());
    };
    signal?.addEventListener("abort", this.close);
  }

  // JupyterLab marks the cards that have lost their kernel only where it was told to restart; a kernel also dies.
  follow(kernel) {
    const lose = () => this.root.host.classList.add(LOST_KERNEL);
    const heard = (_, status) => { if (GONE.includes(status)) lose(); };
    kernel?.statusChanged?.connect(heard); kernel?.disposed?.connect(lose);
    return () => { kernel?.statusChanged?.disconnect(heard); kernel?.disposed?.disconnect(lose); };
  }

  sync() { if (!this.root.host.classList.contains(LOST_KERNEL)) this.model.save_changes(); }

  dragging() {
    this.svg.addEventListener("pointerdown", (event) => {
      const id = event.target.closest?.("[data-drag]")?.getAttribute("data-drag");
      if (id == null || !this.parts.drag) return;
      this.held = { id, x: event.clientX, y: event.clientY, at: event.offsetX, state: this.state };
      this.svg.setPointerCapture(event.pointerId);
      event.preventDefault();
    });
    this.svg.addEventListener("pointermove", (event) => {
      const { held } = this;
      if (!held) return;
      const moved = this.parts.drag(this, held, event.clientX - held.x, event.clientY - held.y);
      if (moved) this.move(moved);
    });
    for (const kind of ["pointerup", "pointercancel"]) {
      this.svg.addEventListener(kind, () => {
        if (!this.held) return;
        this.held = null;
        this.show();
      });
    }
  }

  // --- moving

  move(changes) {
    cancelAnimationFrame(this.timers.glide);
    this.refuse("");
    this.put({ ...this.state, ...changes });
    this.send();
  }

  put(state) {
    this.state = state;
    this.show();
    clearTimeout(this.timers.speak);
    this.timers.speak = setTimeout(() => write(this.said, this.alt), SPEAK_MS);
  }

  glide(target) {
    cancelAnimationFrame(this.timers.glide);
    this.refuse("");
    const start = this.state, begin = performance.now();
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) { this.put(target); this.send(); return; }
    const step = (now) => {
      const done = clamp((now - begin) / GLIDE_MS, 0, 1), eased = 1 - (1 - done) ** 3;
      const between = (name) => (typeof target[name] === "number" && typeof start[name] === "number" && this.glides(name)
        ? start[name] + (target[name] - start[name]) * eased : target[name]);
      this.put(done < 1 ? Object.fromEntries(Object.keys(target).map((name) => [name, between(name)])) : target);
      if (done < 1) this.timers.glide = requestAnimationFrame(step); else this.send();
    };
    this.timers.glide = requestAnimationFrame(step);
  }

  glides(name) {
    const control = this.spec.controls.find((one) => one.id === name);
    return control && !control.whole && !control.options && control.place !== "unseen";
  }

  // What actions have counted: a preset leaves it, only Reset takes it back.
  counted() {
    const unseen = this.spec.controls.filter(({ place }) => place === "unseen");
    return Object.fromEntries(unseen.map(({ id }) => [id, this.state[id]]));
  }

  reset() {
    this.glide({ ...this.spec.baseline });
    if (this.revealed) this.setRevealed(false);
  }

  act({ run, hides }) {
    if (hides && this.revealed) this.setRevealed(false);
    this.move(run(this.spec, this.state));
  }

  setRevealed(revealed) {
    this.model.set("revealed", revealed);
    this.sync();
    this.show();
  }

  // The other views follow at once, the kernel when the hand rests, and every SEND_MS while it does not: what a message
  // sets off in JupyterLab would hold up the next frame.
  send() {
    this.tell();
    clearTimeout(this.timers.rest);
    this.timers.rest = setTimeout(() => this.post(), REST_MS);
    this.timers.send ??= setTimeout(() => this.post(), SEND_MS);
  }

  tell() { if (!this.same(this.model.get("state"), this.state)) this.model.set("state", { ...this.state }); }

  post() {
    for (const name of ["rest", "send"]) { clearTimeout(this.timers[name]); this.timers[name] = null; }
    this.tell();
    this.sync();
  }

  same(one, other) { return Object.keys(other).every((name) => one[name] === other[name]); }

  take() {
    const found = this.model.get("state");
    if (this.timers.send || this.same(found, this.state)) return; // one's own echo, or older than what is on its way
    cancelAnimationFrame(this.timers.glide);
    this.put({ ...found });
  }

  typed(control, box) {
    const value = parse(box.value, control);
    if (value === null) { this.refuse(control.id, box.value); return; }
    this.move({ [control.id]: value });
  }

  refuse(id, text) {
    this.refused = id ? { id, text } : null;
    if (!id) this.typing = null;
    for (const [name, made] of this.boxes) if (made.box) mark(made.box, "aria-invalid", name === id);
    const control = id && this.boxes.get(id).control;
    write(this.alert, control ? this.t("refused", { text, low: this.shown(control, control.least ?? control.min),
      high: this.shown(control, control.most ?? control.max) }) : "");
  }

  async copyCode() {
    const code = this.parts.code(this.spec, this.state);
    this.code.value = code;
    try {
      await navigator.clipboard.writeText(code);
      write(this.copy, this.t("copied"));
      setTimeout(() => write(this.copy, this.t("copy")), 1500);
    } catch {
      this.code.hidden = false; // no clipboard here: the text is there to be taken by hand
      this.code.focus(); this.code.select();
    }
  }

  // --- showing

  shown(control, value) {
    if (control.kind === "percent") return this.percent(value, Math.abs(value * 100 - Math.round(value * 100)) < 1e-6 ? 0 : 1);
    return this.number(value, control.digits ?? (Number.isInteger(value) || Math.abs(value) >= 1000 ? 0 : 2));
  }

  speakLanguage() {
    this.place();
    this.measure();
    this.lang = this.model.get("lang");
    Object.assign(this, words(this.model.get("texts"), this.lang, this.spec.currency));
    const { spec } = this;
    mark(this.card, "lang", this.lang === "zh" ? "zh-Hans" : "en");
    write(this.title, this.t("title"));
    write(this.switch, OTHER[this.lang]);
    mark(this.switch, "lang", this.lang === "zh" ? "en" : "zh-Hans");
    this.switch.hidden = spec.switch === false;
    write(this.head, this.t("controls"));
    for (const [at, key] of [[this.bar, "levers"], [this.controls, "controls"], [this.presets, "presets"], [this.tools, "tools"],
      [this.numbers, "numbers"], [this.code, "copy"]]) mark(at, "aria-label", this.t(key));
    for (const made of this.boxes.values()) this.labelControl(made);
    for (const made of this.root.querySelectorAll("button")) {
      if (made.textKey) write(made, typeof made.textKey === "string" ? this.t(made.textKey) : this.name(made.textKey));
    }
    if (this.fold) write(this.fold.firstChild, this.t("numbers"));
    if (this.more.parentNode) write(this.more.firstChild, this.t(this.more.className)); // in the words of the card
    if (this.last) [this.name(spec.last), this.t("last")].forEach((text, at) => write(this.last.children[at], text));
    if (spec.challenge) { write(this.challengeTitle, this.t("challenge")); write(this.challengeText, this.name(spec.challenge.text)); }
    this.legend.replaceChildren(...Object.entries(this.parts.legend ?? {}).map(([kind, key]) =>
      node("span", {}, node("i", { class: kind }), this.t(key))));
    write(this.gone, this.t("no_kernel"));
    if (spec.remark) write(this.remark, this.name(spec.remark));
    if (this.refused) this.refuse(this.refused.id, this.refused.text);
    this.show();
  }

  labelControl({ control, label, box, select }) {
    const name = this.name(control.label);
    const unit = control.kind === "money" && this.spec.currency
      ? format(this.lang, { style: "currency", currency: this.spec.currency }).formatToParts(0).find((part) => part.type === "currency")
      : null;
    write(label, unit ? this.t("with_unit", { name, unit: unit.value }) : name);
    if (box) mark(box, "aria-label", this.t("type", { label: name }));
    control.options?.forEach((option, at) => write(select.options[at], this.name(option.name)));
  }

  get revealed() { return this.model.get("revealed"); }

  // What is the same until something else is asked for: a long search runs once a move, not once for each who asks.
  once(name, key, find) {
    const known = this.kept[name];
    if (known?.key === key) return known.found;
    return (this.kept[name] = { key, found: find() }).found;
  }

  show() {
    if (!this.lang) return;
    this.found = this.parts.compute(this.spec, this.state);
    for (const made of this.boxes.values()) this.showControl(made);
    this.showFigures(this.parts.figures(this));
    if (!this.fold || this.fold.open) this.showTable(this.parts.table(this)); // a folded one waits until it is opened
    if (this.reveal) {
      mark(this.reveal, "aria-pressed", this.revealed);
      write(this.answer, this.revealed ? this.parts.answer(this) : "");
    }
    if (this.parts.remark) write(this.remark, this.parts.remark(this));
    if (this.challenge) this.showVerdict(this.parts.judge(this.spec, this.state));
    const { width, height } = this.size;
    if (!width || !height) return; // out of sight: the observer calls again
    mark(this.svg, "width", width); mark(this.svg, "height", height);
    this.alt = this.parts.draw(this, this.layer, { width, height });
    this.layer.end();
    mark(this.svg, "aria-label", this.alt);
  }

  // Asked for when the size may have changed, not at each move: to ask after a change makes the browser lay out at once.
  measure() { this.size = { width: this.canvas.clientWidth, height: this.canvas.clientHeight }; }

  // On a narrow card the rows' table comes last; in the page's order as well, for those who tab or listen.
  place() {
    if (this.fold) return;
    const into = this.frame.clientWidth > NARROW ? this.body : this.card;
    if (this.numbers.parentNode !== into) into.append(this.numbers);
  }

  showControl({ control, row, range, tick, box, select }) {
    const value = this.state[control.id], base = this.spec.baseline[control.id];
    row.classList.toggle("moved", value !== base);
    if (select) { select.value = value; return; }
    const at = share(control, value);
    range.value = Math.round(at * ticks(control));
    range.style.setProperty("--at", `${100 * at}%`);
    const text = this.shown(control, value);
    mark(range, "aria-valuetext", value === base ? text : this.t("valuetext", { now: text, base: this.shown(control, base) }));
    tick.style.setProperty("--tick", share(control, base));
    tick.hidden = base == null;
    if (this.typing !== box && box.value !== text) box.value = text;
    if (text.length > 6 && box.size < text.length) { box.size = text.length; row.classList.toggle("long", text.length > 8); }
  }

  showFigures(figures) {
    while (this.figures.childElementCount < figures.length) {
      this.figures.append(node("div", {}, node("dt"), node("dd"), node("dd", { class: "note" })));
    }
    figures.forEach(({ label, value, note = "", tone = "" }, at) => {
      const [term, large, small] = this.figures.children[at].children;
      write(term, label); write(large, value); write(small, note);
      if (small.className !== `note ${tone}`) small.className = `note ${tone}`;
    });
  }

  showTable({ caption, columns, rows }) {
    const fit = (into, count, make) => {
      while (into.childElementCount < count) into.append(make(into.childElementCount));
      while (into.childElementCount > count) into.lastChild.remove();
    };
    if (!this.table.tHead) this.table.append(node("caption"), node("thead", {}, node("tr")), node("tbody"));
    write(this.table.caption, caption);
    fit(this.table.tHead.rows[0], columns.length, () => node("th", { scope: "col" }));
    columns.forEach((column, at) => {
      const head = this.table.tHead.rows[0].cells[at];
      write(head, column.name);
      mark(head, "class", column.kind ?? "");
    });
    fit(this.table.tBodies[0], rows.length, () => node("tr"));
    rows.forEach((row, line) => {
      const into = this.table.tBodies[0].rows[line];
      fit(into, row.length, (at) => (at ? node("td") : node("th", { scope: "row" })));
      row.forEach((cell, at) => this.showCell(into.cells[at], cell, columns[at].kind ?? ""));
    });
  }

  showCell(into, cell, kind) {
    const { bar, tone = "" } = cell && typeof cell === "object" ? cell : {};
    const classes = `${kind} ${tone}`.trim();
    if (into.className !== classes) into.className = classes;
    if (!into.firstChild) into.append(node("span"));
    write(into.firstChild, String(cellText(cell)));
    if (bar === undefined) { into.children[1]?.remove(); return; }
    if (!into.children[1]) into.append(node("i", { class: "gauge" }, node("b")));
    const gauge = into.children[1].firstChild;
    gauge.style.setProperty("--from", clamp(Math.min(bar, 0), -1, 0)); gauge.style.setProperty("--long", Math.min(Math.abs(bar), 1));
  }

  showVerdict(judged) {
    mark(this.challenge, "data-status", judged.status);
    const [status, facts = ""] = this.parts.verdict(this, judged);
    write(this.verdict.firstChild, status); write(this.verdict.lastChild, facts && ` ${facts}`);
  }
}

// --- a page without a kernel ------------------------------------------------------------------------------------------

// The ten lines that stand in for a kernel's model; the state may stand in the address, to be sent on.
export function boot(shown, id) {
  const host = document.getElementById(id), traits = JSON.parse(document.getElementById(`${id}-data`).textContent);
  const heard = {}, mine = (name) => `${id}.${name}`;
  const model = {
    get: (name) => traits[name],
    set: (name, value) => { traits[name] = value; (heard[name] ?? []).forEach((act) => act()); },
    save_changes: () => { if (traits.address) { clearTimeout(model.timer); model.timer = setTimeout(model.write, 300); } },
    on: (event, act) => { (heard[event.slice(7)] ??= []).push(act); },
    off: (event, act) => { heard[event.slice(7)] = (heard[event.slice(7)] ?? []).filter((one) => one !== act); },
    write: () => {
      const { spec, state, lang } = traits, moved = new URLSearchParams([[mine("lang"), lang]]);
      for (const name in state) if (state[name] !== spec.baseline[name]) moved.set(mine(name), state[name]);
      history.replaceState(null, "", `#${moved}`);
    },
  };
  if (traits.address) readAddress(traits, mine);
  host.model = model; // for the page's own scripts
  shown.render({ model, el: host });
}

function readAddress(traits, mine) {
  const given = new URLSearchParams(location.hash.slice(1)), state = { ...traits.state };
  for (const control of traits.spec.controls) {
    const text = given.get(mine(control.id)), value = Number(text);
    const low = control.least ?? control.min, high = control.most ?? control.max;
    if (text === null || text === "") continue;
    if (control.options ? control.options.some((one) => one.id === text) : value >= low && value <= high) {
      state[control.id] = control.options ? text : value;
    }
  }
  traits.state = state;
  if (traits.texts[given.get(mine("lang"))]) traits.lang = given.get(mine("lang"));
}
