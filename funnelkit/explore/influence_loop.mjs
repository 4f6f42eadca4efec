// Customers who bring customers: one turn of the loop multiplies by G; below 1 it settles, above 1 it explodes.
import {
  DOWN, explorable, FLOW, INK, LINE, NOW, python, SOFT, STAR, UP,
} from "./core.mjs";

const CRITICAL = 1e-9, MOST = 1e12;
const NOTES = { steady: "steady_note", settles: "settles_note", explodes: "explodes_note" };
const FINDINGS = { steady: "finding_steady", settles: "finding_settles", explodes: "finding_explodes" };

const factorsOf = (spec, state) => spec.factors.map((name) => state[name]);

export function compute(spec, state) {
  const reach = factorsOf(spec, state).reduce((one, other) => one * other, 1), growth = state.rate * reach * state.feed;
  const found = { growth, turn: [], n_fed: [], n_potential: [], n_customers: [], n_spread: [], n_customers_total: [] };
  let fed = 0, total = 0, left = spec.market ? state.market : Infinity;
  for (let turn = 1; turn <= spec.turns; turn += 1) {
    const potential = Math.min(state.inflow + fed, left), customers = potential * state.rate, spread = customers * reach;
    left -= potential;
    total += customers;
    const row = { turn, n_fed: fed, n_potential: potential, n_customers: customers, n_spread: spread, n_customers_total: total };
    for (const name in row) found[name].push(row[name]);
    fed = spread * state.feed;
    if (fed > MOST) break;
  }
  found.kind = Math.abs(growth - 1) < CRITICAL ? "steady" : growth < 1 ? "settles" : "explodes";
  found.level = growth < 1 && found.kind === "settles" ? state.inflow / (1 - growth) : null;
  return found;
}

export function judge(spec, state) {
  const names = ["rate", "feed", ...spec.factors], { baseline } = spec, { growth } = compute(spec, state);
  const moved = names.filter((name) => state[name] !== baseline[name]);
  const outside = moved.length > 1 || state.inflow !== baseline.inflow;
  const status = !moved.length && !outside ? "start" : outside ? "outside" : growth > 1 + CRITICAL ? "done" : "not_yet";
  return { status, growth, moved: moved.length, relative: moved.length === 1 ? state[moved[0]] / baseline[moved[0]] - 1 : NaN };
}

const last = (values) => values[values.length - 1];

function figures(view) {
  const { found, t } = view, extra = found.growth < 1 ? found.growth / (1 - found.growth) : NaN;
  return [
    { label: t("growth"), value: view.number(found.growth, 2), note: t(NOTES[found.kind]), tone: found.kind === "explodes" ? "up" : "" },
    { label: t("level"), value: view.number(found.level), note: found.level === null ? t("none_note") : t("extra_note", { extra: view.percent(extra, 0) }) },
    { label: t("bought"), value: view.number(last(found.n_customers_total)), note: t("turns_note", { n: view.number(found.turn.length) }) },
  ];
}

function table(view) {
  const keys = ["turn", "n_fed", "n_potential", "n_customers", "n_spread", "n_customers_total"];
  const columns = keys.map((key) => ({ name: view.t(key), kind: key === "n_potential" ? "strong" : "" }));
  const cell = (key, at) => ({ text: view.number(view.found[key][at], key === "turn" ? 0 : 1), value: view.found[key][at] });
  return { caption: view.t("title"), columns, rows: view.found.turn.map((_, at) => keys.map((key) => cell(key, at))) };
}

// A ring of the loop's stations: the arrows are as wide as what flows in the turn shown.
function ring(view, layer, x, y, radius) {
  const { found, spec, state } = view, at = Math.min(state.turn, found.turn.length) - 1;
  const flows = [found.n_potential[at], found.n_customers[at]];
  factorsOf(spec, state).forEach((factor) => flows.push(last(flows) * factor));
  const n = flows.length, top = Math.max(...flows, found.n_fed[at], 1e-9);
  const place = (k) => [x + radius * Math.sin((2 * Math.PI * k) / n), y - radius * Math.cos((2 * Math.PI * k) / n)];
  for (let k = 0; k < n; k += 1) {
    const [from, to] = [place(k), place((k + 1) % n)], flow = k + 1 < n ? flows[k + 1] : last(flows) * state.feed;
    layer.line(...from, ...to, { stroke: k + 1 < n ? FLOW : STAR, "stroke-width": 1 + 17 * Math.sqrt(flow / top), "stroke-linecap": "round" });
  }
  spec.stations.forEach((name, k) => {
    const [cx, cy] = place(k), side = Math.round((cx - x) / radius), low = cy > y + radius / 2; // -1, 0, 1: left, middle, right
    const anchor = side ? ["end", , "start"][side + 1] : "middle", tx = cx + side * (low ? -18 : 13), ty = low ? cy + 20 : side ? cy - 2 : cy - 23;
    const text = { "text-anchor": anchor, stroke: "#fff", "stroke-width": 3, "paint-order": "stroke" };
    layer.circle(cx, cy, 6, { fill: NOW });
    layer.text(tx, ty, view.name(name), { ...text, "font-size": 12 });
    layer.text(tx, ty + 14, view.number(flows[k], flows[k] < 100 ? 1 : 0), { ...text, "font-weight": 600 });
  });
  layer.text(x, y + 5, view.t("turn_shown", { turn: view.number(at + 1) }), { "text-anchor": "middle", fill: SOFT });
}

// The path over the turns, with the level where it settles.
function path(view, layer, box) {
  const { found, spec } = view, values = found.n_potential, top = 1.15 * Math.max(...values, found.level ?? 0, 1);
  const x = (turn) => box.x + ((turn - 1) / Math.max(1, spec.turns - 1)) * box.width, y = (value) => box.y + box.height * (1 - value / top);
  for (const share of [0, 0.5, 1]) layer.line(box.x, y(top * share / 1.15), box.x + box.width, y(top * share / 1.15));
  layer.text(box.x, y(top / 1.15) - 4, view.number(top / 1.15), { "font-size": 12, fill: SOFT });
  if (found.level !== null) {
    layer.line(box.x, y(found.level), box.x + box.width, y(found.level), { stroke: DOWN, "stroke-width": 1.5, "stroke-dasharray": "6 4" });
    layer.text(box.x + box.width, y(found.level) - 5, view.t("level_line"), { "text-anchor": "end", fill: DOWN, "font-size": 12 });
  }
  for (const [series, colour, dash] of [[values, NOW, null], [found.n_customers, UP, "2 3"]]) {
    layer.path(series.map((value, at) => `${at ? "L" : "M"}${x(at + 1).toFixed(1)} ${y(value).toFixed(1)}`).join(""),
      { fill: "none", stroke: colour, "stroke-width": 2.2, "stroke-dasharray": dash });
  }
  const at = Math.min(view.state.turn, found.turn.length) - 1;
  layer.circle(x(at + 1), y(values[at]), 5, { fill: "#fff", stroke: NOW, "stroke-width": 3 });
  layer.text(box.x, box.y + box.height + 16, view.t("turns_axis"), { "font-size": 12, fill: SOFT });
}

// G on its own scale, the critical 1 marked.
function scale(view, layer, box) {
  const { growth } = view.found, x = (value) => box.x + box.width * Math.min(value / 2, 1);
  layer.rect(box.x, box.y, box.width, 8, { fill: LINE, rx: 4 });
  layer.rect(box.x, box.y, x(growth) - box.x, 8, { fill: growth > 1 ? UP : NOW, rx: 4 });
  layer.line(x(1), box.y - 6, x(1), box.y + 14, { stroke: INK, "stroke-width": 2 });
  layer.text(x(1), box.y - 9, "G = 1", { "text-anchor": "middle", "font-size": 12 });
  layer.text(growth > 1.6 ? x(growth) - 4 : x(growth) + 5, box.y + 24, `G = ${view.number(growth, 2)}`, { "font-weight": 600, "text-anchor": growth > 1.6 ? "end" : "start" });
}

function draw(view, layer, { width, height }) {
  const narrow = width < 480, split = narrow ? 0 : Math.min(350, width * 0.48);
  scale(view, layer, { x: 6, y: 22, width: width - 12 });
  if (!narrow) {
    const radius = Math.max(30, Math.min(split / 2 - 86, (height - 124) / 1.81)); // 1.81: how tall a pentagon is
    ring(view, layer, Math.max(split / 2, 130), 87 + radius, radius); // 130: the longest name fits on its left
  }
  path(view, layer, { x: split + (narrow ? 6 : 24), y: narrow ? 72 : 78, width: width - split - (narrow ? 12 : 32), height: height - (narrow ? 100 : 106) });
  return `${finding(view)} ${view.list(view.found.turn.map((turn, at) => view.number(view.found.n_potential[at])))}`;
}

const finding = (view) => view.t(FINDINGS[view.found.kind], { growth: view.number(view.found.growth, 2), level: view.number(view.found.level) });

function answer(view) {
  const needed = view.spec.baseline_growth ? 1 / view.spec.baseline_growth - 1 : NaN;
  return view.t("answer", { needed: view.change(needed, 0) });
}

function verdict(view, judged) {
  const facts = view.t("facts", { n: view.number(judged.moved), growth: view.number(judged.growth, 2), change: view.change(judged.relative, 0) });
  return judged.status === "start" ? [view.t("start")] : [view.t(judged.status), facts];
}

function code(spec, state) {
  const market = spec.market ? `, market=${python(state.market)}` : "", factors = factorsOf(spec, state).map(python).join(", ");
  return `import funnelkit as fk\n\nfk.influence_loop(${python(state.rate)}, [${factors}], ${python(state.feed)}, `
    + `inflow=${python(state.inflow)}, turns=${spec.turns}${market})\n`;
}

const legend = { now: "legend_potential", bought: "legend_bought" };
const shown = explorable({ compute, judge, figures, table, draw, answer, verdict, code, legend });
export default shown;
