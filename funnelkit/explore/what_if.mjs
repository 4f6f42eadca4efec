// What if a rate were better? Counts of every stage, the baseline beside them, and what more points would add where.
import {
  clamp, clean, compared, DOWN, explorable, FLOW, GAIN, INK, NOW, pythonDict, tone, UP,
} from "./core.mjs";

const TIE = 1 - 1e-9; // equal stages differ in the last bit: they tie

const rateOf = (stage, values) => values[stage.id] ?? stage.rate ?? NaN;

// To the ninth decimal as numpy rounds: halves go to the even neighbour.
function ninth(value) {
  const scaled = value * 1e9, near = Math.round(scaled);
  return (near - scaled === 0.5 && near % 2 ? near - 1 : near) / 1e9;
}

// The same products in the same order as numpy's cumprod: equal to Python's verb to the last bit.
function counts(stages, values) {
  const found = [];
  let share = 1;
  stages.forEach((stage, at) => { found.push(ninth(values.volume * share)); if (at + 1 < stages.length) share *= rateOf(stage, values); });
  return found;
}

// What `points` more of each stage alone would add to the wins, never beyond the most that a rate may be.
function gains({ stages, won, points, most }, values) {
  const rates = stages.slice(0, won).map((stage) => rateOf(stage, values)), before = [1], after = [1];
  for (let at = 0; at + 1 < won; at += 1) {
    before.push(before[at] * rates[at]);
    after.unshift(after[0] * rates[won - 1 - at]);
  }
  return rates.map((rate, at) => values.volume * before[at] * after[at] * (Math.min(rate + points, most) - rate));
}

export function compute(spec, state) {
  const { stages, won, baseline } = spec;
  const n = counts(stages, state), n_base = counts(stages, baseline);
  const worth = (found, values) => found[won] * (values.deal_value ?? 0);
  const found = { n, n_base, value: worth(n, state), value_base: worth(n_base, baseline), gains: gains(spec, state) };
  found.rate = state.volume ? n[won] / state.volume : NaN;
  found.rate_base = baseline.volume ? n_base[won] / baseline.volume : NaN;
  if (baseline.cycle_days !== undefined) {
    found.per_day = found.value / state.cycle_days;
    found.per_day_base = found.value_base / baseline.cycle_days;
  }
  const top = Math.max(...found.gains);
  found.best = found.gains.map((gain) => top > 0 && gain >= top * TIE);
  return found;
}

export function judge(spec, state) {
  const { rule } = spec.challenge, { stages, won, baseline } = spec, found = compute(spec, state);
  const apart = stages.slice(0, won).map((stage) => Math.abs(rateOf(stage, state) - rateOf(stage, baseline)));
  const moved = apart.filter((points) => points > 1e-12).length, points = Math.max(0, ...apart);
  const levers = Object.keys(baseline).filter((name) => spec.levers.includes(name) && state[name] !== baseline[name]);
  const outside = levers.some((name) => rule.fixed.includes(name)) || moved > rule.rates || points > rule.points + 1e-9;
  const done = found.n[won] >= rule.wins * TIE;
  const status = !moved && !levers.length ? "start" : outside ? "outside" : done ? "done" : "not_yet";
  return { status, moved, points, wins: found.n[won], change: found.n_base[won] ? found.n[won] / found.n_base[won] - 1 : 0 };
}

function figures(view) {
  const { found, spec } = view, relative = (now, base) => (base ? view.change(now / base - 1) : view.signed(now - base));
  const figure = (...about) => compared(view, ...about);
  const wins = [found.n[spec.won], found.n_base[spec.won]], shown = [figure(spec.wins, wins, view.counter(wins), relative)];
  if (spec.levers.includes("deal_value")) shown.push(figure("value", [found.value, found.value_base], view.money, relative));
  if (found.per_day !== undefined) shown.push(figure("per_day", [found.per_day, found.per_day_base], view.money, relative));
  const points = (now, base) => view.t("points", { points: view.points(now - base) });
  shown.push(figure(spec.won_rate, [found.rate, found.rate_base], view.percent, points));
  return shown;
}

function table(view) {
  const { found, spec } = view, most = Math.max(...found.gains), scale = 0.3, count = view.counter([...found.n, ...found.n_base]);
  const columns = [["stage"], ["now", "strong"], ["before", "soft"], ["change", "delta"], ["gain", "gain"]].map(([key, kind]) =>
    ({ name: view.t(key, { points: view.number(100 * spec.points) }), kind }));
  const rows = spec.stages.map((stage, at) => {
    const now = found.n[at], base = found.n_base[at], change = base ? now / base - 1 : 0, gain = found.gains[at];
    const best = view.revealed && found.best[at];
    return [
      view.name(stage.name), { text: count(now), value: now }, { text: count(base), value: base },
      { text: tone(change) ? view.change(change) : "–", value: change, bar: change / scale, tone: tone(change) },
      gain === undefined ? "" : view.revealed
        ? { text: `${best ? "★ " : ""}${view.signed(gain)}`, value: gain, bar: most > 0 ? gain / most : 0, tone: best ? "star" : "" }
        : "?",
    ];
  });
  return { caption: view.t("title"), columns, rows };
}

function draw(view, layer, { width, height }) {
  const { n, n_base } = view.found, row = height / n.length, thick = row * 0.6, middle = width / 2;
  const top = Math.max(1e-12, ...n.concat(n_base).filter(Number.isFinite)), half = (count) => (count / top) * (middle - 2) || 0;
  const write = view.counter([...n, ...n_base]), y = (at) => at * row + (row - thick) / 2;
  n.slice(1).forEach((count, at) => {
    const [from, to] = [half(n[at]), half(count)], low = y(at) + thick, high = y(at + 1);
    layer.path(`M${middle - from} ${low}H${middle + from}L${middle + to} ${high}H${middle - to}Z`, { fill: FLOW });
  });
  n.forEach((count, at) => {
    const now = half(count), base = half(n_base[at]), kept = Math.min(now, base), drag = at ? view.spec.stages[at - 1].id : null;
    if (base - now > 0.4) {
      layer.rect(middle - base, y(at), 2 * base, thick, { fill: "#fff" });
      layer.rect(middle - base, y(at), 2 * base, thick, { fill: "url(#hatch)", stroke: DOWN });
    }
    if (now - base > 0.4) layer.rect(middle - now, y(at), 2 * now, thick, { fill: GAIN, stroke: UP });
    layer.rect(middle - kept, y(at), 2 * kept, thick, { fill: NOW, rx: 2, "data-drag": drag });
    const text = write(count), inside = 2 * kept > 8 * text.length + 10, outer = middle + Math.max(now, base) + 7;
    const end = outer + 8 * text.length > width;
    layer.text(inside ? middle : end ? width : outer, y(at) + thick / 2 + 4.5, text, {
      "text-anchor": inside ? "middle" : end ? "end" : "start", "font-weight": 600, fill: inside ? "#fff" : INK, "pointer-events": "none",
    });
  });
  const list = view.spec.stages.map((stage, at) => `${view.name(stage.name)} ${write(n[at])}`);
  return `${finding(view)} ${view.list(list)}`;
}

function finding(view) {
  const { found, spec } = view, wins = found.n[spec.won], base = found.n_base[spec.won];
  return view.t(spec.finding, { n: view.number(wins, 1), more: view.signed(wins - base), rate: view.percent(found.rate) });
}

function answer(view) {
  const { spec, found, state } = view, names = spec.stages.filter((stage, at) => found.best[at]).map((stage) => view.name(stage.name));
  const best = view.signed(Math.max(...found.gains)), at = spec.stages.findIndex((stage) => stage.id === state.guess);
  if (!names.length || names.length === found.gains.length) return view.t("answer_all", { best }); // none: nothing enters
  if (at < 0) return view.t("answer", { names: view.named(names), best });
  return view.t(found.best[at] ? "answer_right" : "answer_other",
    { guess: view.name(spec.stages[at].name), gain: view.signed(found.gains[at]), names: view.named(names), best });
}

function verdict(view, judged) {
  const key = view.spec.wins === "wins" ? "facts" : "facts_end";
  const facts = view.t(key, { n: view.number(judged.moved), points: view.number(100 * judged.points, 1),
    wins: view.number(judged.wins, 1), change: view.change(judged.change) });
  return judged.status === "start" ? [view.t("start")] : [view.t(judged.status), facts];
}

// A bar dragged wider or narrower: the rate before it follows, in whole points.
function drag(view, held, dx) {
  const { spec } = view, at = spec.stages.findIndex((stage) => stage.id === held.id), width = view.canvas.clientWidth;
  const from = counts(spec.stages, held.state), top = Math.max(...from, ...view.found.n_base);
  const side = held.at < width / 2 ? -1 : 1, count = from[at + 1] + (side * dx * top) / (width / 2 - 2);
  return from[at] > 0 ? { [held.id]: clamp(clean(Math.round((100 * count) / from[at]) / 100), 0, spec.most) } : null;
}

function code(spec, state) {
  const names = spec.controls.map((control) => control.id).filter((name) => name !== "guess");
  const changes = Object.fromEntries(names.filter((name) => state[name] !== spec.baseline[name]).map((name) => [name, state[name]]));
  return `${spec.setup}\nfk.what_if(rates, ${pythonDict(changes)}, ${spec.call})\n`;
}

const legend = { now: "legend_now", gained: "legend_gained", lost: "legend_lost" };
const shown = explorable({ compute, judge, figures, table, draw, answer, verdict, drag, code, legend });
export default shown;
