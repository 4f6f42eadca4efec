// How much does a small sample tell? One interval that widens and narrows, and a hundred more of the same size.
import {
  clamp, DOWN, explorable, FLOW, INK, LINE, LOST, NOW, python, SOFT, successes, wilson,
} from "./core.mjs";

const LONGEST = 1 << 14; // each sample has a stretch of its own: a longer one begins with the same cases

export function compute(spec, { n, rate, draw }) {
  const found = { k: [], rate: [], low: [], high: [], missed: [] };
  for (let sample = 0; sample < spec.samples; sample += 1) {
    const k = successes((draw * spec.samples + sample) * LONGEST, n, rate), [low, high] = wilson(k, n, spec.z2);
    const row = { k, rate: k / n, low, high, missed: low > rate || high < rate };
    for (const name in row) found[name].push(row[name]);
  }
  found.n_missed = found.missed.filter(Boolean).length;
  return found;
}

function half(n, rate, z2) {
  const [low, high] = wilson(n * rate, n, z2);
  return (high - low) / 2;
}

export function judge(spec, { n, rate }) {
  const { rule } = spec.challenge, { baseline, z2 } = spec, reached = half(n, rate, z2);
  const moved = rate !== baseline.rate, enough = half(n - 1, rate, z2) <= rule.half;
  const status = !moved && n === baseline.n ? "start" : moved || enough ? "outside" : reached <= rule.half ? "done" : "not_yet";
  return { status, n, rate, half: reached, moved };
}

const ends = (view, at) => {
  const [low, high] = [view.found.low[at], view.found.high[at]].map((value) => view.percent(value));
  return { low, high };
};

function figures(view) {
  const { found, state, t } = view, missed = view.revealed ? view.number(found.n_missed) : "?";
  return [
    { label: t("observed"), value: view.percent(found.rate[0]), note: t("observed_note", { k: view.number(found.k[0]), n: view.number(state.n) }) },
    { label: t("interval"), value: t("range", ends(view, 0)), note: t("points", { points: view.number(100 * (found.high[0] - found.low[0]), 1) }) },
    { label: t("missed"), value: missed, note: t("missed_note", { n: view.number(view.spec.samples), guess: view.number(state.guess) }) },
  ];
}

function table(view) {
  const { found, state } = view, columns = [["sample"], ["k"], ["n"], ["share", "strong"], ["low"], ["high"], ["verdict"]]
    .map(([key, kind]) => ({ name: view.t(key), kind }));
  const cell = (value) => ({ text: view.percent(value), value });
  const rows = found.k.map((k, at) => [view.number(at + 1), { text: view.number(k), value: k }, { text: view.number(state.n), value: state.n },
    cell(found.rate[at]), cell(found.low[at]), cell(found.high[at]),
    view.revealed ? view.t(found.missed[at] ? "misses" : "holds") : "?"]);
  return { caption: view.t("title"), columns, rows };
}

// The sample in hand: its interval as a broad bar, both ends in numbers.
function first(view, layer, x, width, y) {
  const { found } = view, { low, high } = ends(view, 0), middle = x + width / 2, above = y(found.high[0]), below = y(found.low[0]);
  layer.rect(middle - 13, above, 26, below - above, { fill: FLOW, stroke: NOW, rx: 3 });
  layer.circle(middle, y(found.rate[0]), 5.5, { fill: NOW });
  const label = { "text-anchor": "middle", "font-size": 12, "font-weight": 600 };
  layer.text(middle, Math.max(above - 5, y(1) - 4), high, label);
  layer.text(middle, Math.min(below + 14, y(0) + 14), low, label);
}

function draw(view, layer, { width, height }) {
  const { found, spec, state, revealed } = view, left = 40, one = width < 480 ? 54 : 84, top = 32, bottom = height - 18;
  const y = (rate) => bottom - rate * (bottom - top), start = left + one + 10, step = (width - start - 4) / spec.samples;
  for (const rate of [0, 0.25, 0.5, 0.75, 1]) {
    layer.line(left, y(rate), width, y(rate), { stroke: LINE });
    layer.text(left - 6, y(rate) + 4, view.percent(rate, 0), { "text-anchor": "end", "font-size": 12, fill: SOFT });
  }
  if (width >= 480) layer.text(left + one / 2, 12, view.t("first"), { "text-anchor": "middle", "font-size": 12, fill: SOFT });
  layer.text(start, 12, view.t("all", { n: view.number(spec.samples) }), { "font-size": 12, fill: SOFT });
  first(view, layer, left, one, y);
  found.k.forEach((k, at) => {
    const x = start + step * (at + 0.5), missed = revealed && found.missed[at];
    layer.line(x, y(found.high[at]), x, y(found.low[at]), { stroke: missed ? LOST : NOW, "stroke-width": clamp(step * (missed ? 0.7 : 0.35), 1, 5) });
    layer.circle(x, y(found.rate[at]), clamp(step * 0.3, 1, 2.6), { fill: missed ? DOWN : NOW });
    if (missed) layer.text(x, bottom + 14, "×", { "text-anchor": "middle", "font-weight": 700, fill: DOWN });
  });
  if (revealed) {
    layer.line(left, y(state.rate), width, y(state.rate), { stroke: INK, "stroke-width": 1.5, "stroke-dasharray": "6 4" });
    layer.text(width - 2, y(state.rate) + (state.rate > 0.5 ? 16 : -6), view.t("truth", { rate: view.percent(state.rate, 0) }),
      { "text-anchor": "end", "font-weight": 600, stroke: "#fff", "stroke-width": 3, "paint-order": "stroke" });
  }
  const said = view.t("finding", { k: view.number(found.k[0]), n: view.number(state.n), rate: view.percent(found.rate[0]), ...ends(view, 0) });
  return revealed ? `${said} ${counted(view)}` : said;
}

const counted = (view) => view.t("counted", { missed: view.number(view.found.n_missed), n: view.number(view.spec.samples) });

const answer = (view) => `${counted(view)} ${view.t("answer", { guess: view.number(view.state.guess) })}`;

function verdict(view, judged) {
  const facts = view.t("facts", { n: view.number(judged.n), rate: view.percent(judged.rate, 0), points: view.number(100 * judged.half, 2) });
  if (judged.status === "start") return [view.t("start")];
  return [judged.status === "outside" && !judged.moved ? view.t("too_many") : view.t(judged.status), facts];
}

const again = { key: "again", run: (spec, { draw }) => ({ draw: draw >= spec.controls.find(({ id }) => id === "draw").max ? 1 : draw + 1 }) };

function code(spec, state) {
  const drawn = `draw_samples(${python(state.n)}, ${python(state.rate)}, draw=${python(state.draw)}, samples=${spec.shown})`;
  return `import funnelkit as fk\nfrom funnelkit.explore import draw_samples\n\nfk.win_rate(${drawn}, "sample")\n`;
}

const legend = { now: "legend_holds", lost: "legend_misses" };
const shown = explorable({ compute, judge, figures, table, draw, answer, verdict, code, legend, actions: [again] });
export default shown;
