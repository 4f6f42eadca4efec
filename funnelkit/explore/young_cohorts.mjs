// Is the win rate falling, or are the latest deals only young? Counts by month of entry and by age, on the day one looks.
import {
  clamp, DOWN, explorable, INK, LINE, NOW, python, SOFT,
} from "./core.mjs";

const NONE = 1e-12, TOP = 0.6, OLDEST = 240, STEP = 6;
const date = (day) => new Date(Date.UTC(2024, 0, 1 + day)).toISOString().slice(0, 10);
const unripe = (found, at) => found.n_ripe[at] < found.n[at];

// The deals that have begun by the day, as an export holds them: days watched, and how they ended (0 open, 1 won, 2 lost).
function exported(spec, { data, day }) {
  const [days, won] = spec.deals[data];
  return spec.start.map((start, at) => {
    const closed = start + days[at] <= day, month = spec.edges.findIndex((edge) => edge > start) - 1;
    return { start, month, age: day - start, days: closed ? days[at] : day - start, end: closed ? 2 - won[at] : 0 };
  }).filter(({ start }) => start <= day);
}

// The share won within `window` days by Aalen and Johansen: steps in the order of `fk.outcome_curves`.
function incidence(deals, window) {
  const last = Math.max(...deals.map(({ days }) => days)), counts = () => new Array(last + 1).fill(0);
  const [left, gone, won] = [counts(), counts(), counts()];
  for (const { days, end } of deals) { left[days] += 1; gone[days] += end ? 1 : 0; won[days] += end === 1 ? 1 : 0; }
  let there = deals.length, stay = 1, share = 0, found = 0;
  for (let day = 0; day <= last; day += 1) {
    if (gone[day]) {
      share += (stay * won[day]) / there;
      stay *= 1 - gone[day] / there;
      if (day <= window) found = share;
    }
    there -= left[day];
  }
  return window > last && stay > NONE ? NaN : found;
}

function shares(groups, window) {
  const found = { n: [], won: [], n_open: [], n_ripe: [], k_ripe: [], raw: [], ripe: [], incidence: [] };
  for (const deals of groups) {
    const ripe = deals.filter(({ age }) => age >= window), won = deals.filter(({ end }) => end === 1).length;
    const k = ripe.filter(({ end, days }) => end === 1 && days <= window).length;
    const row = { n: deals.length, won, n_open: deals.filter(({ end }) => !end).length, n_ripe: ripe.length, k_ripe: k,
      raw: won / deals.length, ripe: k / ripe.length, incidence: incidence(deals, window) };
    for (const name in row) found[name].push(row[name]);
  }
  return found;
}

const named = (of, columns) => Object.fromEntries(Object.entries(columns).map(([name, values]) => [`${of}_${name}`, values]));

export function compute(spec, state) {
  const deals = exported(spec, state), complete = spec.edges.filter((edge) => edge <= state.day + 1).length - 2;
  const by = (of) => {
    const groups = [];
    for (const deal of deals) (groups[of(deal)] ??= []).push(deal);
    return groups.filter(Boolean);
  };
  const part = ({ month }) => (month > complete ? 2 : month > complete - 3 ? 0 : 1);
  const quarters = by(({ month }) => Math.floor(month / 3)), [from, to] = spec.challenge.rule.quarter;
  const asked = deals.filter(({ start }) => start >= from && start <= to);
  const months = shares(by(({ month }) => month), state.window), parts = shares(by(part).slice(0, 2), state.window);
  return {
    months, parts, ...named("months", months), ...named("parts", parts), quarters,
    q_n: quarters.map((group) => group.length), q_open: quarters.map((group) => group.filter(({ end }) => !end).length),
    q_raw: quarters.map((group) => group.filter(({ end }) => end === 1).length / group.length),
    n_asked: asked.length, asked_ripe: asked.filter(({ age }) => age >= state.window).length,
  };
}

export function judge(spec, { day, window }) {
  const { rule } = spec.challenge, { baseline } = spec, moved = window !== baseline.window;
  const status = moved ? "outside" : day === baseline.day ? "start" : day < rule.day ? "not_yet" : day === rule.day ? "done" : "outside";
  return { status, moved, day };
}

function figures(view) {
  const { parts } = view.found, shown = (name, n) => ({
    label: view.t(name), value: view.percent(parts[name][0]),
    note: view.t("against", { n: view.number(parts[n][0]), before: view.percent(parts[name][1]) }),
  });
  return [shown("raw", "n"), shown("ripe", "n_ripe"), shown("incidence", "n")];
}

function table(view) {
  const { months } = view.found, columns = ["month", "n", "won", "n_open", "raw", "n_ripe", "ripe", "incidence"]
    .map((key) => ({ name: view.t(key), kind: key === "incidence" ? "strong" : "" }));
  const count = (value) => ({ text: view.number(value), value }), rate = (value) => ({ text: view.percent(value), value });
  const rows = months.n.map((n, at) => [view.spec.months[at], count(n), count(months.won[at]), count(months.n_open[at]),
    rate(months.raw[at]), count(months.n_ripe[at]), rate(months.ripe[at]), rate(months.incidence[at])]);
  return { caption: view.t("title"), columns, rows };
}

const small = { "font-size": 12, fill: SOFT };

function axes(view, layer, { x, y, width, height }, title) {
  layer.text(...(title === "ages" ? [x + width, y - 8, view.t(title), { ...small, "text-anchor": "end" }] : [x, y - 8, view.t(title), small]));
  for (const rate of [0, 0.2, 0.4, 0.6]) {
    const at = y + height * (1 - rate / TOP);
    layer.line(x, at, x + width, at, { stroke: LINE });
    layer.text(x - 5, at + 4, view.percent(rate, 0), { ...small, "text-anchor": "end" });
  }
}

// What a dashboard shows: won so far of those that entered, month by month; hatched where not all are ripe.
function bars(view, layer, box) {
  const { months } = view.found, step = box.width / view.spec.months.length;
  axes(view, layer, box, view.state.show === "ripe" ? "bars_ripe" : "bars");
  months.n.forEach((_, at) => {
    const young = unripe(months, at), hide = young && view.state.show === "ripe";
    const rate = view.state.show === "ripe" ? months.ripe[at] : months.raw[at], x = box.x + step * at + 1.5;
    const tall = Math.max(2, box.height * clamp(rate / TOP, 0, 1) || 0);
    if (hide) layer.text(x + step / 2 - 1.5, box.y + box.height - 4, "?", { ...small, "text-anchor": "middle" });
    else layer.rect(x, box.y + box.height - tall, step - 3, tall, young ? { fill: "url(#hatch)", stroke: DOWN } : { fill: NOW });
  });
  view.spec.months.forEach((month, at) => {
    if (at % 12 === 0 || (at % 6 === 0 && box.width > 250)) layer.text(box.x + step * at, box.y + box.height + 14, month, small);
  });
}

// The same deals by age, a line a quarter of entry: it ends at the age that the youngest of them has reached.
function ages(view, layer, box) {
  const { quarters } = view.found, { window, day } = view.state, long = (age) => box.x + (box.width * age) / OLDEST;
  axes(view, layer, box, "ages");
  layer.line(long(window), box.y, long(window), box.y + box.height, { stroke: INK, "stroke-dasharray": "4 4" });
  layer.text(long(window), box.y + box.height + 14, view.t("days", { days: view.number(window) }), { ...small, "text-anchor": "middle" });
  quarters.forEach((deals, at) => {
    const reach = Math.min(OLDEST, ...deals.map(({ age }) => age)), latest = reach < window, points = [];
    if (day < view.spec.edges[3 * at + 3] - 1) return; // still filling up
    for (let age = 0; age <= reach; age += STEP) {
      points.push([long(age), box.y + box.height * (1 - deals.filter(({ days, end }) => end === 1 && days <= age).length / deals.length / TOP)]);
    }
    const [x, y] = points[points.length - 1];
    layer.path(`M${points.map((point) => point.map((place) => place.toFixed(1)).join(" ")).join("L")}`,
      { fill: "none", stroke: latest ? DOWN : NOW, "stroke-width": latest ? 2.4 : 1.3, "stroke-dasharray": latest ? "7 3" : null });
    layer.circle(x, y, latest ? 4 : 2.5, { fill: latest ? DOWN : NOW });
  });
}

function draw(view, layer, { width, height }) {
  const left = 36, narrow = width < 480, part = narrow ? width - left : (width - 2 * left - 18) / 2;
  const tall = narrow ? height / 2 - 42 : height - 48, box = { x: left, y: 24, width: part, height: tall };
  bars(view, layer, box);
  ages(view, layer, narrow ? { ...box, y: height / 2 + 22 } : { ...box, x: 2 * left + part + 16 });
  const { parts } = view.found, [raw, share] = [parts.raw[0], parts.incidence[0]].map((value) => view.percent(value));
  return view.t("finding", { date: date(view.state.day), raw, share, window: view.number(view.state.window) });
}

const remark = (view) => view.t("looked", { date: date(view.state.day) });

const answer = (view) => view.name(view.spec.truth[view.state.data]);

function verdict(view, judged) {
  const facts = view.t("facts", { date: date(judged.day), ripe: view.number(view.found.asked_ripe), n: view.number(view.found.n_asked),
    window: view.number(view.state.window) });
  if (judged.status === "start") return [view.t("start")];
  return [judged.status === "outside" && !judged.moved ? view.t("late") : view.t(judged.status), facts];
}

function code(spec, { data, day }) {
  return `import funnelkit as fk\nfrom funnelkit.explore import cohort_deals\n\nfk.compare_cohorts(fk.read(cohort_deals("${data}", ${python(day)}), `
    + `as_of="${date(day)}"), fk.Calendar("quarter"))\n`;
}

const legend = { now: "legend_ripe", lost: "legend_young" };
const shown = explorable({ compute, judge, figures, table, draw, answer, remark, verdict, code, legend });
export default shown;
