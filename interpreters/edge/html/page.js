"use strict";
(() => {
  const all = [...document.querySelectorAll("#places ol > li")];
  const keys = document.getElementById("keys");
  const words = document.getElementById("words");
  const shown = () => all.filter((row) => !row.hidden);
  const head = (row) => row.querySelector("summary");

  function move(by) {
    const rows = shown();
    if (!rows.length) return;
    const at = rows.findIndex((row) => row.contains(document.activeElement));
    const next = at < 0 ? 0 : Math.min(rows.length - 1, Math.max(0, at + by));
    head(rows[next]).focus();
    head(rows[next]).scrollIntoView({ block: "nearest" });
  }

  function unfold() {
    const boxes = shown().map((row) => row.querySelector("details"));
    const open = boxes.some((box) => !box.open);
    for (const box of boxes) box.open = open;
  }

  function filter() {
    const wanted = words.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const row of all) {
      const text = row.textContent.toLowerCase();
      row.hidden = !wanted.every((word) => text.includes(word));
    }
    document.querySelector(".filter output").value = wanted.length ? `${shown().length} of ${all.length}` : "";
  }

  function go() {
    const box = document.getElementById(location.hash.slice(1));
    if (box instanceof HTMLDetailsElement) {
      box.open = true;
      box.querySelector("summary").focus();
    }
  }

  const doing = {
    j: () => move(1),
    ArrowDown: () => move(1),
    k: () => move(-1),
    ArrowUp: () => move(-1),
    e: unfold,
    "/": () => words?.focus(),
    "?": () => { keys.hidden = !keys.hidden; },
  };

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target === words) {
      if (event.key === "Escape") {
        words.value = "";
        filter();
        move(0);
      }
      return;
    }
    if (event.key.startsWith("Arrow") && event.target.closest("pre, .graph")) return;
    if (doing[event.key]) {
      event.preventDefault();
      doing[event.key]();
    }
  });
  if (words) {
    words.addEventListener("input", filter);
    document.querySelector(".filter").hidden = false;
  }
  addEventListener("hashchange", go);
  addEventListener("beforeprint", () => { for (const row of all) row.querySelector("details").open = true; });
  go();
})();
