"use strict";
// The pages are made on the server. This asks for them again, and carries what a person decides to the API.
{
  const EVERY = 5000;
  const SLOWLY = 60000;
  const by = (id) => document.getElementById(id);
  // Whoever selects text, decides something or reads hidden tabs is left in peace.
  const busy = () => document.hidden || String(document.getSelection()) || document.querySelector("dialog[open]") ||
    ["INPUT", "SELECT"].includes(document.activeElement?.tagName);
  const again = () => by("live") && htmx.trigger(by("live"), "refresh");

  setInterval(() => busy() || again(), EVERY);
  setInterval(() => busy() || htmx.trigger(document.body, "slow"), SLOWLY);

  const lost = (gone) => { by("lost").hidden = !gone; };
  document.body.addEventListener("htmx:sendError", () => lost(true));
  document.body.addEventListener("htmx:timeout", () => lost(true));
  document.body.addEventListener("htmx:beforeSwap", (event) => {
    if (event.detail.elt.id !== "live") return;
    const whole = event.detail.serverResponse.includes('id="live"');
    if (!whole) event.detail.shouldSwap = false; // an error is no page: what is shown stays, and says that it is old
    lost(!whole);
  });
  document.body.addEventListener("htmx:afterSwap", (event) => event.detail.target.removeAttribute("aria-busy"));

  // A refreshed page must not close what a person opened.
  if (window.Idiomorph) {
    Idiomorph.defaults.callbacks.beforeAttributeUpdated = (name, node) =>
      !((name === "open" && ["DETAILS", "DIALOG"].includes(node.tagName)) || name === "aria-busy");
  }

  // --- what changes state: says what happens, asks why and for the token, and sends it ---
  const ask = by("ask");
  let asked = null;

  document.addEventListener("click", (event) => {
    const button = event.target.closest("button.act");
    if (!button) return;
    asked = button.dataset;
    by("ask-title").textContent = asked.title;
    by("ask-text").textContent = asked.text;
    by("ask-failed").textContent = "";
    by("ask-reason").value = "";
    by("ask-length").hidden = asked.ask !== "length";
    by("ask-label").hidden = by("ask-family").hidden = asked.ask !== "label";
    ask.showModal();
    by("ask-reason").focus();
  });
  by("ask-cancel").addEventListener("click", () => ask.close());

  by("ask-form").addEventListener("submit", async (event) => {
    event.preventDefault();
    const body = { reason: by("ask-reason").value };
    if (asked.ask === "length") body.length = by("ask-length-field").value;
    if (asked.ask === "label") {
      body.label = by("ask-label-field").value;
      if (body.label === "synthetic" && by("ask-family-field").value) body.family = by("ask-family-field").value;
    }
    by("ask-failed").textContent = "";
    by("ask-ok").disabled = true;
    try {
      const answer = await fetch(asked.url, {
        method: "POST",
        headers: { "Content-Type": "application/json", Authorization: `Bearer ${by("ask-token").value}` },
        body: JSON.stringify(body),
      });
      const done = await answer.json();
      if (!answer.ok) {
        by("ask-failed").textContent = done.detail;
        return;
      }
      ask.close();
      by("said").textContent = done.text || done.reason;
      again();
    } catch {
      by("ask-failed").textContent = "No answer from the service.";
    } finally {
      by("ask-ok").disabled = false;
    }
  });

  // --- try it: take what is dropped anywhere on the field, and show it ---
  document.addEventListener("dragover", (event) => event.target.closest?.(".drop") && event.preventDefault());
  document.addEventListener("drop", (event) => {
    if (!event.target.closest?.(".drop") || !event.dataTransfer.files.length) return;
    event.preventDefault();
    by("picture").files = event.dataTransfer.files;
    by("picture").dispatchEvent(new Event("change", { bubbles: true }));
  });
  document.addEventListener("change", (event) => {
    if (event.target.id !== "picture") return;
    const preview = by("preview");
    if (preview.src) URL.revokeObjectURL(preview.src);
    const file = event.target.files[0];
    preview.hidden = !file;
    if (file) {
      preview.src = URL.createObjectURL(file);
      preview.alt = `The picture to be judged: ${file.name}`;
    }
    by("judged").replaceChildren();
  });
}
