"use strict";
// The page is made on the server; this only fetches it again and swaps what changed.
const EVERY = 5000;

async function refresh() {
  const live = document.getElementById("live");
  const lost = () => live.querySelector(".banner.lost");
  // Whoever selects text or reads hidden tabs is left in peace.
  if (document.hidden || String(document.getSelection())) return;
  try {
    const answer = await fetch("/", { cache: "no-store" });
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    const next = fresh.getElementById("live");
    if (!next) throw new Error("not the page");
    const scrolled = new Map();
    for (const region of live.querySelectorAll(".scroll")) scrolled.set(region.id, region.scrollLeft);
    const focused = document.activeElement && live.contains(document.activeElement) ? document.activeElement.id : "";
    live.replaceChildren(...next.childNodes);
    for (const region of live.querySelectorAll(".scroll")) region.scrollLeft = scrolled.get(region.id) || 0;
    if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
    document.title = fresh.title;
  } catch {
    if (lost()) lost().hidden = false;
  }
}

async function judge(event) {
  event.preventDefault();
  const verdict = document.getElementById("verdict");
  verdict.textContent = "Looking…";
  try {
    const answer = await fetch("/v1/score", { method: "POST", body: new FormData(event.target) });
    const body = await answer.json();
    if (!answer.ok) {
      verdict.textContent = body.detail;
      return;
    }
    const like = body.family || body.nearest_real_source;
    verdict.textContent =
      `${body.verdict}${body.outside ? " (like nothing known)" : ""} · probability of being synthetic ${body.probability.toFixed(3)} (at even odds)` +
      (like ? ` · nearest to ${like}` : "") + ` · by ${body.version}`;
  } catch {
    verdict.textContent = "No answer from the service.";
  }
}

setInterval(refresh, EVERY);
document.getElementById("try")?.addEventListener("submit", judge);
