// A series: one record after the other, each with a signature of its own. Without this the form signs by password.
(() => {
  const form = document.querySelector("form[data-series]");
  if (!form) return;
  const $ = (s, r = form) => r.querySelector(s);
  const all = (s, r = form) => [...r.querySelectorAll(s)];
  const items = all("[data-item]");
  const box = (item) => $("input[name=confirm]", item);
  const chosen = () => items.filter((item) => box(item).checked && !box(item).disabled);
  const now = $("[data-now]"), stop = $("[data-stop]"), submit = $("[data-signing] footer [type=submit]");
  const withPasskey = $("[data-sign-passkey]"), apart = $("[data-passkey-apart]");
  const address = new URL(form.action);
  let running = false, stopped = false, aborter = null;

  // What ends a series: something wrong with who signs, with the server, or a wish to stop.
  class Ended extends Error {}
  const said = (value) => `${value.message ?? "The server did not answer."} ${value.remedy ?? ""}`.trim();
  const plural = (n, one, more) => `${n} ${n === 1 ? one : more}`;

  const send = async (path, fields, again) => {
    let answer;
    try {
      answer = await fetch(`${path}${address.search}`, { method: "POST", body: fields, credentials: "same-origin" });
    } catch {
      // The key of the form makes sure that what is sent twice is signed once.
      if (again) { await new Promise((done) => { setTimeout(done, 1000); }); return send(path, fields, false); }
      throw new Ended("The connection broke. Open this record to see whether it was signed.");
    }
    if (answer.redirected) throw new Ended("Your session was locked or ended. Show what waits now, and sign in again.");
    const value = await answer.json().catch(() => null);
    if (!value) throw new Ended("The server took nothing from this page any more. Show what waits now.");
    if (answer.ok) return value;
    throw value.ends ? new Ended(said(value)) : new Error(said(value));
  };

  const mark = (item, name, why = "", word = "") => {
    const badge = document.querySelector(`template[data-mark=${name}]`).content.cloneNode(true);
    $("[data-state]", item).replaceChildren(word, badge);
    $("[data-why] p", item).textContent = why;
    $("[data-why]", item).hidden = !why;
    item.toggleAttribute("data-now-here", name === "asked" || name === "entering");
    item.dataset.is = name;
  };
  const over = (item) => { box(item).disabled = true; };
  const say = (words) => { $("[data-says]").textContent = words; };
  const warn = (words) => { const place = $("[data-alert]"); place.textContent = words; place.hidden = !words; };
  const count = () => {
    $("[data-confirmed]").textContent = `${chosen().length} of ${items.filter((i) => !box(i).disabled).length} confirmed`;
  };

  const fieldsOf = (item) => {
    const fields = new FormData(), number = item.dataset.item;
    for (const name of ["csrf", "reason", `shown.${number}`, `version.${number}`, `key.${number}`]) {
      const field = form.elements.namedItem(name);
      if (field) fields.set(name, field.value);
    }
    fields.set("confirm", number);
    return fields;
  };
  const halt = () => { if (stopped) throw new Ended("You stopped here."); };

  // Each gives what signs one record: both components, or a passkey's answer over that record's own statement.
  const byPassword = async (item, fields) => {
    for (const name of ["username", "password"]) fields.set(name, form.elements.namedItem(name).value);
  };
  const byPasskey = async (item, fields) => {
    mark(item, "waits");
    const asked = await send("/series/passkey", fields, false);
    halt();
    mark(item, "asked");
    aborter = new AbortController();
    try {
      fields.set("passkey", await window.coverslipPasskey.answered(asked, aborter.signal));
    } catch (error) {
      halt();
      throw new Ended(window.coverslipPasskey.reason(error));
    } finally { aborter = null; }
  };

  const run = async (give) => {
    const list = chosen();
    running = true; stopped = false;
    let why = "", signed = 0, refused = 0;
    lock(true);
    list.forEach((item) => mark(item, "waits"));
    for (const [place, item] of list.entries()) {
      if (stopped) { why ||= "You stopped here."; mark(item, "left"); continue; }
      progress(place, list.length, item, give);
      try {
        const fields = fieldsOf(item);
        await give(item, fields);
        mark(item, "entering");
        const done = await send("/series/one", fields, true);
        mark(item, "signed", "", `now ${done.state.toLowerCase()}`);
        over(item);
        signed += 1;
      } catch (error) {
        if (!(error instanceof Ended)) { mark(item, "refused", error.message); box(item).checked = false; over(item); refused += 1; continue; }
        mark(item, "left", stopped ? "" : error.message);
        why = error.message;
        stopped = true;
      }
    }
    running = false;
    lock(false);
    finish({ signed, refused, why, left: chosen().length, of: list.length });
  };

  const lock = (on) => {
    for (const one of [submit, withPasskey]) if (one) one.disabled = on;
    for (const item of items) box(item).disabled = on || ["signed", "refused"].includes(item.dataset.is);
    now.hidden = false;
    now.toggleAttribute("data-running", on);
    stop.hidden = !on;
    $("[data-anew]").hidden = on;
    warn("");
    if (on) stop.focus();
  };
  const progress = (place, of, item, give) => {
    const bar = $("[data-bar]"), label = $("strong", item).textContent;
    bar.max = of; bar.value = place;
    $("[data-now-title]").textContent = `Signing ${place + 1} of ${of}`;
    say(give === byPasskey ? `${label}: use your passkey when it is asked.` : `${label} is being signed.`);
    item.scrollIntoView({ block: "center", behavior: "auto" });
  };
  const finish = ({ signed, refused, why, left, of }) => {
    $("[data-bar]").value = signed + refused;
    $("[data-bar]").max = of;
    $("[data-now-title]").textContent = `${signed} of ${of} signed`;
    const parts = [
      refused ? `${plural(refused, "record was", "records were")} refused; why stands beside ${refused === 1 ? "it" : "each"}.` : "",
      why,
      left ? `${plural(left, "record is", "records are")} left. What is signed stays signed; go on with the same button.` : "",
      !refused && !left ? "Every record you confirmed is signed." : "",
    ];
    say(parts.filter(Boolean).join(" "));
    form.elements.namedItem("password").value = "";
    count();
    $("[data-signing]").hidden = items.every((item) => box(item).disabled);
    $("[data-now-title]").focus();
    now.scrollIntoView({ block: "center" });
  };

  // What keeps a series from beginning is said where it is.
  const ready = (passkey) => {
    if (running) return false;
    if (!chosen().length) {
      warn("Confirm at least one record first. Nothing was signed.");
      items.map(box).find((one) => !one.disabled)?.focus();
      return false;
    }
    apart.disabled = passkey;
    const right = form.reportValidity();
    apart.disabled = false;
    return right;
  };
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (ready(false)) run(byPassword);
  });
  if (withPasskey && window.coverslipPasskey) {
    $("[data-series-passkey]").hidden = false;
    withPasskey.addEventListener("click", () => { if (ready(true)) run(byPasskey); });
  }
  const quit = () => { if (!running) return; stopped = true; aborter?.abort(); say("Stopping. What was sent is entered first."); };
  stop.addEventListener("click", quit);
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") quit(); });
  form.addEventListener("change", count);
  count();
})();
