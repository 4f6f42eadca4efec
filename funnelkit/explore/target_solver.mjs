// Can we promise this target? The chance of reaching it by the number of new deals, over futures that the kit has drawn.
import {
  clamp, DOWN, explorable, INK, LINE, NOW, python, SOFT, UP,
} from "./core.mjs";

const POINTS = 24;

const KNOWN = new WeakMap(); // what has been asked of these futures before: the curves ask for the same points each move
function reached(futures, target, entries) {
  if (!KNOWN.has(futures)) KNOWN.set(futures, new Map());
  const known = KNOWN.get(futures), key = `${target} ${entries}`;
  if (known.size > 20_000) known.clear();
  if (!known.has(key)) known.set(key, wins(futures, target, entries));
  return known.get(key);
}

// The share of futures in which so many new deals bring the wins that are missing: each is binomial, as in `TargetPlan.chance`.
function wins({ mean, needed }, target, entries) {
  const paths = needed[target], each = paths.length / mean.length;
  let sum = 0;
  mean.forEach((p, draw) => {
    const below = [0], odds = p / (1 - p);
    let part = Math.exp(entries * Math.log1p(-p));
    for (let path = draw * each; path < (draw + 1) * each; path += 1) {
      const missing = paths[path];
      for (let k = below.length - 1; k < missing; k += 1) {
        below.push(below[k] + part);
        part *= ((entries - k) / (k + 1)) * odds;
      }
      sum += missing <= 0 ? 1 : entries >= missing ? 1 - below[missing] : 0;
    }
  });
  return sum / paths.length;
}

// Between two targets the chance lies between theirs.
function chance(spec, { until, revenue }, entries) {
  const { targets } = spec, at = clamp(targets.findLastIndex((target) => target <= revenue), 0, targets.length - 2);
  const [low, high] = [at, at + 1].map((target) => reached(spec.futures[until], target, entries));
  return low + ((revenue - targets[at]) / (targets[at + 1] - targets[at])) * (high - low);
}

// The fewest new deals that are enough, NaN where none are.
function fewest(spec, state) {
  let low = -1, high = spec.most;
  if (chance(spec, state, high) < state.odds) return NaN;
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (chance(spec, state, middle) >= state.odds) high = middle; else low = middle;
  }
  return high;
}

export function compute(spec, state) {
  return { chance: chance(spec, state, state.entries), open: chance(spec, state, 0), needed: fewest(spec, state) };
}

export function judge(spec, state) {
  const { rule } = spec.challenge, { baseline, targets } = spec, found = chance(spec, state, state.entries);
  const fixed = ["until", "entries"].some((name) => state[name] !== baseline[name]), start = !fixed && state.revenue === baseline.revenue;
  const more = Math.min(state.revenue + rule.step, targets[targets.length - 1]);
  const low = !fixed && more > state.revenue && chance(spec, { ...state, revenue: more }, state.entries) >= rule.odds;
  return { status: start ? "start" : fixed || low ? "outside" : found >= rule.odds ? "done" : "not_yet", fixed, chance: found };
}

const weeks = ({ spec, state }) => spec.days[spec.dates.indexOf(state.until)] / 7;
const a_week = (view, entries) => (Number.isFinite(entries) ? view.number(entries / weeks(view), 1) : "–");

function figures(view) {
  const { found, state, spec, t, revealed } = view, hidden = (text) => (revealed ? text : "?");
  return [
    { label: t("chance"), value: hidden(view.percent(found.chance, 0)), note: revealed ? t("open_note", { chance: view.percent(found.open, 0) }) : t("guess_note", { guess: view.percent(state.guess, 0) }) },
    { label: t("needed", { odds: view.percent(state.odds, 0) }), value: hidden(view.number(found.needed)), note: revealed ? t("per_week", { n: a_week(view, found.needed) }) : t("needed_note") },
    { label: t("now"), value: a_week(view, state.entries), note: t("pace_note", { n: view.number(spec.pace, 1) }) },
  ];
}

function table(view) {
  const { spec, state, revealed } = view, keys = ["date", "chance_column", "needed_column", "week_column"];
  const columns = keys.map((key) => ({ name: view.t(key, { odds: view.percent(state.odds, 0), n: view.number(state.entries) }), kind: key === "needed_column" ? "strong" : "" }));
  const rows = spec.dates.map((until, at) => {
    if (!revealed) return [until, "?", "?", "?"];
    const found = compute(spec, { ...state, until });
    return [until, { text: view.percent(found.chance, 0), value: found.chance }, { text: view.number(found.needed), value: found.needed },
      { text: view.number((found.needed / spec.days[at]) * 7, 1), value: (found.needed / spec.days[at]) * 7 }];
  });
  return { caption: view.t("title"), columns, rows };
}

// The next of 1, 2 and 5 times a power of ten.
function rounding(value) {
  const power = 10 ** Math.floor(Math.log10(Math.max(value, 1)));
  return power * [1, 2, 5, 10].find((one) => one * power >= value);
}

const halo = { stroke: "#fff", "stroke-width": 3, "paint-order": "stroke" };

const along = (view, until, most) => view.once(until, `${view.state.revenue} ${most}`, () => Array.from({ length: POINTS + 1 }, (_, at) => {
  const entries = Math.round((most * at) / POINTS);
  return [entries, chance(view.spec, { ...view.state, until }, entries)];
}));

// The curves of all dates, the chosen one bold.
function curves(view, layer, { x, y, most, left, width }) {
  const { spec, state } = view;
  spec.dates.forEach((until) => {
    const mine = until === state.until, line = along(view, until, most), end = line[POINTS][1];
    const points = line.map(([entries, found]) => `${x(entries).toFixed(1)} ${y(found).toFixed(1)}`);
    layer.path(`M${points.join("L")}`, { fill: "none", stroke: mine ? NOW : "#a9bccb", "stroke-width": mine ? 2.8 : 1.4 });
    if (mine) layer.text(x(most), y(end) + 18, until, { "text-anchor": "end", "font-size": 12, "font-weight": 700, ...halo });
  });
  const { needed } = view.found;
  if (needed <= most) {
    layer.line(x(needed), y(state.odds), x(needed), y(0), { stroke: DOWN, "stroke-width": 1.6 });
    layer.text(clamp(x(needed), left + 20, width - 24), y(0) - 6, view.number(needed), { "text-anchor": "middle", "font-weight": 700, fill: DOWN, ...halo });
  }
}

function draw(view, layer, { width, height }) {
  const { found, spec, state, revealed } = view, left = 40, bottom = height - 34, control = spec.controls.find(({ id }) => id === "entries");
  const most = Math.max(control.max, state.entries, 1), x = (entries) => left + 4 + ((width - left - 14) * entries) / most, y = (part) => bottom - part * (bottom - 12);
  for (const part of [0, 0.25, 0.5, 0.75, 1]) {
    layer.line(left, y(part), width, y(part), { stroke: LINE });
    layer.text(left - 6, y(part) + 4, view.percent(part, 0), { "text-anchor": "end", "font-size": 12, fill: SOFT });
  }
  for (let entries = 0, step = rounding(most / 4); entries <= most; entries += step) {
    layer.text(x(entries), bottom + 15, view.number(entries), { "text-anchor": "middle", "font-size": 12, fill: SOFT });
  }
  layer.text((left + width) / 2, height - 4, view.t("axis"), { "text-anchor": "middle", "font-size": 12, fill: SOFT });
  layer.line(left, y(state.odds), width, y(state.odds), { stroke: UP, "stroke-width": 1.5, "stroke-dasharray": "6 4" });
  layer.text(left + 6, y(state.odds) - 5, view.t("wanted", { odds: view.percent(state.odds, 0) }), { "font-size": 12, fill: UP, ...halo });
  const pace = spec.pace * weeks(view);
  layer.line(x(pace), y(1), x(pace), bottom, { stroke: SOFT, "stroke-dasharray": "3 3" });
  layer.text(x(pace) + 4, y(0.02) - 16, view.t("pace"), { "font-size": 12, fill: SOFT, ...halo });
  if (revealed) curves(view, layer, { x, y, most, left, width });
  else layer.text(x(state.entries), y(state.guess) - 14, view.t("your_guess", { guess: view.percent(state.guess, 0) }), { "text-anchor": "middle", "font-weight": 700, ...halo });
  layer.circle(x(state.entries), y(revealed ? found.chance : state.guess), 7, { fill: revealed ? NOW : "#fff", stroke: NOW, "stroke-width": 2, "data-drag": "entries" });
  return revealed ? `${finding(view)} ${answer(view)}` : finding(view);
}

const finding = (view) => view.t("finding", { revenue: view.money(view.state.revenue), until: view.state.until, n: view.number(view.state.entries) });

function answer(view) {
  const { found, state } = view, values = { chance: view.percent(found.chance, 0), guess: view.percent(state.guess, 0), odds: view.percent(state.odds, 0) };
  return view.t(Number.isFinite(found.needed) ? "answer" : "answer_never", { ...values, n: view.number(found.needed), week: a_week(view, found.needed) });
}

const remark = (view) => view.t("explains", { n: view.number(view.spec.futures[view.state.until].needed[0].length) });

function verdict(view, judged) {
  if (judged.status === "start") return [view.t("start")];
  const facts = view.t("facts", { revenue: view.money(view.state.revenue), chance: view.percent(judged.chance, 1) });
  return [judged.status === "outside" && !judged.fixed ? view.t("too_low") : view.t(judged.status), facts];
}

function drag(view, held, dx) {
  const control = view.spec.controls.find(({ id }) => id === "entries"), most = Math.max(control.max, held.state.entries, 1);
  return { entries: clamp(Math.round(held.state.entries + (dx * most) / (view.canvas.clientWidth - 54)), 0, control.most) };
}

const code = (spec, { revenue, until, odds }) =>
  `import funnelkit as fk\n\nfk.solve_target(${spec.source}, ${python(revenue)}, "${until}", odds=${python(odds)})\n`;

const legend = { now: "legend_curve", needed: "legend_needed" };
const shown = explorable({ compute, judge, figures, table, draw, answer, remark, verdict, drag, code, legend });
export default shown;
