// Where does the next hour earn most? Hours by state within one budget, each state's gain up to the last of its deals.
import {
  clamp, explorable, GAIN, INK, LINE, NOW, python, SOFT, STAR, UP,
} from "./core.mjs";

const FILLS = [NOW, GAIN, "#c3d9e9", "#7b8794", "#a9cbe2", "#52606d"];

export function compute(spec, state) {
  const costs = spec.rows.map((_, at) => state[`cost${at}`]), hours = spec.rows.map((_, at) => state[`hours${at}`]);
  const chance = spec.rows.map((row) => row.after - row.now);
  const gain = spec.rows.map((row, at) => (chance[at] * (row.n_valued > 0 ? row.value_open / row.n_valued : 0)) / costs[at]);
  const most = spec.rows.map((row, at) => row.n_open * costs[at]);
  const best = spec.rows.map(() => 0);
  let rest = state.budget;
  const order = gain.map((_, at) => at).filter((at) => gain[at] > 0).sort((one, other) => gain[other] - gain[one] || one - other);
  for (const at of order) {
    best[at] = Math.min(most[at], rest);
    rest -= best[at];
  }
  const given = hours.map((asked, at) => Math.min(asked, most[at]));
  const value = given.map((own, at) => own * gain[at]), best_value = best.map((own, at) => own * gain[at]);
  const sum = (values) => values.reduce((one, other) => one + other, 0);
  return {
    gain, most, best, given, value, best_value, asked: sum(hours), total: sum(value), best_total: sum(best_value),
    n_pushed: given.map((own, at) => own / costs[at]), wins: sum(given.map((own, at) => (own / costs[at]) * chance[at])),
  };
}

const TRIES = ["try1", "try2", "try3"]; // the shares of the best that were reached, -1 where there was no try

export function judge(spec, state) {
  const found = compute(spec, state), hours = spec.rows.map((_, at) => `hours${at}`);
  const tried = TRIES.map((name) => state[name]).filter((share) => share >= 0);
  const sized = Object.keys(state).some((name) => (name === "budget" || name.startsWith("cost")) && state[name] !== spec.baseline[name]);
  const over = found.asked > state.budget * (1 + 1e-9), share = found.best_total > 0 ? found.total / found.best_total : 1;
  const moved = tried.length > 0 || hours.some((name) => state[name] !== spec.baseline[name]);
  const met = tried.some((one) => one >= spec.challenge.rule.share - 1e-9), spent = !met && tried.length === TRIES.length;
  const status = sized ? "outside" : met ? "done" : !moved ? "start" : spent || over ? "outside" : "not_yet";
  return { status, share: clamp(share, 0, 1), over, spent: spent && !sized, tried };
}

// The next of three tries; a plan beyond the budget is none.
function submit(spec, state) {
  const { share, over } = judge(spec, state), free = TRIES.find((name) => state[name] < 0);
  return free && !over ? { [free]: share } : {};
}

function figures(view) {
  const { found, state, t } = view, rest = state.budget - found.asked;
  return [
    { label: t("value"), value: view.money(found.total), note: t("value_note") },
    { label: t("wins"), value: view.number(found.wins, 1), note: t("wins_note") },
    { label: t("rest"), value: view.number(rest), note: t(rest < -1e-9 ? "rest_over" : "rest_note"), tone: rest < -1e-9 ? "down" : "" },
  ];
}

function table(view) {
  const { found, spec, revealed } = view, keys = ["state", "open", "given", "moved", "gain", "value_short", "best"];
  const columns = keys.map((key) => ({ name: view.t(key), kind: key === "value_short" ? "strong" : "" }));
  const rows = spec.rows.map((row, at) => [
    view.name(row.name), { text: view.number(row.n_open), value: row.n_open }, { text: view.number(found.given[at]), value: found.given[at] },
    { text: view.number(found.n_pushed[at], 1), value: found.n_pushed[at] }, { text: view.money(found.gain[at]), value: found.gain[at] },
    { text: view.money(found.value[at]), value: found.value[at] },
    revealed ? { text: view.number(found.best[at]), value: found.best[at] } : "?",
  ]);
  return { caption: view.t("title"), columns, rows };
}

function budgetBar(view, layer, width) {
  const { found, spec, state } = view, whole = Math.max(state.budget, found.asked, 1e-9), x = (hours) => 1 + (hours / whole) * (width - 2);
  let from = 0;
  layer.rect(1, 1, x(state.budget) - 1, 26, { fill: "#fff", stroke: SOFT });
  spec.rows.forEach((row, at) => {
    const hours = state[`hours${at}`], wide = x(from + hours) - x(from), text = `${view.name(row.name)} ${view.number(hours)}`;
    layer.rect(x(from), 1, wide, 26, { fill: FILLS[at % FILLS.length], stroke: "#fff" });
    if (wide > 8 * text.length + 6) layer.text(x(from) + wide / 2, 18.5, text, { "text-anchor": "middle", "font-weight": 600, fill: at ? INK : "#fff" });
    from += hours;
  });
  layer.line(x(state.budget), 0, x(state.budget), 34, { stroke: INK, "stroke-width": 2 });
  layer.text(Math.min(x(state.budget), width), 46, view.t("budget_mark"), { "text-anchor": "end", "font-size": 12, fill: SOFT });
}

// Value by hours: a line that rises until every open deal has been worked on, then flat; the dot is one's own plan.
function curve(view, layer, at, box) {
  const { found, spec, state, revealed } = view, top = Math.max(...found.most.map((most, k) => most * found.gain[k]), 1e-9);
  const longest = Math.max(...found.most, state.budget, 1e-9), x = (hours) => box.x + (Math.min(hours, longest) / longest) * box.width;
  const y = (value) => box.y + box.height * (1 - Math.max(value, 0) / top), cap = found.most[at] * found.gain[at], hours = state[`hours${at}`];
  layer.line(box.x, box.y + box.height, box.x + box.width, box.y + box.height, { stroke: LINE });
  layer.path(`M${x(0)} ${y(0)}L${x(found.most[at])} ${y(cap)}L${x(longest)} ${y(cap)}`, { fill: "none", stroke: NOW, "stroke-width": 2.4 });
  if (revealed) {
    const [bx, by] = [x(found.best[at]), y(found.best_value[at])];
    layer.path(`M${bx} ${by - 7}L${bx + 7} ${by}L${bx} ${by + 7}L${bx - 7} ${by}Z`, { fill: STAR, stroke: "#fff" });
  }
  layer.circle(x(hours), y(found.value[at]), 6, { fill: "#fff", stroke: UP, "stroke-width": 3, "data-drag": `hours${at}` });
  layer.text(box.x, box.y - 20, view.name(spec.rows[at].name), { "font-weight": 600 });
  layer.text(box.x, box.y - 5, view.t("per_unit", { gain: view.money(found.gain[at]), unit: view.name(spec.one) }), { "font-size": 12, fill: SOFT });
}

function draw(view, layer, { width, height }) {
  const n = view.spec.rows.length, across = width > 420, top = 58;
  budgetBar(view, layer, width);
  view.spec.rows.forEach((_, at) => {
    const wide = width / n, tall = (height - top) / n;
    curve(view, layer, at, across ? { x: at * wide + 8, y: top + 36, width: wide - 20, height: height - top - 48 }
      : { x: 6, y: top + at * tall + 32, width: width - 12, height: Math.max(tall - 42, 6) });
  });
  return `${finding(view)} ${view.list(view.spec.rows.map((row, at) => `${view.name(row.name)} ${view.number(view.found.given[at])}`))}`;
}

const finding = (view) => view.t("finding", { value: view.money(view.found.total), wins: view.number(view.found.wins, 1) });

function answer(view) {
  const plan = view.spec.rows.map((row, at) => `${view.name(row.name)} ${view.number(view.found.best[at])}`);
  const { gain, best, most } = view.found, ties = (one, other) => Math.abs(gain[one] - gain[other]) <= 1e-9 * gain[one];
  const other = gain.some((_, one) => best[one] > 0 && gain.some((_, at) => at !== one && best[at] < most[at] && ties(one, at)));
  return view.t(other ? "answer_one_of" : "answer", { plan: view.list(plan), value: view.money(view.found.best_total) });
}

function verdict(view, judged) {
  const { status, spent, tried } = judged, left = view.number(TRIES.length - tried.length);
  const facts = view.t(tried.length ? "facts" : "facts_none", { list: view.list(tried.map((share) => view.percent(share, 0))), left });
  return status === "start" ? [view.t("start")] : [view.t(spent ? "spent" : status), facts];
}

function drag(view, held, dx) {
  const n = view.spec.rows.length, wide = view.canvas.clientWidth, across = wide > 420 ? wide / n - 20 : wide - 12;
  const longest = Math.max(...view.found.most, view.state.budget), hours = Math.round(held.state[held.id] + (dx / across) * longest);
  return { [held.id]: Math.max(0, Math.min(hours, view.state.budget)) };
}

function code(spec, state) {
  const found = compute(spec, state), list = (values) => `[${values.map(python).join(", ")}]`;
  const columns = { state: "id", n_open: "n_open", n_valued: "n_valued", value_open: "value_open", win_probability: "now", win_probability_after: "after" };
  const lines = Object.entries(columns).map(([name, key]) => `    "${name}": ${list(spec.rows.map((row) => row[key]))},\n`);
  lines.push(`    "cost": ${list(spec.rows.map((_, at) => state[`cost${at}`]))},\n`);
  for (const name of ["least", "most"]) lines.push(`    "${name}": ${list(found.given)},\n`);
  const budget = Math.max(state.budget, found.given.reduce((one, other) => one + other, 0));
  return `import pandas as pd\n\nimport funnelkit as fk\n\nstates = pd.DataFrame({\n${lines.join("")}})\n`
    + `fk.allocate(states, ${python(budget)}, ${python(spec.unit)})\n`;
}

const actions = [{ key: "submit", run: submit }];
const shown = explorable({ compute, judge, figures, table, draw, answer, verdict, drag, actions, code });
export default shown;
