// Did the rate change, or was it luck? Months of one team, an interval that decides, and how often it is right.
import {
  clamp, DOWN, explorable, FLOW, INK, LINE, newcombe, NOW, python, SOFT, successes, UP, uniform, wilson,
} from "./core.mjs";

const LONGEST = 1 << 9; // each month has a stretch of its own: a longer one begins with the same deals
const changed = (spec, round) => uniform(spec.coins + round) < 0.5;
const ROUNDS = new Map(); // the deals of the last settings drawn: they are asked for several times a move
const sum = (values) => values.reduce((one, other) => one + other, 0);

function winsOfAll(spec, state) {
  const key = `${state.n} ${state.rate} ${state.size}`;
  if (!ROUNDS.has(key)) {
    if (ROUNDS.size > 3) ROUNDS.delete(ROUNDS.keys().next().value);
    ROUNDS.set(key, Array.from({ length: spec.rounds }, (_, at) => wins(spec, state, at + 1)));
  }
  return ROUNDS.get(key);
}

// Wins of each month of a round; where the true rate falls, it does so for the last months.
function wins(spec, { n, rate, size }, round) {
  const fallen = changed(spec, round) ? Math.max(0, rate - size) : rate, months = spec.dates.length;
  return spec.dates.map((_, at) => successes((round * months + at) * LONGEST, n, at < months - spec.after ? rate : fallen));
}

// The last months against all before, as `fk.newcombe` has it.
function contrast(k, { n, months }, z2) {
  const cut = k.length - months, [now, before] = [sum(k.slice(cut)), sum(k.slice(0, cut))];
  const [change, low, high] = newcombe(now, months * n, before, cut * n, z2);
  return { k: now, n: months * n, k_before: before, n_before: cut * n, change, low, high };
}

const twoFalls = (k, months) => k.some((now, at) => at > k.length - months && now < k[at - 1] && k[at - 1] < k[at - 2]);

function allRounds(spec, state) {
  const found = { changed: [], signal: [], falls: [] };
  for (let round = 1; round <= spec.rounds; round += 1) {
    const k = winsOfAll(spec, state)[round - 1];
    found.changed.push(changed(spec, round));
    found.signal.push(contrast(k, state, spec.z2).high < 0);
    found.falls.push(twoFalls(k, state.months));
  }
  return found;
}

export function compute(spec, state) {
  const won = winsOfAll(spec, state)[state.round - 1], ends = won.map((k) => wilson(k, state.n, spec.z2)), rounds = allRounds(spec, state);
  return {
    won, rate: won.map((k) => k / state.n), low: ends.map(([low]) => low), high: ends.map(([, high]) => high),
    contrast: contrast(won, state, spec.z2), ...rounds,
  };
}

const caught = (spec, state) => {
  const { changed: truth, signal } = allRounds(spec, state);
  return truth.filter((fell, at) => fell && signal[at]).length / truth.filter(Boolean).length;
};

export function judge(spec, state) {
  const { rule } = spec.challenge, { baseline } = spec, found = caught(spec, state);
  const fixed = ["n", "rate", "months"].some((name) => state[name] !== baseline[name]);
  const start = !fixed && state.size === baseline.size;
  const less = !start && !fixed && caught(spec, { ...state, size: Math.max(0, state.size - rule.point) }) >= rule.share;
  return { status: start ? "start" : fixed || less ? "outside" : found >= rule.share ? "done" : "not_yet", found, fixed };
}

const score = ({ changed: truth, signal, falls }) => {
  const count = (said, of) => truth.filter((fell, at) => fell === of && said[at]).length, n = truth.filter(Boolean).length;
  return { n, quiet: truth.length - n, hits: count(signal, true), alarms: count(signal, false),
    falls_hits: count(falls, true), falls_alarms: count(falls, false) };
};
const counted = (view) => Object.fromEntries(Object.entries(score(view.found)).map(([name, value]) => [name, view.number(value)]));
const size = (view) => view.number(100 * view.state.size, Math.abs(view.state.size * 100 - Math.round(view.state.size * 100)) < 1e-6 ? 0 : 1);
const truth = (view) => view.found.changed[view.state.round - 1] && view.state.size > 0;

function figures(view) {
  const { state, t, revealed } = view, { k, n, k_before, n_before, change, low, high } = view.found.contrast;
  const tally = counted(view), range = t("range", { low: view.points(low), high: view.points(high) });
  return [
    { label: t("last", { months: view.number(state.months) }), value: view.percent(k / n),
      note: t("before_note", { rate: view.percent(k_before / n_before), n: view.number(n_before) }) },
    { label: t("interval"), value: revealed ? range : "?", note: t("interval_note", { change: view.points(change) }) },
    { label: t("right"), value: revealed ? t("of", tally) : "?", note: revealed ? t("right_note", tally) : t("right_before", { n: view.number(view.spec.rounds) }) },
  ];
}

function table(view) {
  const { found, state, spec } = view, columns = [["month"], ["k"], ["n"], ["share", "strong"], ["from"], ["to"]]
    .map(([key, kind]) => ({ name: view.t(key), kind }));
  const rate = (value) => ({ text: view.percent(value), value }), count = (value) => ({ text: view.number(value), value });
  const rows = found.won.map((k, at) => [spec.dates[at], count(k), count(state.n), rate(found.rate[at]), rate(found.low[at]), rate(found.high[at])]);
  return { caption: view.t("title"), columns, rows };
}

function scale(found) {
  const top = Math.min(1, Math.max(...found.rate) * 1.15 + 0.05), step = top > 0.6 ? 0.2 : top > 0.25 ? 0.1 : 0.05;
  return { top: Math.min(1, Math.ceil(top / step - 1e-9) * step), step };
}

// What the interval says of the last months: where they would lie, seen from the rate before.
function decided(view, layer, { x, y, width, cut }) {
  const { state, spec } = view, { k, n, k_before, n_before, low, high } = view.found.contrast, before = k_before / n_before, now = k / n;
  const top = y(before + high);
  layer.rect(x(cut), top, width - x(cut), y(before + low) - top, { fill: FLOW });
  layer.line(x(0), y(before), width, y(before), { stroke: INK, "stroke-dasharray": "6 4" });
  layer.line(x(cut), y(now), width, y(now), { stroke: high < 0 ? DOWN : NOW, "stroke-width": 3 });
  const from = spec.dates.length - spec.after, fallen = truth(view) ? Math.max(0, state.rate - state.size) : state.rate;
  layer.path(`M${x(0)} ${y(state.rate)}H${x(from)}V${y(fallen)}H${width}`, { fill: "none", stroke: UP, "stroke-width": 1.2, "stroke-dasharray": "2 3" });
}

function draw(view, layer, { width, height }) {
  const { found, spec, state, revealed } = view, left = 38, bottom = height - 20, { top, step } = scale(found), n = spec.dates.length;
  const y = (rate) => bottom - (clamp(rate, 0, top) / top) * (bottom - 18), x = (at) => left + ((width - left) * at) / n, cut = n - state.months;
  for (let rate = 0; rate <= top + 1e-9; rate += step) {
    layer.line(left, y(rate), width, y(rate), { stroke: LINE });
    layer.text(left - 6, y(rate) + 4, view.percent(rate, 0), { "text-anchor": "end", "font-size": 12, fill: SOFT });
  }
  if (revealed) decided(view, layer, { x, y, width, cut });
  layer.line(x(cut), 12, x(cut), bottom, { stroke: SOFT, "stroke-dasharray": "3 3" });
  layer.text(x(cut) + 4, 12, view.t("compared"), { "font-size": 12, fill: SOFT });
  layer.path(`M${found.rate.map((rate, at) => `${x(at + 0.5).toFixed(1)} ${y(rate).toFixed(1)}`).join("L")}`, { fill: "none", stroke: "#8fa3b5", "stroke-width": 1.4 });
  found.rate.forEach((rate, at) => layer.circle(x(at + 0.5), y(rate), width < 480 ? 3.2 : 4.2, { fill: at < cut ? "#7b8794" : NOW }));
  spec.dates.forEach((date, at) => {
    if (at % (width < 480 ? 12 : 6) === 0) layer.text(x(at), height - 4, date, { "font-size": 12, fill: SOFT });
  });
  return revealed ? `${finding(view)} ${answer(view)}` : finding(view);
}

const finding = (view) => view.t("finding", { months: view.number(view.state.months), rate: view.percent(view.found.k / view.found.n_last),
  before: view.percent(view.found.k_before / view.found.n_before) });

function answer(view) {
  const alarm = view.found.contrast.high < 0, fell = truth(view);
  return `${view.t(alarm ? "says_signal" : "says_noise")} ${view.t(fell ? "truth_fell" : "truth_same", { size: size(view) })}`;
}

const remark = (view) => (view.revealed ? view.t("rule", counted(view)) : view.t("guess_first"));

function verdict(view, judged) {
  if (judged.status === "start") return [view.t("start")];
  const facts = view.t("facts", { share: view.percent(judged.found, 0), size: size(view) });
  return [judged.status === "outside" && !judged.fixed ? view.t("too_large") : view.t(judged.status), facts];
}

const again = { key: "again", hides: true, run: (spec, { round }) => ({ round: round >= spec.rounds ? 1 : round + 1, guess: "" }) };

function code(spec, state) {
  const { k, n, k_before, n_before } = contrast(wins(spec, state, state.round), state, spec.z2), list = (...values) => values.map(python).join(", ");
  return `import funnelkit as fk\nfrom funnelkit.explore import draw_months\n\nmonths = draw_months(${list(state.n, state.rate, state.size)}, round_=${python(state.round)})\n`
    + `print(fk.newcombe(${list(k, n, k_before, n_before)}))\nfk.win_rate(months, "month")\n`;
}

const legend = { now: "legend_now", interval: "legend_interval", before: "legend_before", truth: "legend_truth" };
const shown = explorable({ compute, judge, figures, table, draw, answer, remark, verdict, code, legend, actions: [again] });
export default shown;
