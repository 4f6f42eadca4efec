// Both groups improved, the total fell: the change of a rate split into the change of the mix and that of the rates.
import {
  DOWN, explorable, GAIN, INK, LINE, NOW, python, SOFT, UP,
} from "./core.mjs";

const of = (spec, state, name) => spec.groups.map((_, at) => state[`${name}${at}`]);
const sum = (values) => values.reduce((one, other) => one + other, 0);

// Two factors by Das Gupta: each changes while the other stands at its mean of before and after.
export function compute(spec, state) {
  const [n0, n1, r0, r1] = ["n_before", "n_after", "rate_before", "rate_after"].map((name) => of(spec, state, name));
  const [all0, all1] = [sum(n0), sum(n1)], s0 = n0.map((n) => n / all0), s1 = n1.map((n) => n / all1);
  const mixes = s0.map((share, at) => ((s1[at] - share) * (r0[at] + r1[at])) / 2), rates = r0.map((rate, at) => ((r1[at] - rate) * (s0[at] + s1[at])) / 2);
  const [before, after] = [sum(s0.map((share, at) => share * r0[at])), sum(s1.map((share, at) => share * r1[at]))];
  const rise = r1.every((rate, at) => rate >= r0[at]), fall = r1.every((rate, at) => rate <= r0[at]);
  const reversed = (rise && !fall && after < before - 1e-12) || (fall && !rise && after > before + 1e-12);
  return { before, after, mix: sum(mixes), rate: sum(rates), share_before: s0, share_after: s1, mixes, rates, reversed };
}

export function judge(spec, state) {
  const { baseline } = spec, found = compute(spec, state), moved = Object.keys(baseline).filter((name) => name !== "guess" && state[name] !== baseline[name]);
  const outside = moved.some((name) => name.startsWith("rate"));
  return { status: !moved.length ? "start" : outside ? "outside" : found.after > found.before + 1e-12 ? "done" : "not_yet" };
}

function figures(view) {
  const { found, t } = view, points = (value) => t("points", { points: view.points(value) });
  const sign = (value) => (Math.abs(value) < 1e-12 ? "" : value > 0 ? "up" : "down");
  return [
    { label: t("total"), value: `${view.percent(found.before)} → ${view.percent(found.after)}`, note: points(found.after - found.before), tone: sign(found.after - found.before) },
    { label: t("mix"), value: view.points(found.mix), note: t("mix_note"), tone: sign(found.mix) },
    { label: t("rate"), value: view.points(found.rate), note: t("rate_note"), tone: sign(found.rate) },
  ];
}

function table(view) {
  const { found, spec } = view, keys = ["group", "share_before", "share_after", "from", "to", "mix", "rate"];
  const columns = keys.map((key) => ({ name: view.t(key), kind: "" }));
  const percent = (value) => ({ text: view.percent(value), value }), points = (value) => ({ text: view.points(value, 2), value });
  const [r0, r1] = ["rate_before", "rate_after"].map((name) => of(spec, view.state, name));
  const rows = spec.groups.map((group, at) => [view.name(group), percent(found.share_before[at]), percent(found.share_after[at]), percent(r0[at]), percent(r1[at]),
    points(found.mixes[at]), points(found.rates[at])]);
  rows.push([view.t("total"), percent(1), percent(1), percent(found.before), percent(found.after), points(found.mix), points(found.rate)]);
  return { caption: view.t("title"), columns, rows };
}

// Left: every group's rate before and after, dots as large as its share; the total runs between them.
function slopes(view, layer, box) {
  const { found, spec, state } = view, rates = spec.groups.map((_, at) => [state[`rate_before${at}`], state[`rate_after${at}`]]);
  const top = Math.max(0.02, ...rates.flat(), found.before, found.after) * 1.15, y = (rate) => box.y + box.height * (1 - rate / top);
  const [left, right] = [box.x + 64, box.x + box.width - 64];
  for (const [x, key] of [[left, "before"], [right, "after"]]) {
    layer.line(x, box.y, x, box.y + box.height);
    layer.text(x, box.y + box.height + 16, view.t(key), { "text-anchor": "middle", fill: SOFT, "font-size": 12 });
  }
  rates.forEach(([from, to], at) => {
    const colour = [NOW, "#7b8794", GAIN][at % 3], ends = [[left, from, found.share_before[at], "end", -1], [right, to, found.share_after[at], "start", 1]];
    layer.line(left, y(from), right, y(to), { stroke: colour, "stroke-width": 2 });
    for (const [x, rate, share, anchor, side] of ends) {
      layer.circle(x, y(rate), 3 + 11 * Math.sqrt(share), { fill: colour, "fill-opacity": 0.85, stroke: "#fff" });
      layer.text(x + side * 19, y(rate) + 4, view.percent(rate), { "text-anchor": anchor, "font-size": 12 });
    }
    layer.text((left + right) / 2, (y(from) + y(to)) / 2 - 6, view.name(spec.groups[at]), { "text-anchor": "middle", fill: colour, "font-weight": 600 });
  });
  layer.line(left, y(found.before), right, y(found.after), { stroke: found.after < found.before ? DOWN : UP, "stroke-width": 4, "stroke-dasharray": "9 5" });
  layer.text((left + right) / 2, (y(found.before) + y(found.after)) / 2 + 18, view.t("total"), { "text-anchor": "middle", "font-weight": 700, stroke: "#fff", "stroke-width": 3, "paint-order": "stroke" });
}

// Right: from before to after in two steps.
function steps(view, layer, box) {
  const { found } = view, { before, after, mix } = found, marks = [0, before, before + mix, after];
  const top = Math.max(...marks) * 1.15 || 1, low = Math.min(...marks) * 1.15, y = (rate) => box.y + (box.height * (top - rate)) / (top - low), wide = box.width / 4;
  const bars = [["before", 0, before, NOW], ["mix", before, before + mix, null], ["rate", before + mix, after, null], ["after", 0, after, NOW]];
  layer.line(box.x, y(0), box.x + box.width, y(0), { stroke: LINE });
  bars.forEach(([key, from, to, fill], at) => {
    const x = box.x + at * wide + 6, up = to >= from;
    layer.rect(x, Math.min(y(from), y(to)), wide - 12, Math.max(1, Math.abs(y(to) - y(from))), { fill: fill ?? (up ? GAIN : "url(#hatch)"), stroke: fill ? "none" : up ? UP : DOWN });
    layer.text(x + (wide - 12) / 2, Math.min(y(from), y(to)) - 5, fill ? view.percent(to) : view.points(to - from), { "text-anchor": "middle", "font-weight": 600, fill: INK });
    layer.text(x + (wide - 12) / 2, box.y + box.height + 16, view.t(key), { "text-anchor": "middle", fill: SOFT, "font-size": 12 });
  });
}

function draw(view, layer, { width, height }) {
  const split = width > 440 ? width * 0.5 : width;
  slopes(view, layer, { x: 0, y: 14, width: split, height: height - 40 });
  if (split < width) steps(view, layer, { x: split + 20, y: 24, width: width - split - 20, height: height - 50 });
  return finding(view);
}

const finding = (view) => view.t(view.found.reversed ? "finding_reversed" : "finding", { before: view.percent(view.found.before), after: view.percent(view.found.after),
  mix: view.points(view.found.mix), rate: view.points(view.found.rate) });

const answer = (view) => finding(view);
const verdict = (view, judged) => [view.t(judged.status), judged.status === "start" ? "" : view.t("facts", { before: view.percent(view.found.before), after: view.percent(view.found.after) })];

function code(spec, state) {
  const list = (values) => `[${values.map(python).join(", ")}]`, names = `[${spec.ids.map(python).join(", ")}]`;
  const frame = (when) => {
    const n = of(spec, state, `n_${when}`), rates = of(spec, state, `rate_${when}`);
    return `${when} = pd.DataFrame({"group": ${names}, "k": ${list(n.map((count, at) => count * rates[at]))}, "n": ${list(n)}})\n`;
  };
  return `import pandas as pd\n\nimport funnelkit as fk\n\n${frame("before")}${frame("after")}fk.split_change(before, after, "group")\n`;
}

const shown = explorable({ compute, judge, figures, table, draw, answer, verdict, code });
export default shown;
