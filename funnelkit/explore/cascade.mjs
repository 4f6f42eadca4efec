// From a population to those who stay: seven ratios multiplied, exact to the cent.
import {
  clamp, clean, compared, DOWN, explorable, MOST_NAMED, NOW, python, pythonDict, SOFT, STAR,
} from "./core.mjs";

const CRITERIA = ["largest_loss", "lowest_ratio", "best_gain"];

// --- exact fractions of the decimals as written: a whole number over a power of ten ---

function exact(value) {
  const [, whole, part = "", power = "0"] = String(value).match(/^(\d+)(?:\.(\d+))?(?:e([+-]\d+))?$/);
  const places = part.length - Number(power);
  return places < 0 ? { n: BigInt(whole + part) * 10n ** BigInt(-places), places: 0 } : { n: BigInt(whole + part), places };
}
const times = (one, other) => ({ n: one.n * other.n, places: one.places + other.places });
const level = (one, other) => {
  const places = Math.max(one.places, other.places), up = (at) => at.n * 10n ** BigInt(places - at.places);
  return [up(one), up(other), places];
};
const less = (one, other) => { const [a, b, places] = level(one, other); return { n: a - b, places }; };
const compare = (one, other) => { const [a, b] = level(one, other); return a < b ? -1 : a > b ? 1 : 0; };
const ONE = exact(1);

function float({ n, places }) {
  const digits = String(n).padStart(places + 1, "0");
  return Number(`${digits.slice(0, digits.length - places)}.${digits.slice(digits.length - places)}`);
}
function cents({ n, places }) { // half up
  const unit = 10n ** BigInt(places), hundredths = n * 100n, whole = hundredths / unit;
  return float({ n: whole + (2n * (hundredths % unit) >= unit ? 1n : 0n), places: 2 });
}
function largest(values) {
  const most = values.reduce((one, other) => (compare(one, other) < 0 ? other : one));
  return values.map((value) => most.n > 0n && compare(value, most) === 0);
}

const priced = (spec, state) => spec.stages.some((_, at) => state[`cost${at}`] !== state.cost0);

export function compute(spec, state) {
  const ratios = spec.stages.map((stage) => state[stage.id]), price = exact(state.price);
  const start = spec.shares.reduce((count, share) => times(count, exact(share)), exact(state.population));
  const reached = ratios.reduce((counts, ratio) => [...counts, times(counts.at(-1), exact(ratio))], [start]);
  const count = reached.slice(0, -1).map(float), remaining = reached.slice(1).map(float);
  const rest = ratios.map((ratio) => less(ONE, exact(ratio))), points = exact(spec.points);
  const raised = rest.map((room) => (compare(room, points) < 0 ? room : points));
  const gains = ratios.map((_, at) => ratios.reduce(
    (gain, ratio, place) => (place === at ? gain : times(gain, exact(ratio))), times(times(exact(count[0]), price), raised[at])));
  const lowest = Math.min(...ratios), costs = spec.stages.map((_, at) => exact(state[`cost${at}`])), costly = priced(spec, state);
  // By cost: each gain times the costs of the others, which keeps the order and needs no division.
  const worth = costly ? gains.map((gain, at) => costs.reduce((all, cost, place) => (place === at ? all : times(all, cost)), gain)) : gains;
  return {
    ratio: ratios, count, remaining, sales: reached.slice(1).map((left) => cents(times(left, price))),
    loss: count.map((all, at) => all - remaining[at]), gain_sales: gains.map(cents),
    largest_loss: largest(ratios.map((ratio, at) => times(less(ONE, exact(ratio)), exact(count[at])))),
    lowest_ratio: ratios.map((ratio) => ratio === lowest), best_gain: largest(worth),
    gain_per_cost: gains.map((gain, at) => float(gain) / state[`cost${at}`]),
    share: float(ratios.map(exact).reduce(times, ONE)),
  };
}

export function judge(spec, state) {
  const { rule } = spec.challenge, { baseline } = spec;
  const raises = spec.stages.map((stage) => state[stage.id] - baseline[stage.id]);
  const used = raises.reduce((sum, raise) => sum + Math.max(0, raise), 0), share = compute(spec, state).share;
  const outside = used > rule.points + 1e-9 || ["population", "price"].some((name) => state[name] !== baseline[name]);
  const moved = raises.some((raise) => raise !== 0) || outside;
  const status = !moved ? "start" : outside ? "outside" : share >= rule.share * (1 - 1e-9) ? "done" : "not_yet";
  return { status, used, share };
}

// Before the first move the answer is the class's to guess.
const hidden = ({ spec, state, revealed }) => !revealed && spec.controls.every(({ id, place }) => ["guess", "more"].includes(place) || state[id] === spec.baseline[id]);
const last = (values) => values[values.length - 1];

function figures(view) {
  const { found, spec } = view, base = (view.atBase ??= compute(spec, spec.baseline)), none = hidden(view);
  const relative = (now, then) => (then ? view.change(now / then - 1) : view.signed(now - then));
  const points = (now, then) => view.t("points", { points: view.points(now - then, 2) });
  const shown = [
    compared(view, "share", [found.share, base.share], (value) => view.percent(value, 2), points),
    compared(view, "patients", [last(found.remaining), last(base.remaining)], (value) => view.number(value), relative),
    compared(view, "sales", [last(found.sales), last(base.sales)], view.money, relative),
  ];
  return none ? shown.map((figure) => ({ ...figure, value: "?", note: "" })) : shown;
}

function table(view) {
  const { found, spec } = view, none = hidden(view), most = Math.max(...found.gain_per_cost);
  const columns = [["level"], ["reach", "soft"], ["drop", "soft"], ["left", "strong"], ["gain", "gain"]]
    .map(([key, kind]) => ({ name: view.t(key, { points: view.number(100 * spec.points) }), kind }));
  const cell = (value) => (none ? "?" : { text: view.number(value), value });
  const rows = spec.stages.map((stage, at) => [
    view.name(stage.name), at ? cell(found.count[at]) : { text: view.number(found.count[0]), value: found.count[0] }, cell(found.loss[at]),
    cell(found.remaining[at]), view.revealed ? { text: `${found.best_gain[at] ? "★ " : ""}${view.money(found.gain_sales[at])}`,
      value: found.gain_sales[at], bar: most > 0 ? found.gain_per_cost[at] / most : 0, tone: found.best_gain[at] ? "star" : "" } : "?",
  ]);
  return { caption: view.t("title"), columns, rows };
}

function draw(view, layer, { width, height }) {
  const { found, spec } = view, n = spec.stages.length, row = height / n, thick = row * 0.6, none = hidden(view);
  const base = found.count[0] || 1, long = (count) => (count / base) * (width - 4);
  spec.stages.forEach((stage, at) => {
    const y = at * row + (row - thick) / 2, left = long(found.remaining[at]), reach = long(found.count[at]);
    if (none && at) { layer.text(4, y + thick / 2 + 4.5, "?", { fill: SOFT }); return; }
    if (!none) {
      layer.rect(2, y, reach, thick, { fill: "url(#hatch)", stroke: DOWN });
      layer.rect(2, y, left, thick, { fill: NOW, "data-drag": stage.id });
    } else layer.rect(2, y, reach, thick, { fill: NOW });
    const marks = none || spec.stages.length < 2 ? [] : CRITERIA.filter((one) => (one !== "best_gain" || view.revealed)
      && found[one][at] && !found[one].every(Boolean));
    if (!marks.length || width < 200) return; // on a phone the lines below say it
    const named = (one) => view.t(one === "best_gain" && priced(spec, view.state) ? "best_per_cost" : one);
    const text = marks.map(named).join(" · "), wide = (view.lang === "zh" ? 12.5 : 6.6) * text.length + 10;
    const x = Math.min(reach + 8, width - wide);
    layer.rect(x, y + 3, wide, thick - 6, { fill: "#fff", "fill-opacity": 0.9, rx: 3, "pointer-events": "none" });
    layer.text(x + 5, y + thick / 2 + 4.5, text, { "font-weight": 600, "font-size": 12, "pointer-events": "none" });
  });
  if (view.revealed) { // the class's guess beside what is so
    const x = 2 + long(view.state.guess * base);
    layer.line(x, 0, x, height, { stroke: STAR, "stroke-width": 2, "stroke-dasharray": "5 4" });
    const room = x > 76; // left of its line it keeps clear of what marks a level
    layer.text(room ? x - 5 : x + 5, 11, view.t("mark", { guess: view.percent(view.state.guess, 0) }), { "font-weight": 600,
      "text-anchor": room ? "end" : "start", stroke: "#fff", "stroke-width": 3, "paint-order": "stroke" });
  }
  return none ? view.t("hidden") : `${finding(view)} ${view.list(spec.stages.map((stage, at) =>
    `${view.name(stage.name)} ${view.percent(found.ratio[at])}, ${view.number(found.remaining[at])}`))}`;
}

const finding = (view) => view.t("finding", { share: view.percent(view.found.share, 2), n: view.number(last(view.found.remaining)) });

const answer = (view) => view.t("answer", { share: view.percent(view.found.share, 2), guess: view.percent(view.state.guess, 0) });

// What to plan for the levels that stand out: the lowest ratio, where it is not that of all.
function remark(view) {
  const { spec, found } = view, lowest = spec.stages.filter((_, at) => found.lowest_ratio[at]);
  if (hidden(view) || lowest.length === spec.stages.length) return view.t("no_weakest");
  if (lowest.length > MOST_NAMED) return view.t("weakest_tied", { names: view.named(lowest.map(({ name }) => view.name(name))) });
  return lowest.map(({ advice }) => view.name(advice)).join(view.lang === "zh" ? "" : " ");
}

function verdict(view, { status, used, share }) {
  const facts = view.t("facts", { used: view.number(100 * used, 1), all: view.number(100 * view.spec.challenge.rule.points),
    share: view.percent(share, 2) });
  return status === "start" ? [view.t("start")] : [view.t(status), facts];
}

function drag(view, held, dx) {
  const at = view.spec.stages.findIndex((stage) => stage.id === held.id), reach = view.found.count[at] / view.found.count[0];
  const moved = dx / ((view.canvas.clientWidth - 4) * reach || 1);
  return { [held.id]: clamp(clean(Math.round(100 * (held.state[held.id] + moved)) / 100), 0, 1) };
}

function code(spec, state) {
  const levels = Object.fromEntries(spec.stages.map((stage) => [stage.id, state[stage.id]]));
  return `import funnelkit as fk\n\nratios = ${pythonDict({ ...spec.inputs, ...levels })}\n`
    + `fk.cascade(ratios, population=${python(state.population)}, price=${python(state.price)}${spec.call})\n`;
}

const legend = { now: "legend_stay", lost: "legend_drop" };
const shown = explorable({ compute, judge, figures, table, draw, answer, remark, verdict, drag, code, legend });
export default shown;
