"use strict";
// Without scripts the screens stand one below the other; with them one at a time, moved by keys, #3 is the third.
{
  const screens = [...document.querySelectorAll(".screen")], root = document.documentElement;
  const lesson = document.getElementById("talk").dataset.lesson, said = document.getElementById("said");
  const notes = document.getElementById("notes");
  let now = 0;
  // What is too tall for its screen is drawn smaller, down to two fifths; sizes are in units of the screen, so once is enough.
  const fit = screen => {
    const inner = screen.querySelector(".fit"), stage = inner.parentElement;
    for (let k = 1; k > 0.4; k -= 0.04) {
      inner.style.setProperty("--k", k.toFixed(2));
      inner.style.setProperty("--z", (k * stage.parentElement.clientWidth / 1280).toFixed(3));
      if (stage.scrollHeight <= stage.clientHeight + 1 && stage.scrollWidth <= stage.clientWidth + 1) break;
    }
    return inner;
  };
  // On paper a picture stands in for an explorable, with a size of its own.
  const fitPaper = screen => {
    root.classList.add("on-paper");
    const inner = fit(screen);
    inner.style.setProperty("--p", inner.style.getPropertyValue("--k"));
    root.classList.remove("on-paper");
  };
  const fitAll = () => {
    for (const screen of screens) {
      screen.classList.add("measured");
      if (screen.querySelector(".paper")) fitPaper(screen);
      fit(screen);
      screen.classList.remove("measured");
    }
  };
  const show = place => {
    now = Math.max(0, Math.min(screens.length - 1, place));
    screens.forEach((screen, i) => screen.classList.toggle("now", i === now));
    if (location.hash !== `#${now + 1}`) history.replaceState(null, "", `#${now + 1}`);
    said.textContent = screens[now].getAttribute("aria-label");
  };
  const fromAddress = () => show((parseInt(location.hash.slice(1), 10) || 1) - 1);
  const turn = () => {
    const on = root.classList.toggle("noted");
    notes.setAttribute("aria-pressed", String(on));
    fitAll();
  };
  const leave = () => { location.href = lesson; };
  const read = lines => screens[now].querySelector(".notes").scrollBy(0, 40 * lines);
  const keys = {ArrowDown: () => read(1), ArrowUp: () => read(-1), ArrowRight: () => show(now + 1), PageDown: () => show(now + 1), " ": () => show(now + 1),
    ArrowLeft: () => show(now - 1), PageUp: () => show(now - 1), Home: () => show(0), End: () => show(screens.length - 1),
    n: turn, N: turn, Escape: leave};
  addEventListener("keydown", event => {
    const typing = event.target.closest("input, button, a, select, textarea, .fk-explorable");
    if (!keys[event.key] || event.ctrlKey || event.metaKey || event.altKey) return;
    if (typing && !["Escape", "PageDown", "PageUp"].includes(event.key)) return;
    event.preventDefault();
    keys[event.key]();
  });
  document.getElementById("back").addEventListener("click", () => show(now - 1));
  document.getElementById("next").addEventListener("click", () => show(now + 1));
  notes.addEventListener("click", turn);
  addEventListener("hashchange", fromAddress);
  addEventListener("load", fitAll);
  root.classList.add("live");
  fitAll();
  fromAddress();
}
