// The review screen: next and previous row by key, and word of what arrived meanwhile. All of it works without.
(() => {
  const place = document.querySelector("[data-review]");
  const rows = () => [...document.querySelectorAll("[data-row]")].filter((r) => r.offsetParent);
  document.addEventListener("keydown", (e) => {
    if (e.target.closest("input, textarea, select, [contenteditable], dialog") || e.ctrlKey || e.metaKey || e.altKey) return;
    const step = { j: 1, k: -1, "]": 1, "[": -1 }[e.key];
    if (!step) return;
    const all = rows();
    const here = all.indexOf(document.activeElement.closest("[data-row]"));
    const next = all[here < 0 ? (step > 0 ? 0 : all.length - 1) : Math.min(all.length - 1, Math.max(0, here + step))];
    if (next) { e.preventDefault(); next.focus(); next.scrollIntoView({ block: "nearest" }); }
  });
  if (!place) return;

  const base = place.dataset.review, position = place.dataset.position;
  let told = false, timer = 0, source = null;
  const tell = () => {
    if (told) return;
    told = true;
    source?.close();
    clearInterval(timer);
    const note = document.createElement("div"), text = document.createElement("p"), link = document.createElement("a");
    note.className = "note warn mb4";
    text.textContent = "New entries arrived after this page was sent. A signature now may be refused as stale. ";
    link.href = location.pathname;
    link.className = "btn sm";
    link.textContent = "Show new entries";
    text.append(link);
    note.append(text);
    place.append(note);
  };
  const ask = async () => {
    try {
      const answer = await fetch(`${base}/position`, { headers: { accept: "application/json" } });
      if (answer.ok && (await answer.json()).position !== position) tell();
    } catch { /* the next one asks again */ }
  };
  const poll = () => { timer ||= setInterval(ask, 10000); };
  if (!window.EventSource) { poll(); return; }
  source = new EventSource(`${base}/events?at=${position}`);
  source.addEventListener("arrived", tell);
  source.addEventListener("end", () => { source.close(); poll(); });
  source.addEventListener("error", () => { source.close(); if (!told) poll(); });
  addEventListener("pagehide", () => source.close());
})();
