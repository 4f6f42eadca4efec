// What does conversion mean? A dozen deals on a time line, and which of them count under one rule or another.
import {
  DOWN, explorable, FLOW, INK, LINE, NOW, python, SOFT,
} from "./core.mjs";

const GOES_ON = Infinity;

// --- the search, as `fk.count_events` and `fk.journeys` run it for events at different times --------------------------

const ruleOf = (state) => ({
  ...state, window: state.since === "none" ? GOES_ON : state.window, previous: state.since === "previous" && state.order !== "any",
});

// Rows of a deal: its days, the place of its step (-1: none), and how many cancellations came before.
function rowsOf(spec, deal, rule) {
  let cut = 0;
  return deal.events.map(([day, name]) => {
    const row = { day, step: spec.steps.indexOf(name), unit: rule.exclusion === "keep" ? cut : 0, cancel: name === spec.cancel };
    if (row.cancel) cut += 1;
    return row;
  });
}

// Level by level: a row of the next step goes on from the last surviving row before it, which carries the latest start.
function ordered(rows, size, rule) {
  const starts = rows.filter(({ step }) => step === 0).slice(0, rule.reentry === "first" ? 1 : undefined);
  const levels = [starts.map((row) => ({ row, begun: row }))];
  for (let step = 1; step < size; step += 1) {
    levels.push(rows.filter((row) => row.step === step).map((row) => {
      const before = levels[step - 1].filter((one) => one.row.day < row.day).pop();
      if (!before || before.row.unit !== row.unit) return null;
      return row.day - (rule.previous ? before.row : before.begun).day <= rule.window ? { row, begun: before.begun } : null;
    }).filter(Boolean));
  }
  const depth = levels.filter((level) => level.length).length;
  if (!depth) return { path: [] };
  const deepest = levels[depth - 1], { row: end, begun } = depth === size ? deepest[0] : deepest[deepest.length - 1];
  return { path: levels.slice(0, depth).map((level) => level.find((one) => one.begun === begun).row), end };
}

// The most steps that one window holds, in any order; of equals the first that completes, else the last.
function anyOrder(rows, size, rule) {
  const steps = rows.filter(({ step }) => step >= 0), starts = rule.reentry === "first" ? steps.slice(0, 1) : steps;
  const found = starts.reduce((best, start) => {
    const path = Array.from({ length: size }, (_, step) => steps.find((row) => row.step === step && row.day >= start.day))
      .filter((row) => row && row.unit === start.unit && row.day - start.day <= rule.window).sort((one, other) => one.day - other.day);
    return path.length > best.length || (path.length === best.length && path.length < size) ? path : best;
  }, []);
  return { path: found };
}

// One event after the other: what is no step, or comes too early, ends the search; step 1 always restarts it.
function strictOrder(rows, size, rule) {
  let chains = new Array(size).fill(null), best = [], unit = -1, begun = false;
  for (const row of rows) {
    const cut = begun && row.unit !== unit;
    unit = row.unit;
    if (cut || (begun && row.step < 0)) break;
    if (row.step < 0) continue;
    const before = row.step ? chains[row.step - 1] : [];
    if (row.step === 0) begun = true;
    if (!before) {
      if (begun && rule.reentry === "first") break;
      continue;
    }
    const since = rule.previous ? before[before.length - 1] : before[0];
    if (since && row.day - since.day > rule.window) continue;
    chains = chains.map((chain, at) => (at === row.step ? [...before, row] : chain));
    if (chains[row.step].length >= best.length) best = chains[row.step];
    if (best.length === size) break;
  }
  return { path: best };
}

// Whether a cancellation removes the deal: within its chain, or until its window is over where it did not convert.
function removed(rows, { path, end = path[path.length - 1] }, size, rule) {
  if (rule.exclusion !== "person" || !path.length) return false;
  const start = path[0].day, through = path.length === size, last = (rule.previous ? end.day : start) + rule.window;
  return rows.some(({ cancel, day }) => cancel && day >= start && (through ? day < end.day : day <= last));
}

function follow(spec, deal, state) {
  const rule = ruleOf(state), rows = rowsOf(spec, deal, rule), search = { ordered, strict: strictOrder, any: anyOrder }[rule.order];
  const found = search(rows, spec.steps.length, rule), out = removed(rows, found, spec.steps.length, rule);
  return { path: out ? [] : found.path.map(({ day }) => day), depth: out ? 0 : found.path.length, out };
}

// Why a deal does not count: the one change of the rule by which it would.
function reason(spec, deal, state, { depth, out }) {
  const counts = (more) => follow(spec, deal, { ...state, ...more }).depth === spec.steps.length;
  if (depth === spec.steps.length) return "counts";
  if (out || counts({ exclusion: "ignore" })) return "why_cancelled";
  if (spec.steps.some((step) => !deal.events.some(([, name]) => name === step))) return "why_missing";
  if (counts({ since: "none" })) return "why_late";
  if (counts({ reentry: "latest" })) return "why_first";
  if (state.order === "strict" && counts({ order: "ordered" })) return "why_between";
  return counts({ order: "any" }) || !counts({ since: "none", reentry: "latest", order: "ordered", exclusion: "ignore" }) ? "why_order" : "why_several";
}

const converted = (spec, state) => spec.deals.filter((deal) => follow(spec, deal, state).depth === spec.steps.length).length;

export function compute(spec, state) {
  const deals = spec.deals.map((deal) => follow(spec, deal, state)), depth = deals.map((one) => one.depth);
  const entered = spec.steps.map((_, at) => depth.filter((steps) => steps > at).length), n = entered[entered.length - 1];
  return { deals, depth, entered, n, rate: entered[0] ? n / entered[0] : NaN, reasons: spec.deals.map((deal, at) => reason(spec, deal, state, deals[at])) };
}

export function judge(spec, state) {
  const { rule } = spec.challenge, { baseline } = spec, n = converted(spec, state);
  const moved = ["order", "since", "window", "reentry", "exclusion"].some((name) => state[name] !== baseline[name]);
  const limited = state.since !== "none" && state.window <= rule.window;
  const outside = !limited || state.order !== "ordered" || state.exclusion === "ignore";
  return { status: !moved ? "start" : outside ? "outside" : n >= rule.n ? "done" : "not_yet", n };
}

// --- the card ---------------------------------------------------------------------------------------------------------

const stepName = (view, at) => view.name(view.spec.names[view.spec.steps[at]]);

function figures(view) {
  const { found, spec, t } = view, of = view.number(spec.deals.length), was = compute(spec, spec.baseline);
  return [
    { label: t("n"), value: t("of", { n: view.number(found.n), of }), note: found.n === was.n ? t("as_before") : t("n_was", { n: view.number(was.n) }) },
    { label: t("began"), value: view.number(found.entered[0]), note: t("began_note", { n: view.number(found.entered[1]) }) },
    { label: t("rate"), value: view.percent(found.rate, 0), note: t("rate_note") },
  ];
}

function table(view) {
  const { found, spec } = view, columns = ["deal", "events", "depth", "why"].map((key) => ({ name: view.t(key), kind: key === "depth" ? "strong" : "" }));
  const rows = spec.deals.map((deal, at) => [deal.id, view.list(deal.events.map(([day, name]) => view.t("at", { event: view.name(spec.names[name] ?? name), day: view.number(day) }))),
    { text: view.number(found.depth[at]), value: found.depth[at] }, view.t(found.reasons[at])]);
  return { caption: view.t("title"), columns, rows };
}

// One deal: its window as a band, its events as dots; those of the chain that counts are full and joined.
function deal(view, layer, at, { x, y, row }) {
  const { spec, state, found } = view, { path } = found.deals[at], counts = found.reasons[at] === "counts", radius = Math.min(8, row * 0.42);
  layer.line(x(0), y, x(spec.longest), y, { stroke: LINE });
  if (path.length && state.since !== "none") {
    const since = state.since === "previous" && state.order !== "any" ? path.slice(0, spec.steps.length - 1) : path.slice(0, 1);
    for (const day of since) layer.rect(x(day), y - row * 0.44, x(Math.min(day + state.window, spec.longest)) - x(day), row * 0.88, { fill: FLOW, "fill-opacity": 0.55 });
  }
  if (path.length > 1) layer.line(x(path[0]), y, x(path[path.length - 1]), y, { stroke: NOW, "stroke-width": counts ? 3 : 1.5 });
  for (const [day, name] of spec.deals[at].events) {
    const step = spec.steps.indexOf(name), used = path.includes(day), bold = { "text-anchor": "middle", "font-weight": 700 };
    if (name === spec.cancel) layer.text(x(day), y + 5, "×", { ...bold, "font-size": 16, fill: DOWN });
    else if (step < 0) layer.circle(x(day), y, 3, { fill: "#7b8794" });
    else {
      layer.circle(x(day), y, radius, { fill: used ? NOW : "#fff", stroke: NOW, "stroke-width": 1.3 });
      layer.text(x(day), y + radius * 0.5, String(step + 1), { ...bold, "font-size": radius * 1.45, fill: used ? "#fff" : NOW });
    }
  }
}

function draw(view, layer, { width, height }) {
  const { spec, found } = view, narrow = width < 480, left = 36, words = narrow ? 116 : 124, bottom = height - 18;
  const row = (bottom - 2) / spec.deals.length, x = (day) => left + ((width - left - words) * day) / spec.longest;
  for (const day of [0, 10, 20, 30, 40]) layer.text(x(day), height - 4, view.t(day ? "day_short" : "day", { day: view.number(day) }), { "text-anchor": "middle", "font-size": 12, fill: SOFT });
  const size = Math.min(12, row * 0.72);
  spec.deals.forEach((one, at) => {
    const y = 2 + row * (at + 0.5), counts = found.reasons[at] === "counts";
    deal(view, layer, at, { x, y, row });
    layer.text(left - 8, y + size / 3, one.id, { "text-anchor": "end", "font-size": size, fill: SOFT });
    layer.text(width - words + 12, y + size / 3, counts ? `✓ ${view.t("counts")}` : view.t(found.reasons[at]),
      { "font-size": size, "font-weight": counts ? 700 : 400, fill: counts ? INK : SOFT });
  });
  return `${finding(view)} ${view.list(spec.deals.map((one, at) => `${one.id} ${view.t(found.reasons[at])}`))}`;
}

const finding = (view) => view.t("finding", { n: view.number(view.found.n), of: view.number(view.spec.deals.length) });

function answer(view) {
  const { spec } = view, counts = spec.systems.map(({ state }) => converted(spec, { ...spec.baseline, ...state }));
  const list = spec.systems.map(({ name }, at) => view.t("system", { name, n: view.number(counts[at]) }));
  return view.t("answer", { list: view.list(list), low: view.number(Math.min(...counts)), high: view.number(Math.max(...counts)) });
}

const remark = (view) => view.t("legend_steps", Object.fromEntries(["first", "second", "third"].map((key, at) => [key, stepName(view, at)])));

function verdict(view, judged) {
  return judged.status === "start" ? [view.t("start")] : [view.t(judged.status), view.t("facts", { n: view.number(judged.n) })];
}

function code(spec, state) {
  const rows = spec.deals.flatMap(({ id, events }) => events.map(([day, name]) => ({ id, day, name }))), list = (of) => `[${rows.map(of).join(", ")}]`;
  const fields = [["order", state.order], ["reentry", state.reentry]];
  if (state.since !== "none") fields.push(["window", `${state.window}d`], ["window_from", state.order === "any" ? "first" : state.since]);
  if (state.exclusion !== "ignore") fields.push(["exclude", spec.cancel], ["exclusion", state.exclusion]);
  return `import pandas as pd\n\nimport funnelkit as fk\n\ndays = pd.to_timedelta(${list(({ day }) => day)}, unit="D")\n`
    + `log = pd.DataFrame({"deal_id": ${list(({ id }) => python(id))},\n    "stage": ${list(({ name }) => python(name))},\n    "entered_at": pd.Timestamp("2026-01-01") + days})\n`
    + `rule = fk.Rule(${fields.map(([name, value]) => `${name}=${python(value)}`).join(", ")})\n`
    + `fk.count_events(log, [${spec.steps.map(python).join(", ")}], rule, as_of="2026-05-11")\n`;
}

const legend = { now: "legend_used", window: "legend_window" };
const shown = explorable({ compute, judge, figures, table, draw, answer, remark, verdict, code, legend });
export default shown;
