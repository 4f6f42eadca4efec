"use strict";
// Without scripts every page reads as it stands; with them the search field, the code switch and the languages' anchors work.
{
  const field = document.getElementById("find");
  field?.addEventListener("keydown", event => {
    if (event.key === "Enter" && field.value.trim()) location.href = "search.html#" + encodeURIComponent(field.value.trim());
  });
  const button = document.getElementById("code");
  const kept = {get() { try { return localStorage.getItem("code"); } catch { return null; } },
    set(value) { try { localStorage.setItem("code", value); } catch { /* a page from a folder may keep nothing */ } }};
  const show = shown => {
    document.body.classList.toggle("no-code", !shown);
    button?.setAttribute("aria-pressed", String(shown));
  };
  show(kept.get() !== "off");
  button?.addEventListener("click", () => {
    const shown = button.getAttribute("aria-pressed") !== "true";
    show(shown);
    kept.set(shown ? "on" : "off");
  });
  for (const link of document.querySelectorAll(".language")) {
    link.addEventListener("click", () => { link.hash = location.hash; });
  }
}
