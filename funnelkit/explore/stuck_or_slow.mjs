// Is this deal stuck or only slow? The share of deals still in the stage by age, and where ours lies on that curve.
import {
  clamp, DOWN, explorable, FLOW, INK, LINE, NOW, python, SOFT, STAR,
} from "./core.mjs";

const SHOWN = 120;
const SAID = { stuck: "is_stuck", late: "is_late", soon: "is_soon", in_time: "is_in_time" };

// The chance that an open deal is at least so old, as `fk.stuck_deals` has it: summed from the oldest on.
function chances({ stay, begun }, ages, own) {
  const all = [...begun, own].sort((one, other) => other - one), above = [];
  let sum = 0;
  for (const age of all) { sum += stay[age]; above.push(sum); }
  const p = ages.map((age) => Math.min(above[all.findLastIndex((other) => other >= age)] / sum, 1));
  return { p, expected: sum };
}

// The share of false names at which each deal is first named (Benjamini and Hochberg).
function named(p, expected) {
  const order = p.map((_, at) => at).sort((one, other) => p[other] - p[one]), found = [];
  let least = 1;
  for (const at of order) {
    least = Math.min(least, (p[at] * expected) / p.filter((other) => other <= p[at]).length);
    found[at] = least;
  }
  return found;
}

export function compute(spec, { stage, age, false_share }) {
  const taught = spec.stages[stage], ages = [...taught.open, age], { p, expected } = chances(taught, ages, age);
  const q = named(p, expected), wait = ages.map((days) => taught.late - days);
  const states = q.map((one, at) => (one <= false_share ? "stuck" : wait[at] <= 0 ? "late" : wait[at] <= spec.soon ? "soon" : "in_time"));
  return { ids: [...taught.ids, spec.ours], ages, still_here: ages.map((days) => taught.stay[days]), p, q, states, usual: taught.usual, late: taught.late };
}

const limitOf = (view) => view.once("limit", `${view.state.stage} ${view.state.false_share}`, () => limit(view.spec, view.state));
const own = (values) => values[values.length - 1];
const stuck = (spec, state) => own(compute(spec, state).states) === "stuck";

// From which age on our deal would be named, or NaN within the slider.
function limit(spec, state) {
  const { min, max } = spec.controls.find(({ id }) => id === "age");
  for (let age = min; age <= max; age += 1) if (stuck(spec, { ...state, age })) return age;
  return NaN;
}

export function judge(spec, state) {
  const { rule } = spec.challenge, { baseline } = spec, fixed = Object.keys(rule).some((name) => state[name] !== rule[name]);
  const start = ["stage", "age", "false_share"].every((name) => state[name] === baseline[name]);
  const older = !fixed && state.age > 1 && stuck(spec, { ...state, age: state.age - 1 });
  const status = start ? "start" : fixed ? "outside" : !stuck(spec, state) ? "not_yet" : older ? "outside" : "done";
  return { status, fixed, age: state.age };
}

function figures(view) {
  const { found, state, t, revealed } = view, hidden = (text) => (revealed ? text : "?");
  return [
    { label: t("usual"), value: t("days", { days: view.number(found.usual) }), note: t("late_note", { days: view.number(found.late) }) },
    { label: t("still"), value: hidden(view.percent(own(found.still_here))), note: t("still_note", { age: view.number(state.age) }) },
    { label: t("chance"), value: hidden(view.percent(own(found.p))), note: revealed ? t("q_note", { q: view.percent(own(found.q)) }) : t("chance_note") },
  ];
}

function table(view) {
  const { found, revealed } = view, columns = [["deal"], ["age_column"], ["still_column"], ["p_column"], ["q_column"], ["state", "strong"]]
    .map(([key, kind]) => ({ name: view.t(key), kind }));
  const share = (value) => (revealed ? { text: view.percent(value), value } : "?");
  const rows = found.ids.map((id, at) => [at + 1 < found.ids.length ? id : view.t("ours"), { text: view.number(found.ages[at]), value: found.ages[at] },
    share(found.still_here[at]), share(found.p[at]), share(found.q[at]), revealed ? view.t(found.states[at]) : "?"]);
  return { caption: view.t("title"), columns, rows };
}

const halo = { stroke: "#fff", "stroke-width": 3, "paint-order": "stroke" };

function axes(view, layer, { x, y, left, width, bottom, longest }) {
  for (const share of [0, 0.25, 0.5, 0.75, 1]) {
    layer.line(left, y(share), width, y(share));
    layer.text(left - 6, y(share) + 4, view.percent(share, 0), { "text-anchor": "end", "font-size": 12, fill: SOFT });
  }
  for (let day = 0; day <= longest; day += 40) {
    layer.text(x(day), bottom + 15, view.t(day ? "day" : "days", { days: view.number(day) }), { "text-anchor": day === longest ? "end" : "middle", "font-size": 12, fill: SOFT });
  }
}

function draw(view, layer, { width, height }) {
  const { found, spec, state, revealed } = view, { stay } = spec.stages[state.stage], left = 40, bottom = height - 22, longest = Math.max(SHOWN, state.age);
  const x = (day) => left + 6 + ((width - left - 16) * day) / longest, y = (share) => bottom - share * (bottom - 14);
  axes(view, layer, { x, y, left, width, bottom, longest });
  const from = revealed ? limitOf(view) : NaN;
  if (from <= longest) {
    layer.rect(x(from), y(1), width - x(from), bottom - y(1), { fill: "url(#hatch)", "fill-opacity": 0.45 });
    layer.text(x(from) + 6, y(1) + 14, view.t("zone", { days: view.number(from) }), { "font-weight": 600, ...halo });
  }
  for (const [day, key, up] of [[found.usual, "half", 6], [found.late, "tenth", 30]]) {
    layer.line(x(day), y(stay[Math.round(day)]), x(day), bottom, { stroke: SOFT, "stroke-dasharray": "3 3" });
    layer.text(x(day) + 5, y(stay[Math.round(day)]) - up, view.t(key, { days: view.number(day) }), { "font-size": 12, fill: SOFT, ...halo });
  }
  let line = "M";
  for (let day = 0; day <= longest; day += 1) line += `${day ? "L" : ""}${x(day).toFixed(1)} ${y(stay[day]).toFixed(1)}`;
  layer.path(line, { fill: "none", stroke: NOW, "stroke-width": 2.4 });
  found.ages.slice(0, -1).forEach((age, at) => layer.circle(x(Math.min(age, longest)), y(found.still_here[at]), 5, {
    fill: revealed && found.states[at] === "stuck" ? DOWN : FLOW, stroke: NOW, "stroke-width": 1.3 }));
  layer.circle(x(state.age), y(own(found.still_here)), 8, { fill: revealed && own(found.states) === "stuck" ? DOWN : STAR, stroke: INK, "stroke-width": 1.5, "data-drag": "age" });
  layer.text(clamp(x(state.age), left + 34, width - 44), y(own(found.still_here)) - 14, view.t("ours_age", { age: view.number(state.age) }), { "text-anchor": "middle", "font-weight": 700, ...halo });
  layer.line(left, bottom, width, bottom, { stroke: LINE });
  return revealed ? `${finding(view)} ${answer(view)}` : finding(view);
}

const finding = (view) => view.t("finding", { age: view.number(view.state.age), usual: view.number(view.found.usual) });

function answer(view) {
  const { found, spec } = view, from = limitOf(view);
  const said = view.t(SAID[own(found.states)], { share: view.percent(own(found.still_here)), p: view.percent(own(found.p)) });
  return `${said} ${Number.isFinite(from) ? view.t("from", { days: view.number(from) }) : view.t("never", { days: view.number(spec.controls.find(({ id }) => id === "age").max) })}`;
}

const remark = (view) => view.t("explains", { n: view.number(view.found.ages.length) });

function verdict(view, judged) {
  if (judged.status === "start") return [view.t("start")];
  return [judged.status === "outside" && !judged.fixed ? view.t("too_old") : view.t(judged.status), view.t("facts", { age: view.number(judged.age) })];
}

function drag(view, held, dx) {
  const longest = Math.max(SHOWN, held.state.age), { min, max } = view.spec.controls.find(({ id }) => id === "age");
  return { age: clamp(Math.round(held.state.age + (dx * longest) / (view.canvas.clientWidth - 56)), min, max) };
}

function code(spec, { stage, age, false_share }) {
  return `import funnelkit as fk\nfrom funnelkit.explore import stage_deals\n\ndeals, events = stage_deals("${stage}", ${python(age)})\n`
    + `model = fk.custom(["quote", "won"], won_stage="won")\npipeline = fk.read(deals, events, model=model, as_of="2026-01-22")\n`
    + `fk.stuck_deals(pipeline, since="2025-07-06", false_share=${python(false_share)})\n`;
}

const legend = { now: "legend_curve", other: "legend_others", ours: "legend_ours" };
const shown = explorable({ compute, judge, figures, table, draw, answer, remark, verdict, drag, code, legend });
export default shown;
