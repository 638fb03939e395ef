// Files one after the other, each with its hash ahead of it and its own progress. Without this, the form sends them.
(() => {
  const form = document.querySelector("form[data-ingest]");
  if (!form || !window.crypto?.subtle) return;
  const list = form.querySelector("[data-progress]");
  const input = form.querySelector("input[type=file]");
  const drop = form.querySelector("[data-drop]");
  const token = document.querySelector("meta[name=csrf]").content;
  const LARGEST_TO_HASH = 1024 ** 3;

  for (const kind of ["dragenter", "dragover"]) drop.addEventListener(kind, (e) => { e.preventDefault(); drop.classList.add("over"); });
  for (const kind of ["dragleave", "drop"]) drop.addEventListener(kind, (e) => { e.preventDefault(); drop.classList.remove("over"); });
  drop.addEventListener("drop", (e) => { input.files = e.dataTransfer.files; });

  const hex = (buffer) => [...new Uint8Array(buffer)].map((b) => b.toString(16).padStart(2, "0")).join("");
  // Canonical JSON: names in order, no spaces.
  const canonical = (value) => `{${Object.keys(value).sort().map((k) => `${JSON.stringify(k)}:${JSON.stringify(value[k])}`).join(",")}}`;

  const line = (file) => {
    const item = document.createElement("li");
    const name = document.createElement("span");
    const bar = document.createElement("progress");
    const said = document.createElement("span");
    item.className = "upload";
    said.className = "fs-s";
    name.textContent = file.name;
    bar.max = file.size || 1;
    bar.value = 0;
    bar.setAttribute("aria-label", file.name);
    item.append(name, bar, said);
    list.append(item);
    return { name, bar, said };
  };

  const send = (file, to, reason, sequence, row) => new Promise((done) => {
    row.said.textContent = "hashing";
    file.arrayBuffer().then((bytes) => crypto.subtle.digest("SHA-256", bytes)).then((digest) => {
      const manifest = canonical({ name: file.name.normalize("NFC"), reason: reason.normalize("NFC"), sequence, sha256: hex(digest), size: file.size });
      const request = new XMLHttpRequest();
      request.open("PUT", `/ingest/${encodeURIComponent(to)}/upload`);
      request.setRequestHeader("X-CSRF-Token", token);
      request.setRequestHeader("Coverslip-Manifest", hex(new TextEncoder().encode(manifest)));
      request.setRequestHeader("Content-Type", "application/octet-stream");
      request.upload.onprogress = (e) => { row.bar.value = e.loaded; row.said.textContent = `${Math.round((100 * e.loaded) / (e.total || 1))} %`; };
      request.onload = () => {
        let answer = {};
        try { answer = JSON.parse(request.responseText); } catch { answer = { error: "The server gave no answer that can be read." }; }
        row.bar.value = row.bar.max;
        if (answer.number) {
          const link = document.createElement("a");
          link.href = `/r/${answer.number}`;
          link.className = "idcell";
          link.textContent = answer.number;
          row.said.replaceChildren(link, ` ${answer.state.replaceAll("_", " ")} ${(answer.why ?? []).join(" ")}`);
        } else {
          row.said.className = "fs-s bad-t";
          row.said.textContent = `${answer.code ?? ""} ${answer.error ?? "Not taken in."}`;
        }
        done();
      };
      request.onerror = () => { row.said.textContent = "The connection broke. Nothing of this file was kept; bring it again."; done(); };
      request.send(file);
    }).catch(() => { row.said.textContent = "This browser could not read the file."; done(); });
  });

  form.addEventListener("submit", async (e) => {
    const files = [...input.files];
    if (!form.checkValidity() || files.some((f) => f.size > LARGEST_TO_HASH)) return;
    e.preventDefault();
    const button = form.querySelector("[type=submit]");
    button.disabled = true;
    list.replaceChildren();
    const rows = files.map(line);
    for (const [k, file] of files.entries()) await send(file, form.elements.to.value, form.elements.reason.value, k + 1, rows[k]);
    button.disabled = false;
    input.value = "";
  });
})();
