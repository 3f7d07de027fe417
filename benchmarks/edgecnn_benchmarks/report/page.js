// Tooltips of the charts for pointer and keyboard, and columns that sort. The page works without it.
(() => {
  "use strict";
  const tip = document.getElementById("tip");

  let shown = null;

  const show = (host) => {
    shown = host;
    const [heading, ...lines] = host.dataset.tip.split("\n");
    tip.replaceChildren(document.createElement("b"), ...lines.map((line) => {
      const element = document.createElement("span");
      element.textContent = line;
      return element;
    }));
    tip.firstChild.textContent = heading;
    tip.hidden = false;
    place();
  };
  const place = () => {
    if (!shown) return;
    const mark = shown.getBoundingClientRect(), own = tip.getBoundingClientRect(), gap = 10;
    const left = Math.min(Math.max(mark.left + mark.width / 2 - own.width / 2, gap), innerWidth - own.width - gap);
    const above = mark.top - own.height - gap;
    tip.style.left = `${Math.max(left, gap)}px`;
    tip.style.top = `${above >= gap ? above : Math.min(mark.bottom + gap, innerHeight - own.height - gap)}px`;
  };
  const hide = () => { shown = null; tip.hidden = true; };

  for (const chart of document.querySelectorAll(".chart")) {
    const hosts = [...chart.querySelectorAll("[data-tip]")];
    hosts.forEach((host, number) => {
      // The page's own tip takes the place of the browser's.
      host.querySelector("title")?.remove();
      host.setAttribute("tabindex", number ? "-1" : "0");
      host.addEventListener("pointerenter", () => show(host));
      host.addEventListener("pointerleave", hide);
      host.addEventListener("focus", () => show(host));
      host.addEventListener("blur", hide);
    });
    const go = (from, to) => {
      if (!to) return;
      from.setAttribute("tabindex", "-1");
      to.setAttribute("tabindex", "0");
      to.focus();
    };
    chart.addEventListener("keydown", (event) => {
      const from = event.target.closest("[data-tip]"), at = hosts.indexOf(from);
      if (event.key === "Escape") { hide(); return; }
      if (at < 0 || !event.key.startsWith("Arrow") && event.key !== "Home" && event.key !== "End") return;
      event.preventDefault();
      const forth = event.key === "ArrowRight" || event.key === "ArrowDown";
      const column = from.dataset.column;
      if (event.key === "Home") go(from, hosts[0]);
      else if (event.key === "End") go(from, hosts[hosts.length - 1]);
      else if (column !== undefined && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
        const rest = forth ? hosts.slice(at + 1) : hosts.slice(0, at).reverse();
        go(from, rest.find((host) => host.dataset.column === column));
      } else go(from, hosts[at + (forth ? 1 : -1)]);
    });
  }
  addEventListener("scroll", place, { passive: true, capture: true });

  for (const table of document.querySelectorAll("table.sortable")) {
    const heads = [...table.tHead.rows[0].cells], body = table.tBodies[0];
    heads.forEach((head, number) => head.firstChild.addEventListener("click", () => {
      const descending = head.getAttribute("aria-sort") === "ascending";
      heads.forEach((other) => other.setAttribute("aria-sort", "none"));
      head.setAttribute("aria-sort", descending ? "descending" : "ascending");
      const key = (row) => row.cells[number].dataset.key;
      const compare = number
        ? (first, second) => Number(first) - Number(second)
        : (first, second) => first.localeCompare(second, undefined, { numeric: true });
      const rows = [...body.rows];
      // What was not measured stays at the end, whichever way.
      const known = rows.filter((row) => key(row) !== undefined).sort((a, b) => compare(key(a), key(b)));
      if (descending) known.reverse();
      body.append(...known, ...rows.filter((row) => key(row) === undefined));
    }));
  }
})();
