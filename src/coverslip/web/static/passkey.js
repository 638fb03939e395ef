// Passkeys: only where the browser has them; what a password does it does without scripts, too.
(() => {
  if (!window.PublicKeyCredential || !navigator.credentials) return;
  const $ = (s, r = document) => r.querySelector(s);
  const all = (s, r = document) => [...r.querySelectorAll(s)];
  const bytes = (text) => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
  const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer)))
    .replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
  const ids = (list) => (list ?? []).map((one) => ({ ...one, id: bytes(one.id) }));

  // What the server answers: its value, or its own words for why not.
  const ask = async (address, form) => {
    const answer = await fetch(address, { method: "POST", body: new FormData(form), credentials: "same-origin" });
    const value = await answer.json().catch(() => ({}));
    if (!answer.ok) throw new Error(`${value.message ?? "The server did not answer."} ${value.remedy ?? ""}`.trim());
    return value;
  };
  const made = async (options) => {
    const publicKey = {
      ...options, challenge: bytes(options.challenge), user: { ...options.user, id: bytes(options.user.id) },
      excludeCredentials: ids(options.excludeCredentials),
    };
    const one = await navigator.credentials.create({ publicKey });
    return {
      id: text(one.rawId), client_data: text(one.response.clientDataJSON),
      attestation: text(one.response.attestationObject),
    };
  };
  const answered = async ({ options, ceremony = "" }, signal) => {
    const publicKey = {
      ...options, challenge: bytes(options.challenge), allowCredentials: ids(options.allowCredentials),
    };
    const one = await navigator.credentials.get({ publicKey, signal });
    return JSON.stringify({
      ceremony, id: text(one.rawId), authenticator_data: text(one.response.authenticatorData),
      client_data: text(one.response.clientDataJSON), signature: text(one.response.signature),
    });
  };

  const tell = (form, words) => {
    const place = $("[data-passkey-says]", form) ?? $("[data-passkey-says]");
    if (place) { place.textContent = words; place.hidden = !words; }
  };
  const reason = (error) => error.name === "NotAllowedError"
    ? "The passkey was not used: it was declined, or the time was over." : error.message;
  // A series asks several times.
  window.coverslipPasskey = { answered, reason };
  const once = (form, button, work) => async () => {
    button.disabled = true;
    tell(form, "");
    try { await work(); } catch (error) { tell(form, reason(error)); button.disabled = false; }
  };
  const put = (form, name, value) => {
    let field = $(`input[type=hidden][name=${name}]`, form);
    if (!field) { field = document.createElement("input"); field.type = "hidden"; field.name = name; form.append(field); }
    field.value = value;
  };

  // A button that fetches what to answer, and sends the answer with its form.
  for (const button of all("[data-passkey-answer]")) {
    const form = button.form;
    all("[data-passkey-only]").forEach((one) => { one.hidden = false; });
    button.addEventListener("click", once(form, button, async () => {
      const apart = all("[data-passkey-apart]", form);
      // What stands in place of the passkey is not asked for together with it.
      apart.forEach((one) => { one.disabled = true; });
      try {
        if (!form.checkValidity()) { form.reportValidity(); button.disabled = false; return; }
        put(form, "passkey", await answered(await ask(button.dataset.passkeyAnswer, form)));
        form.action = button.dataset.passkeyAction || form.action;
        form.submit();
      } finally { apart.forEach((one) => { one.disabled = false; }); }
    }));
  }

  // A new passkey: who adds it, the authenticator's own making of it, its first signature.
  for (const form of all("form[data-passkey-add]")) {
    all("[data-passkey-only]").forEach((one) => { one.hidden = false; });
    const button = $("button[type=submit]", form), other = $("[data-passkey-prove]", form);
    const add = (by) => once(form, by, async () => {
      // What proves who adds it: both components, or a passkey there is already.
      put(form, "passkey", by === other ? await answered(await ask(other.dataset.passkeyProve, form)) : "");
      const begun = await ask(`${form.action}/begin`, form);
      put(form, "ceremony", begun.ceremony);
      put(form, "made", JSON.stringify(await made(begun.options)));
      const listing = await ask(form.action, form);
      put(form, "kid", listing.kid);
      tell(form, "Now use the new passkey once more: it signs that it is yours.");
      put(form, "passkey", await answered(listing));
      await ask(`${form.action}/list`, form);
      location.assign(`${location.pathname}?said=passkey`);
    })();
    form.addEventListener("submit", (event) => { event.preventDefault(); add(button); });
    other?.addEventListener("click", () => add(other));
  }
})();
