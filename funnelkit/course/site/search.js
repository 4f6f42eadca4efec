"use strict";
{
  const read = id => JSON.parse(document.getElementById(id).textContent);
  const index = read("index"), words = read("words");
  const field = document.getElementById("find"), list = document.getElementById("found"), said = document.getElementById("said");
  const plain = text => text.normalize("NFKC").toLowerCase();
  for (const entry of index) {
    entry.title = plain(entry.t);
    entry.all = plain(`${entry.t} ${entry.w} ${entry.x}`);
  }
  const score = (entry, wanted) => {
    if (!wanted.every(word => entry.all.includes(word))) return 0;
    const whole = wanted.join(" ");
    const titled = entry.title.split(" · ").includes(whole) ? 100 : entry.title.includes(whole) ? 20 : 0;
    return 1 + titled + wanted.filter(word => entry.title.includes(word)).length * 5;
  };
  const marked = (text, wanted) => {
    const places = wanted.map(word => text.toLowerCase().indexOf(word)).filter(place => place >= 0);
    const start = Math.max(0, Math.min(...places, text.length) - 60) * (places.length > 0);
    const part = (start ? "… " : "") + text.slice(start, start + 180) + (text.length > start + 180 ? " …" : "");
    const paragraph = document.createElement("p");
    let rest = part;
    while (rest) {
      const low = rest.toLowerCase(), hits = wanted.map(word => [low.indexOf(word), word.length]).filter(hit => hit[0] >= 0);
      if (!hits.length || low.length !== rest.length) break;
      const [place, length] = hits.reduce((one, two) => two[0] < one[0] ? two : one);
      const mark = document.createElement("mark");
      mark.textContent = rest.slice(place, place + length);
      paragraph.append(rest.slice(0, place), mark);
      rest = rest.slice(place + length);
    }
    paragraph.append(rest);
    return paragraph;
  };
  const search = () => {
    const wanted = plain(field.value).split(/\s+/).filter(Boolean);
    const hits = wanted.length ? index.map(entry => [score(entry, wanted), entry]).filter(hit => hit[0]) : [];
    hits.sort((one, two) => two[0] - one[0]);
    said.textContent = !wanted.length ? words.ask : hits.length ? words.some.replace("@", hits.length) : words.none;
    list.replaceChildren(...hits.slice(0, 30).map(([, entry]) => {
      const item = document.createElement("li"), link = document.createElement("a"), where = document.createElement("p");
      link.href = entry.u;
      link.textContent = entry.t;
      where.className = "small";
      where.textContent = entry.w;
      item.append(link, where, marked(entry.x, wanted));
      return item;
    }));
  };
  const fromAddress = () => {
    try { field.value = decodeURIComponent(location.hash.slice(1)); } catch { field.value = ""; }
    search();
  };
  field.addEventListener("input", search);
  addEventListener("hashchange", fromAddress);
  fromAddress();
  field.focus();
}
