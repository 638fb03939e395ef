// The viewer of an image: tiles, channels, planes, scale bar, native values. Without it the page shows one picture.
(() => {
  const box = document.getElementById("viewer");
  if (!box || !window.OpenSeadragon) return;
  const $ = (s, r = box) => r.querySelector(s);
  const data = box.dataset, at = { z: +data.z, t: +data.t }, counts = { z: +data.zs, t: +data.ts };
  const width = +data.width, height = +data.height, levels = +data.levels, um = parseFloat(data.um);
  const form = document.getElementById("display"), pane = $(".vp"), base = `/images/${data.image}`;
  const rows = [...(form?.querySelectorAll("[data-channel]") ?? [])];
  const channels = () => {
    const shown = rows.map((row) => {
      const [low, high] = [...row.querySelectorAll("input[type=number]")].map((one) => one.value);
      return { on: row.querySelector("[name=on]").checked, text: (colour) => `${row.dataset.channel}:${colour}:${low}:${high}`, colour: row.dataset.colour, right: low !== "" && high !== "" && +low < +high };
    });
    if (shown.some((one) => one.on && !one.right)) return null;
    const on = shown.filter((one) => one.on).map((one) => one.text(one.colour));
    return on.length ? on.join(",") : shown.length ? shown[0].text("000000") : "";
  };
  const query = () => new URLSearchParams({ ...(channels() ? { channels: channels() } : {}), z: at.z, t: at.t });
  const source = () => {
    const asked = query();
    return {
      width, height, tileSize: +data.tile, tileOverlap: 0, minLevel: 0, maxLevel: levels - 1,
      getTileUrl: (level, x, y) => `${base}/tiles/${levels - 1 - level}/${x}_${y}.jpg?${asked}`,
    };
  };

  // It warns of every tile that a change of settings made stale, which is meant.
  OpenSeadragon.console = { log() {}, debug() {}, info() {}, warn() {}, assert() {}, error: console.error.bind(console) };
  // The static picture gives way to the viewer; what needs a script shows itself.
  const stage = document.createElement("div");
  stage.className = "stage";
  pane.prepend(stage);
  // It would add a style that takes the outline off what has the focus, unless one of this name is there.
  const unstyled = document.createElementNS("urn:coverslip:none", "style");
  unstyled.setAttribute("data-openseadragon-mobile-css", "none");
  document.head.append(unstyled);
  const viewer = OpenSeadragon({
    element: stage, drawer: "canvas", tileSources: source(), showNavigationControl: false, showNavigator: true,
    navigatorPosition: "TOP_RIGHT", navigatorSizeRatio: 0.15, animationTime: 0.25, springStiffness: 12, maxZoomPixelRatio: 16,
    imageSmoothingEnabled: false, gestureSettingsMouse: { clickToZoom: false, dblClickToZoom: true }, keyboardShortcuts: false,
    immediateRender: true, maxImageCacheCount: 400, imageLoaderLimit: 8,
    preserveImageSizeOnResize: true, visibilityRatio: 0.5, navigatorAutoFade: false,
  });
  viewer.innerTracker.keyHandler = null;
  viewer.innerTracker.keyDownHandler = null;
  viewer.addOnceHandler("tile-drawn", () => { for (const one of box.querySelectorAll("[data-static]")) one.remove(); });
  for (const one of box.querySelectorAll("[data-needs-script]")) one.hidden = false;

  const show = () => {
    if (channels() === null) return;
    viewer.addTiledImage({ tileSource: source(), index: 0, replace: true, preload: true });
    for (const [axis, count] of Object.entries(counts)) {
      const words = $(`[data-axis=${axis}] [data-at]`);
      if (words) words.textContent = `${at[axis] + 1}/${count}`;
    }
    for (const row of rows) {
      const drawn = row.querySelector(".hist");
      if (drawn) drawn.src = `${base}/histogram.svg?${new URLSearchParams({ c: row.dataset.channel, z: at.z, t: at.t })}`;
    }
    for (const one of document.querySelectorAll("input[type=hidden][name=z], input[type=hidden][name=t]")) one.value = at[one.name];
    const kept = new URLSearchParams(form ? new FormData(form) : {});
    history.replaceState(null, "", `?${kept}`);
  };
  let waiting = 0;
  form?.addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(show, 250); });
  form?.addEventListener("submit", (e) => { e.preventDefault(); show(); });
  const step = (axis, by) => {
    const to = at[axis] + by;
    if (to < 0 || to >= counts[axis]) return;
    at[axis] = to;
    for (const one of box.querySelectorAll(`[data-axis=${axis}] [data-step]`)) {
      const off = at[axis] + +one.dataset.step < 0 || at[axis] + +one.dataset.step >= counts[axis];
      if (off) one.setAttribute("aria-disabled", "true"); else { one.removeAttribute("aria-disabled"); one.href ||= "#"; }
    }
    show();
  };
  box.addEventListener("click", (e) => {
    const stepper = e.target.closest("[data-step]");
    if (stepper) { e.preventDefault(); step(stepper.closest("[data-axis]").dataset.axis, +stepper.dataset.step); }
    const act = e.target.closest("[data-do]");
    if (act) acts[act.dataset.do]?.(act);
  });

  // Zoom, in parts of a pixel of the original on a pixel of the screen.
  const one = () => viewer.viewport.imageToViewportZoom(1) / (window.devicePixelRatio || 1);
  const acts = {
    in: () => viewer.viewport.zoomBy(1.5).applyConstraints(),
    out: () => viewer.viewport.zoomBy(1 / 1.5).applyConstraints(),
    fit: () => viewer.viewport.goHome(),
    one: () => viewer.viewport.zoomTo(one()).applyConstraints(),
    full: () => (document.fullscreenElement ? document.exitFullscreen() : box.requestFullscreen?.()),
    marks: () => {
      const drawn = $("[data-marks]"), button = $("[data-do=marks]");
      if (!drawn) return;
      const on = drawn.hasAttribute("hidden");
      if (on) drawn.removeAttribute("hidden"); else drawn.setAttribute("hidden", "");
      button.setAttribute("aria-pressed", String(on));
    },
    scale: (button) => { const on = button.getAttribute("aria-pressed") !== "true"; button.setAttribute("aria-pressed", String(on)); $("[data-scale]").hidden = !on; },
  };
  const scale = $("[data-scale]"), bar = scale?.querySelector("svg");
  const measure = () => {
    if (!viewer.viewport) return;
    const zoom = viewer.viewport.viewportToImageZoom(viewer.viewport.getZoom(true));
    $("[data-zoom]").textContent = `${(zoom * 100).toFixed(zoom < 0.1 ? 1 : 0)} %`;
    if (!bar || !(um > 0)) return;
    const wanted = (stage.clientWidth / 6 / zoom) * um, power = 10 ** Math.floor(Math.log10(wanted));
    const length = [5, 2, 1].map((n) => n * power).find((n) => n <= wanted) ?? power;
    const pixels = (length / um) * zoom;
    bar.removeAttribute("hidden");
    bar.setAttribute("width", pixels.toFixed(1));
    bar.firstElementChild.setAttribute("width", pixels.toFixed(1));
    scale.querySelector("[data-length]").textContent = length >= 1000 ? `${length / 1000} mm` : length >= 1 ? `${length} µm` : `${+(length * 1000).toPrecision(3)} nm`;
  };
  // Annotations stay in pixels of the original: the frame they are seen through follows the viewer.
  const marks = $("[data-marks]");
  const frame = () => {
    if (!marks || !viewer.viewport || !viewer.world.getItemCount()) return;
    const seen = viewer.viewport.viewportToImageRectangle(viewer.viewport.getBounds(true));
    marks.setAttribute("viewBox", `${seen.x} ${seen.y} ${seen.width} ${seen.height}`);
    marks.setAttribute("preserveAspectRatio", "none");
    marks.setAttribute("font-size", String((13 * seen.width) / (stage.clientWidth || 1)));
  };
  for (const event of ["animation", "open", "resize", "update-viewport"]) viewer.addHandler(event, () => { measure(); frame(); });

  // Native values: asked of the original, at most one question at a time.
  const readout = $("[data-readout]");
  let asking = false, next = null;
  const ask = async () => {
    if (asking || !next) return;
    asking = true;
    const { x, y } = next;
    next = null;
    try {
      const answer = await fetch(`${base}/probe?${new URLSearchParams({ x, y, z: at.z, t: at.t })}`);
      if (answer.ok) {
        const found = await answer.json();
        readout.textContent = `x ${x} y ${y}  ${found.channels.map((c) => `${c.name} ${c.values.join(" ")}`).join(" · ")}`;
      }
    } finally {
      asking = false;
      setTimeout(ask, 60);
    }
  };
  new OpenSeadragon.MouseTracker({
    element: stage,
    moveHandler: (e) => {
      if (!viewer.viewport || !viewer.world.getItemCount()) return;
      const point = viewer.viewport.viewerElementToImageCoordinates(e.position);
      const x = Math.floor(point.x), y = Math.floor(point.y);
      if (x >= 0 && y >= 0 && x < width && y < height) { next = { x, y }; ask(); }
    },
  });

  document.addEventListener("keydown", (e) => {
    if (e.target.closest("input, textarea, select, [contenteditable]") || e.ctrlKey || e.metaKey || e.altKey) return;
    const inside = pane.contains(document.activeElement) || box.contains(document.activeElement);
    const pan = { ArrowLeft: [-0.1, 0], ArrowRight: [0.1, 0], ArrowUp: [0, -0.1], ArrowDown: [0, 0.1] }[e.key];
    if (e.key === "+" || e.key === "=") acts.in();
    else if (e.key === "-") acts.out();
    else if (e.key === "0") acts.fit();
    else if (e.key === "m") acts.marks();
    else if (e.key === ",") step("z", -1);
    else if (e.key === ".") step("z", 1);
    else if (pan && inside) {
      const seen = viewer.viewport.getBounds();
      viewer.viewport.panBy(new OpenSeadragon.Point(pan[0] * seen.width, pan[1] * seen.height)).applyConstraints();
    } else if (/^[1-9]$/.test(e.key) && rows[+e.key - 1]) {
      const on = rows[+e.key - 1].querySelector("[name=on]");
      on.checked = !on.checked;
      show();
    } else return;
    e.preventDefault();
  });
})();
