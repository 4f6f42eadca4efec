// For whom are we the best? Products and attributes on one map, weighted by the needs of one customer.
import {
  clamp, DOWN, explorable, FLOW, INK, LINE, NOW, python, pythonDict, SOFT, STAR,
} from "./core.mjs";

const TINY = 1e-9, SWEEPS = 60;
const dot = (one, other) => one.reduce((sum, value, at) => sum + value * other[at], 0);
const column = (rows, at) => rows.map((row) => row[at]);

// Singular values of rows by one-sided Jacobi rotations: places (rows x components), their sizes, loadings by attribute.
function decompose(rows) {
  const n = rows[0].length, parts = rows[0].map((_, at) => column(rows, at));
  const turned = parts.map((_, at) => parts.map((__, k) => (k === at ? 1 : 0)));
  for (let sweep = 0, moved = true; moved && sweep < SWEEPS; sweep += 1) {
    moved = false;
    for (let p = 0; p < n - 1; p += 1) {
      for (let q = p + 1; q < n; q += 1) {
        const a = dot(parts[p], parts[p]), b = dot(parts[q], parts[q]), c = dot(parts[p], parts[q]);
        if (Math.abs(c) <= 1e-16 * Math.sqrt(a * b) || c === 0) continue;
        moved = true;
        const zeta = (b - a) / (2 * c), t = (zeta < 0 ? -1 : 1) / (Math.abs(zeta) + Math.sqrt(1 + zeta * zeta));
        const cosine = 1 / Math.sqrt(1 + t * t), sine = cosine * t;
        for (const both of [parts, turned]) {
          const [one, other] = [both[p], both[q]];
          both[p] = one.map((value, at) => cosine * value - sine * other[at]);
          both[q] = one.map((value, at) => sine * value + cosine * other[at]);
        }
      }
    }
  }
  const sizes = parts.map((part) => Math.sqrt(dot(part, part)));
  const order = sizes.map((_, at) => at).sort((one, other) => sizes[other] - sizes[one] || one - other).slice(0, Math.min(n, rows.length));
  return { places: order.map((at) => parts[at]), sizes: order.map((at) => sizes[at]), loadings: order.map((at) => turned[at]) };
}

// Each axis points the way in which its attributes' sum grows, as in Python.
function sign(loading, roots, names) {
  let total = dot(roots, loading);
  if (Math.abs(total) < 1e-6) {
    const rank = loading.map((value, at) => [Math.round(Math.abs(value) * 1e9) / 1e9, names[at], value]);
    total = rank.reduce((most, one) => (one[0] > most[0] || (one[0] === most[0] && one[1] > most[1]) ? one : most))[2];
  }
  return total < 0 ? -1 : 1;
}

// The weights with a mean of 1, and each product's score by them.
function scored({ attributes, values }, state) {
  const chosen = attributes.map((_, at) => state[`need${at}`]), all = chosen.reduce((sum, weight) => sum + weight, 0);
  if (!(all > 0)) return { refused: "weights_zero" };
  const weight = chosen.map((one) => one / (all / chosen.length)), sum = weight.reduce((a, b) => a + b, 0);
  return { weight, score: values.map((row) => dot(row, weight) / sum) };
}

export function compute(spec, state) {
  const { products, attributes, values } = spec, { weight, score, refused } = scored(spec, state);
  if (refused) return { refused };
  const roots = weight.map(Math.sqrt);
  const means = attributes.map((_, at) => column(values, at).reduce((a, b) => a + b, 0) / products.length);
  const spread = values.map((row) => row.map((value, at) => (value - means[at]) * roots[at]));
  const { places, sizes, loadings } = decompose(spread);
  if (sizes[0] < TINY * Math.max(1, ...values.flat().map(Math.abs))) return { refused: "alike" };
  const signs = loadings.map((loading) => sign(loading, roots, attributes)), whole = sizes.reduce((one, size) => one + size * size, 0);
  const arrows = attributes.map((_, at) => [0, 1].map((k) => loadings[k][at] * signs[k]));
  return {
    weight, score,
    x: products.map((_, at) => places[0][at] * signs[0]), y: products.map((_, at) => places[1][at] * signs[1]),
    arrow_x: column(arrows, 0), arrow_y: column(arrows, 1),
    needs: [0, 1].map((k) => dot(roots, column(arrows, k))), explained: sizes.map((size) => (size * size) / whole),
  };
}

const isFirst = (spec, found) => !found.refused && found.score.every((score, at) => at === spec.ours || score < found.score[spec.ours] - 1e-12);

export function judge(spec, state) {
  const found = scored(spec, state); // the places on the map do not matter here
  const change = spec.attributes.reduce((sum, _, at) => sum + Math.abs(state[`need${at}`] - spec.baseline[`need${at}`]), 0);
  const outside = change > spec.challenge.rule.change + 1e-9;
  return { status: !change ? "start" : outside ? "outside" : isFirst(spec, found) ? "done" : "not_yet", change };
}

const ranked = (found) => found.score.map((_, at) => at).sort((one, other) => found.score[other] - found.score[one] || one - other);

function figures(view) {
  const { found, spec, t } = view;
  if (found.refused) return [{ label: t("first"), value: "–", note: t(found.refused) }];
  const order = ranked(found), shown = found.explained[0] + (found.explained[1] ?? 0);
  const best = { label: t("first"), value: spec.products[order[0]], note: t("score_note", { score: view.number(found.score[order[0]], 2) }) };
  const ours = { label: spec.products[spec.ours], value: t("place", { place: view.number(order.indexOf(spec.ours) + 1), n: view.number(order.length) }),
    note: t("score_note", { score: view.number(found.score[spec.ours], 2) }) };
  return [best, ...(spec.ours < 0 ? [] : [ours]), { label: t("shown"), value: view.percent(shown, 0), note: t("shown_note") }];
}

function table(view) {
  const { found, spec } = view, columns = ["product", "score", "along", "across"].map((key) => ({ name: view.t(key), kind: key === "score" ? "strong" : "" }));
  const cell = (value) => ({ text: view.number(value, 2), value });
  const rows = found.refused ? [] : ranked(found).map((at) => [spec.products[at], cell(found.score[at]), cell(found.x[at]), cell(found.y[at])]);
  return { caption: view.t("title"), columns, rows };
}

function ranking(view, layer, box) {
  const { found, spec } = view, top = Math.max(...found.score.map(Math.abs), 1e-9), row = Math.min(30, box.height / spec.products.length);
  layer.text(box.x, box.y - 6, view.t("score"), { "font-size": 12, fill: SOFT });
  ranked(found).forEach((at, place) => {
    const y = box.y + place * row, ours = at === spec.ours;
    layer.rect(box.x, y + 15, (Math.max(found.score[at], 0) / top) * box.width, 7, { fill: ours ? NOW : "#8fa3b5", rx: 2 });
    layer.text(box.x, y + 11, `${spec.products[at]}  ${view.number(found.score[at], 2)}`, { "font-weight": ours ? 700 : 400, "font-size": 12 });
  });
}

// Labels that would lie on each other move down, one after the other.
function apart(labels) {
  const put = [];
  for (const label of [...labels].sort((one, other) => one.y - other.y)) {
    const wide = 7.2 * label.text.length;
    while (put.some((one) => Math.abs(one.y - label.y) < 13 && Math.abs(one.x - label.x) < (wide + 7.2 * one.text.length) / 2)) label.y += 6;
    put.push(label);
  }
  return put;
}

function draw(view, layer, { width, height }) {
  const { found, spec } = view;
  if (found.refused) { layer.text(10, 24, view.t(found.refused), { fill: DOWN }); return view.t(found.refused); }
  const wide = width > 480 ? width - 170 : width, cx = wide / 2, cy = height / 2;
  const far = Math.max(1e-9, ...found.x.map(Math.abs), ...found.y.map(Math.abs)), scale = Math.min((wide / 2 - 70) / far, (height / 2 - 24) / far);
  const reach = Math.min(wide / 2 - 62, height / 2 - 22), at = (x, y) => [cx + x * scale, cy - y * scale], labels = [];
  layer.line(0, cy, wide, cy); layer.line(cx, 0, cx, height);
  const needs = Math.hypot(...found.needs) || 1;
  layer.line(cx, cy, cx + (found.needs[0] / needs) * reach, cy - (found.needs[1] / needs) * reach, { stroke: STAR, "stroke-width": 7, "stroke-opacity": 0.45, "stroke-linecap": "round" });
  labels.push({ x: cx + (found.needs[0] / needs) * reach, y: cy - (found.needs[1] / needs) * reach, text: view.t("needs"), weight: 700, fill: INK });
  spec.attributes.forEach((name, k) => {
    const [x, y] = [cx + found.arrow_x[k] * reach, cy - found.arrow_y[k] * reach];
    layer.line(cx, cy, x, y, { stroke: "#8fa3b5", "stroke-width": 1 + found.weight[k] });
    layer.circle(x, y, 2.5, { fill: "#7b8794" });
    labels.push({ x, y: y - 6, text: name, fill: SOFT, size: 12 });
  });
  spec.products.forEach((name, k) => {
    const [x, y] = at(found.x[k], found.y[k]), ours = k === spec.ours;
    layer.circle(x, y, ours ? 8 : 6, { fill: ours ? NOW : FLOW, stroke: NOW, "stroke-width": 1.5 });
    labels.push({ x, y: y + 20, text: name, weight: 600, fill: INK });
  });
  for (const label of apart(labels)) {
    layer.text(clamp(label.x, 34, wide - 34), clamp(label.y, 11, height - 3), label.text, { "text-anchor": "middle", "font-weight": label.weight ?? 400, fill: label.fill,
      "font-size": label.size ?? 12.5, stroke: "#fff", "stroke-width": 3, "paint-order": "stroke" });
  }
  if (wide < width) {
    layer.line(wide + 8, 0, wide + 8, height, { stroke: LINE });
    ranking(view, layer, { x: wide + 20, y: 20, width: 142, height: height - 24 });
  }
  return `${finding(view)} ${view.list(ranked(found).map((k) => `${spec.products[k]} ${view.number(found.score[k], 2)}`))}`;
}

const finding = (view) => view.t("finding", { name: view.spec.products[ranked(view.found)[0]] });

function verdict(view, judged) {
  const facts = view.t("facts", { change: view.number(judged.change, 1), most: view.number(view.spec.challenge.rule.change, 1) });
  return judged.status === "start" ? [view.t("start")] : [view.t(judged.status), facts];
}

function code(spec, state) {
  const list = (values) => `[${values.map(python).join(", ")}]`, names = { product: spec.products };
  const columns = [["product", list(names.product)], ...spec.attributes.map((name, at) => [name, list(column(spec.values, at))])];
  const weights = Object.fromEntries(spec.attributes.map((name, at) => [name, state[`need${at}`]]));
  return `import pandas as pd\n\nimport funnelkit as fk\n\nratings = pd.DataFrame({\n${columns.map(([name, values]) => `    ${python(name)}: ${values},\n`).join("")}})\n`
    + `fk.perceptual_map(ratings, ${pythonDict(weights)})\n`;
}

const shown = explorable({ compute, judge, figures, table, draw, verdict, code });
export default shown;
