// Can we promise this target? The chance of reaching it by new deals and their win rate, from a grid that the kit has laid.
import {
  clamp, DOWN, explorable, LINE, NOW, python, SOFT, UP,
} from "./core.mjs";

// Between the points of the grid that lie around, the log odds change evenly. Of two win rates those numbers of new deals
// lie side by side that win as many; `TargetSolver._chance` does the same.
function chance({ grid, chances, edge }, { until, revenue, rates }, entries) {
  const near = (nodes, value) => {
    const at = clamp(nodes.findLastIndex((node) => node <= value), 0, nodes.length - 2);
    return [at, Math.min((value - nodes[at]) / (nodes[at + 1] - nodes[at]), 1)];
  };
  const [r, rate] = near(grid.rates, rates), [t, target] = near(grid.revenue, revenue);
  const logOdds = (p) => Math.log((p + edge) / (1 - p + edge));
  const [one, other] = [r, r + 1].map((i) => {
    const [e, entry] = near(grid.entries[i], (entries * rates) / grid.rates[i]);
    const [low, high] = [t, t + 1].map((j) => {
      const [less, more] = [e, e + 1].map((at) => logOdds(chances[until][i][j][at]));
      return less + entry * (more - less);
    });
    return low + target * (high - low);
  });
  const odds = Math.exp(one + rate * (other - one));
  return clamp((odds * (1 + edge) - edge) / (1 + odds), 0, 1);
}

const enough = (found, odds) => found >= odds - 1e-9;

// The fewest new deals that are enough, NaN where none are.
function fewest(spec, state) {
  let low = -1, high = spec.most;
  if (!enough(chance(spec, state, high), state.odds)) return NaN;
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (enough(chance(spec, state, middle), state.odds)) high = middle; else low = middle;
  }
  return high;
}

export function compute(spec, state) {
  return { chance: chance(spec, state, state.entries), open: chance(spec, state, 0), needed: fewest(spec, state) };
}

export function judge(spec, state) {
  const { rule } = spec.challenge, { baseline } = spec, found = chance(spec, state, state.entries);
  const fixed = ["until", "entries", "rates"].some((name) => state[name] !== baseline[name]), start = !fixed && state.revenue === baseline.revenue;
  const more = Math.min(state.revenue + rule.step, spec.grid.revenue.at(-1));
  const low = !fixed && more > state.revenue && enough(chance(spec, { ...state, revenue: more }, state.entries), rule.odds);
  return { status: start ? "start" : fixed || low ? "outside" : enough(found, rule.odds) ? "done" : "not_yet", fixed, chance: found };
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

// The curves of all dates, the chosen one bold.
function curves(view, layer, { x, y, most, left, width }) {
  const { spec, state } = view;
  const nodes = [...spec.grid.entries[1].filter((entries) => entries < most), most];
  spec.dates.forEach((until) => {
    const mine = until === state.until, line = nodes.map((entries) => [entries, chance(spec, { ...state, until }, entries)]), end = line.at(-1)[1];
    const points = line.map(([entries, found]) => `${x(entries).toFixed(1)} ${y(found).toFixed(1)}`);
    layer.path(`M${points.join("L")}`, { fill: "none", stroke: mine ? NOW : "#a9bccb", "stroke-width": mine ? 2.8 : 1.4 });
    if (mine) layer.text(x(most), y(end) + 18, until, { "text-anchor": "end", "font-size": 12, "font-weight": 700, ...halo });
  });
  const { needed } = view.found;
  if (needed <= most) {
    layer.line(x(needed), y(state.odds), x(needed), y(0), { stroke: DOWN, "stroke-width": 1.6 });
    layer.text(x(needed) + (needed < most / 2 ? 6 : -6), y(0) - 6, view.number(needed), { "text-anchor": needed < most / 2 ? "start" : "end", "font-weight": 700, fill: DOWN, ...halo });
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
  const right = x(pace) < left + 110 || (revealed && found.needed < pace); // clear of the line of the new deals needed
  layer.text(x(pace) + (right ? 5 : -5), y(0.06), view.t("pace"), { "text-anchor": right ? "start" : "end", "font-size": 12, fill: SOFT, ...halo });
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

const remark = (view) => view.t("explains", { n: view.number(view.spec.futures) });

function verdict(view, judged) {
  if (judged.status === "start") return [view.t("start")];
  const facts = view.t("facts", { revenue: view.money(view.state.revenue), chance: view.percent(judged.chance, 1) });
  return [judged.status === "outside" && !judged.fixed ? view.t("too_low") : view.t(judged.status), facts];
}

function drag(view, held, dx) {
  const control = view.spec.controls.find(({ id }) => id === "entries"), most = Math.max(control.max, held.state.entries, 1);
  return { entries: clamp(Math.round(held.state.entries + (dx * most) / (view.canvas.clientWidth - 54)), 0, control.most) };
}

const code = (spec, { revenue, until, odds, entries, rates }) =>
  `import funnelkit as fk\n\nplan = fk.solve_target(${spec.source}, ${python(revenue)}, "${until}", odds=${python(odds)})\n`
  + `print(plan.chance(${python(entries)}, rates=${python(rates)}))\nplan\n`;

const legend = { now: "legend_curve", needed: "legend_needed" };
const shown = explorable({ compute, judge, figures, table, draw, answer, remark, verdict, drag, code, legend });
export default shown;
