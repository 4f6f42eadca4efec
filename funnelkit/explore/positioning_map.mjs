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

// The ratings, ours as they stand on the card.
const rated = ({ values, attributes, ours }, state) => values.map((row, at) => (at === ours ? attributes.map((_, k) => state[`ours${k}`]) : row));

// The weights with a mean of 1, and each product's score by them.
function scored(spec, state) {
  const { attributes } = spec, values = rated(spec, state);
  const chosen = attributes.map((_, at) => state[`need${at}`]), all = chosen.reduce((sum, weight) => sum + weight, 0);
  if (!(all > 0)) return { refused: "weights_zero" };
  const weight = chosen.map((one) => one / (all / chosen.length)), sum = weight.reduce((a, b) => a + b, 0);
  return { weight, score: values.map((row) => dot(row, weight) / sum) };
}

export function compute(spec, state) {
  const { products, attributes } = spec, values = rated(spec, state), { weight, score, refused } = scored(spec, state);
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
  const rerated = spec.attributes.some((_, at) => state[`ours${at}`] !== spec.baseline[`ours${at}`]);
  const outside = rerated || change > spec.challenge.rule.change + 1e-9;
  return { status: !change && !rerated ? "start" : outside ? "outside" : isFirst(spec, found) ? "done" : "not_yet", change };
}

const ranked = (found) => found.score.map((_, at) => at).sort((one, other) => found.score[other] - found.score[one] || one - other);

// All whose score is the best: equal scores differ in the last bit.
function firsts({ found, spec }) {
  const best = Math.max(...found.score);
  return spec.products.filter((_, at) => best - found.score[at] <= 1e-9 * Math.max(1, Math.abs(best)));
}

function figures(view) {
  const { found, spec, t } = view;
  if (found.refused) return [{ label: t("first"), value: "–", note: t(found.refused) }];
  const order = ranked(found), best_of_all = firsts(view), shown = found.explained[0] + (found.explained[1] ?? 0);
  const best = { label: t("first"), value: best_of_all.length > 1 ? view.named(best_of_all) : best_of_all[0], note: t("score_note", { score: view.number(found.score[order[0]], 2) }) };
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

// Each label takes the first place around its point that is free of dots and of the labels before it.
function placed(labels, dots, { wide, height }) {
  const taken = dots.map(({ x, y, r }) => ({ left: x - r, right: x + r, top: y - r, bottom: y + r }));
  return labels.map((label) => {
    const long = [...label.text].reduce((sum, letter) => sum + (letter > "\u2e80" ? 12.5 : 7), 0), half = long / 2 + 1, beside = half + label.r + 4;
    const spots = [[0, label.r + 13], [0, -label.r - 4], [beside, 4], [-beside, 4], [beside, label.r + 11], [-beside, label.r + 11],
      [beside, -label.r - 3], [-beside, -label.r - 3], [0, label.r + 27], [0, -label.r - 18]];
    const at = spots.map(([dx, dy]) => ({ x: clamp(label.x + dx, half, wide - half), y: clamp(label.y + dy, 12, height - 4) }))
      .map((spot) => ({ ...spot, left: spot.x - half, right: spot.x + half, top: spot.y - 10, bottom: spot.y + 3 }));
    const over = (one) => taken.reduce((sum, other) => sum + Math.max(0, Math.min(one.right, other.right) - Math.max(one.left, other.left))
      * Math.max(0, Math.min(one.bottom, other.bottom) - Math.max(one.top, other.top)), 0);
    const best = at.find((one) => over(one) === 0) ?? at.reduce((one, other) => (over(other) < over(one) ? other : one));
    taken.push(best);
    return { ...label, x: best.x, y: best.y };
  });
}

function draw(view, layer, { width, height }) {
  const { found, spec } = view;
  if (found.refused) { layer.text(10, 24, view.t(found.refused), { fill: DOWN }); return view.t(found.refused); }
  const wide = width > 480 ? width - 170 : width, cx = wide / 2, cy = height / 2;
  const [fx, fy] = upright(view);
  const far = Math.max(1e-9, ...found.x.map(Math.abs), ...found.y.map(Math.abs)), scale = Math.min((wide / 2 - 70) / far, (height / 2 - 24) / far);
  const reach = Math.min(wide / 2 - 62, height / 2 - 22), at = (x, y) => [cx + x * fx * scale, cy - y * fy * scale], labels = [], dots = [];
  const arrow = (x, y) => [cx + x * fx * reach, cy - y * fy * reach];
  layer.line(0, cy, wide, cy); layer.line(cx, 0, cx, height);
  const needs = Math.hypot(...found.needs) || 1;
  const tip = arrow(found.needs[0] / needs, found.needs[1] / needs);
  layer.line(cx, cy, ...tip, { stroke: STAR, "stroke-width": 7, "stroke-opacity": 0.45, "stroke-linecap": "round" });
  spec.attributes.forEach((name, k) => {
    const [x, y] = arrow(found.arrow_x[k], found.arrow_y[k]);
    layer.line(cx, cy, x, y, { stroke: "#8fa3b5", "stroke-width": 1 + found.weight[k] });
    layer.circle(x, y, 2.5, { fill: "#7b8794" });
    labels.push({ x, y, r: 3, text: name, fill: SOFT, size: 12 });
  });
  labels.push({ x: tip[0], y: tip[1], r: 4, text: view.t("needs"), weight: 700, fill: INK });
  spec.products.forEach((name, k) => {
    const [x, y] = at(found.x[k], found.y[k]), ours = k === spec.ours;
    layer.circle(x, y, ours ? 8 : 6, { fill: ours ? NOW : FLOW, stroke: NOW, "stroke-width": 1.5, "data-drag": ours ? "ours" : null });
    dots.push({ x, y, r: ours ? 8 : 6 });
    labels.unshift({ x, y, r: ours ? 8 : 6, text: name, weight: 600, fill: INK });
  });
  view.drawn = { scale, arrows: spec.attributes.map((_, k) => [found.arrow_x[k] * fx, found.arrow_y[k] * fy]) };
  for (const label of placed(labels, dots, { wide, height })) {
    layer.text(label.x, label.y, label.text, { "text-anchor": "middle", "font-weight": label.weight ?? 400, fill: label.fill,
      "font-size": label.size ?? 12.5, stroke: "#fff", "stroke-width": 3, "paint-order": "stroke" });
  }
  if (wide < width) {
    layer.line(wide + 8, 0, wide + 8, height, { stroke: LINE });
    ranking(view, layer, { x: wide + 20, y: 20, width: 142, height: height - 24 });
  }
  return `${finding(view)} ${view.list(ranked(found).map((k) => `${spec.products[k]} ${view.number(found.score[k], 2)}`))}`;
}

// Which way each axis points: as computed at rest; while one drags, the way in which it last pointed, or the map would turn over.
function upright({ found, held, drawn }) {
  const last = held && drawn?.arrows;
  return ["arrow_x", "arrow_y"].map((name, k) => (last && found[name].reduce((sum, value, at) => sum + value * last[at][k], 0) < 0 ? -1 : 1));
}

// Our product moves along the arrow that lies nearest to the way of the hand: its rating on that attribute changes.
function drag(view, held, dx, dy) {
  const { spec, drawn, found } = view;
  held.from ??= { ...drawn, roots: found.weight.map(Math.sqrt) };
  const { arrows, scale, roots } = held.from, along = arrows.map(([x, y], k) => (dx * x - dy * y) * roots[k]);
  if (held.along === undefined) {
    if (Math.hypot(dx, dy) < 6) return null;
    held.along = along.reduce((most, one, k) => (Math.abs(one) > Math.abs(along[most]) ? k : most), 0);
  }
  const k = held.along, name = `ours${k}`, control = spec.controls.find(({ id }) => id === name);
  const more = along[k] / (scale * roots[k] ** 2 * (arrows[k][0] ** 2 + arrows[k][1] ** 2) || 1);
  return { [name]: clamp(Math.round(10 * (held.state[name] + more)) / 10, control.min, control.max) };
}

function finding(view) {
  const names = firsts(view);
  return names.length > 1 ? view.t("finding_tied", { names: view.named(names) }) : view.t("finding", { name: names[0] });
}

function verdict(view, judged) {
  const facts = view.t("facts", { change: view.number(judged.change, 1), most: view.number(view.spec.challenge.rule.change, 1) });
  return judged.status === "start" ? [view.t("start")] : [view.t(judged.status), facts];
}

function code(spec, state) {
  const list = (values) => `[${values.map(python).join(", ")}]`, names = { product: spec.products };
  const columns = [["product", list(names.product)], ...spec.attributes.map((name, at) => [name, list(column(rated(spec, state), at))])];
  const weights = Object.fromEntries(spec.attributes.map((name, at) => [name, state[`need${at}`]]));
  return `import pandas as pd\n\nimport funnelkit as fk\n\nratings = pd.DataFrame({\n${columns.map(([name, values]) => `    ${python(name)}: ${values},\n`).join("")}})\n`
    + `fk.perceptual_map(ratings, ${pythonDict(weights)})\n`;
}

const shown = explorable({ compute, judge, figures, table, draw, verdict, drag, code });
export default shown;
