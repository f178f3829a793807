"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const profiles = Object.keys(data.profiles);
  const policies = Object.keys(data.profiles[profiles[0]].policies);
  const order = Object.keys(data.meanings);
  const chosen = {
    profile: profiles[0],
    figure: "map",
    span: "next",
    policy: policies.includes("mixture") ? "mixture" : policies[0],
    shown: new Set(policies),
  };
  const names = { map: "mean AP", auroc: "AUROC", next: "next period", past: "past periods", whole: "all periods" };
  const hint = document.getElementById("hint");
  const colour = (policy) => `var(--p${order.indexOf(policy) % 5})`;
  const text = (value) => (value === null || value === undefined ? "–" : value.toFixed(3));

  function put(parent, tag, attributes = {}, content = null) {
    const svg = parent.namespaceURI === "http://www.w3.org/2000/svg" || tag === "svg";
    const made = svg ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    if (content !== null) made.textContent = content;
    parent.append(made);
    return made;
  }

  function tells(element, words) {
    element.setAttribute("tabindex", "0");
    element.setAttribute("role", "img");
    element.setAttribute("aria-label", words);
    for (const event of ["pointerenter", "focus"]) element.addEventListener(event, () => { hint.textContent = words; });
    for (const event of ["pointerleave", "blur"]) element.addEventListener(event, () => { hint.textContent = ""; });
  }

  function choice(label, key, options) {
    const select = put(put(document.getElementById("controls"), "label", {}, label), "select");
    for (const [value, shown] of options) put(select, "option", { value }, shown);
    select.value = chosen[key];
    select.addEventListener("change", () => { chosen[key] = select.value; draw(); });
  }

  function fresh(id) {
    const place = document.getElementById(id);
    place.replaceChildren();
    return place;
  }

  const found = () => data.profiles[chosen.profile].policies;

  function lines() {
    const width = 900, height = 300, left = 46, bottom = 34, top = 10;
    const svg = put(fresh("lines"), "svg", { viewBox: `0 0 ${width} ${height}` });
    const key = `${chosen.span}_${chosen.figure}`;
    const shown = policies.filter((policy) => chosen.shown.has(policy));
    const values = shown.flatMap((policy) => found()[policy].periods.map((one) => one[key])).filter((v) => v !== null);
    const low = Math.max(0, Math.floor(Math.min(0.9, ...values) * 10) / 10);
    const count = data.calendar.length;
    const x = (k) => left + (count < 2 ? 0 : (k * (width - left - 20)) / (count - 1));
    const y = (value) => top + ((1 - value) * (height - top - bottom)) / (1 - low);
    for (let step = 0; step <= 5; step += 1) {
      const value = low + ((1 - low) * step) / 5;
      put(svg, "line", { class: "grid", x1: left, x2: width, y1: y(value), y2: y(value) });
      put(svg, "text", { x: left - 6, y: y(value) + 4, "text-anchor": "end", class: "soft-text" }, value.toFixed(2));
    }
    data.calendar.forEach((period, k) => {
      const anchor = k === 0 ? "start" : k === count - 1 ? "end" : "middle";
      put(svg, "text", { x: x(k), y: height - 10, "text-anchor": anchor, class: "soft-text" }, `${k}: ${period.last.slice(0, 7)}`);
    });
    for (const policy of shown) {
      const there = found()[policy].periods.filter((one) => one[key] !== null);
      const path = there.map((one, i) => `${i ? "L" : "M"}${x(one.number)} ${y(one[key])}`).join("");
      const dash = policy === "oracle" ? "2 4" : policy === "static" ? "7 5" : "none";
      put(svg, "path", { class: "curve", d: path, stroke: colour(policy), "stroke-dasharray": dash });
      for (const one of there) {
        const dot = put(svg, "circle", { class: "dot", cx: x(one.number), cy: y(one[key]), r: 4.5, fill: colour(policy) });
        tells(dot, `${policy}, after period ${one.number}, ${names[chosen.span]}: ${names[chosen.figure]} ${text(one[key])} (${one.version})`);
      }
    }
  }

  function matrix() {
    const own = found()[chosen.policy], rows = own[`matrix_${chosen.figure}`];
    const count = rows.length, size = Math.min(70, 800 / (count + 1)), left = 120, top = 26;
    const svg = put(fresh("matrix"), "svg", { viewBox: `0 0 900 ${top + (count + 1) * 34 + 6}` });
    for (let j = 0; j < count; j += 1) {
      put(svg, "text", { x: left + j * size + size / 2, y: 16, "text-anchor": "middle", class: "soft-text" }, `on ${j}`);
    }
    const draw_row = (label, values, r, words, heat) => {
      put(svg, "text", { x: left - 8, y: top + r * 34 + 21, "text-anchor": "end", class: "soft-text" }, label);
      values.forEach((value, j) => {
        const depth = value === null ? 0 : Math.max(0, Math.min(1, heat(value)));
        const cell = put(svg, "rect", { class: "cell", x: left + j * size, y: top + r * 34, width: size, height: 32, fill: `rgb(var(--heat) / ${(0.06 + 0.5 * depth).toFixed(3)})` });
        put(svg, "text", { x: left + j * size + size / 2, y: top + r * 34 + 21, "text-anchor": "middle", "pointer-events": "none" }, text(value));
        tells(cell, words(j, value));
      });
    };
    rows.forEach((values, k) => {
      const words = (j, value) => `${chosen.policy}: after period ${k} on period ${j} (${data.calendar[j].families.join(", ")}): ${names[chosen.figure]} ${text(value)}`;
      draw_row(`after ${k}`, values, k, words, (value) => (value - 0.4) / 0.6);
    });
    const words = (j, value) => `${chosen.policy}: mean AP that period ${j} has lost since its best: ${text(value)}`;
    draw_row("forgotten (AP)", own.forgetting_by_period, count, words, (value) => value * 10);
  }

  function families() {
    const own = found()[chosen.policy].families;
    const listed = data.calendar.flatMap((period) => period.families).filter((family) => family in own);
    const step = 22, left = 200, width = 900, scale = 400;
    const svg = put(fresh("families"), "svg", { viewBox: `0 0 ${width} ${30 + listed.length * step}` });
    const suffix = chosen.figure === "map" ? "ap" : "auroc";
    const x = (value) => left + value * scale;
    for (let tick = 0; tick <= 10; tick += 2) {
      put(svg, "line", { class: "grid", x1: x(tick / 10), x2: x(tick / 10), y1: 20, y2: 30 + listed.length * step });
      put(svg, "text", { x: x(tick / 10), y: 14, "text-anchor": "middle", class: "soft-text" }, (tick / 10).toFixed(1));
    }
    put(svg, "text", { x: left + scale + 24, y: 14, class: "soft-text" }, "alarm after · recovered after");
    listed.forEach((family, i) => {
      const one = own[family], y = 34 + i * step, before = one[`zero_shot_${suffix}`], after = one[`final_${suffix}`];
      put(svg, "text", { x: 4, y: y + 4 }, family.length > 27 ? `${family.slice(0, 26)}…` : family);
      if (before !== null && after !== null) put(svg, "line", { class: "span", x1: x(before), x2: x(after), y1: y, y2: y });
      if (before !== null) put(svg, "circle", { class: "before", cx: x(before), cy: y, r: 5 });
      if (after !== null) put(svg, "circle", { class: "after", cx: x(after), cy: y, r: 5 });
      const alarm = one.samples_to_alarm === null ? "no alarm" : `${one.samples_to_alarm} pictures, ${one.days_to_alarm} d`;
      const recovery = one.days_to_recovery === null ? "" : ` · ${one.samples_to_recovery} pictures, ${one.days_to_recovery} d`;
      put(svg, "text", { x: left + scale + 24, y: y + 4, class: one.samples_to_alarm === null ? "soft-text" : "" }, alarm + recovery);
      const hit = put(svg, "rect", { class: "dot", x: 0, y: y - step / 2, width, height: step, fill: "transparent" });
      tells(hit, `${family}, released ${one.released}, ${one.n} pictures: zero-shot ${suffix} ${text(before)}, recall ${text(one.zero_shot_recall)}; final ${suffix} ${text(after)}, recall ${text(one.final_recall)}; ${alarm}${recovery}`);
    });
  }

  function decisions() {
    const place = fresh("decisions");
    const table = put(place, "table"), head = put(put(table, "thead"), "tr"), body = put(table, "tbody");
    for (const title of ["Time", "Version", "Decision", "Why"]) put(head, "th", { scope: "col" }, title);
    for (const one of data.decisions[chosen.policy]) {
      const row = put(body, "tr");
      for (const cell of [one.at.slice(0, 10), one.version, one.decision, one.reason]) put(row, "td", {}, cell);
    }
  }

  function draw() { lines(); matrix(); families(); decisions(); }

  choice("profile", "profile", profiles.map((name) => [name, name]));
  choice("figure", "figure", [["map", "mean AP"], ["auroc", "AUROC"]]);
  choice("curves", "span", ["next", "past", "whole"].map((name) => [name, names[name]]));
  choice("matrix, families, decisions of", "policy", policies.map((name) => [name, name]));
  for (const policy of policies) {
    const label = put(document.getElementById("controls"), "label", { title: data.meanings[policy] || "" });
    const box = put(label, "input", { type: "checkbox" });
    box.checked = true;
    box.style.accentColor = colour(policy);
    const name = put(label, "span", {}, policy);
    name.style.color = colour(policy);
    box.addEventListener("change", () => {
      if (box.checked) chosen.shown.add(policy); else chosen.shown.delete(policy);
      lines();
    });
  }
  draw();
})();
