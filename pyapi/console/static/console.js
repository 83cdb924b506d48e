// Comfort: times in the zone of the browser, one click a form, ids to copy, parts of a page that follow what happens.
// Every page works without this file.
"use strict";

const REFRESH_SECONDS = 10;

function localTimes(root) {
  const form = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
  const zone = new Intl.DateTimeFormat(undefined, { timeZoneName: "short" });
  for (const element of root.querySelectorAll("time[datetime]")) {
    const at = new Date(element.dateTime);
    const name = zone.formatToParts(at).find((part) => part.type === "timeZoneName");
    element.title = element.textContent;
    element.textContent = `${form.format(at)} ${name ? name.value : ""}`.trim();
  }
}

function copyButtons(root) {
  if (!navigator.clipboard) return;
  for (const element of root.querySelectorAll("[data-copy]")) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "copy quiet";
    button.textContent = "Copy";
    button.setAttribute("aria-label", `Copy ${element.textContent}`);
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(element.textContent);
      button.textContent = "Copied";
      button.setAttribute("aria-label", `Copied ${element.textContent}`);
    });
    element.after(button);
  }
}

function once(form) {
  form.addEventListener("submit", () => {
    // After the form was sent, or the button would not be part of it.
    setTimeout(() => form.querySelectorAll("button").forEach((button) => (button.disabled = true)));
  });
}

function prepare(root) {
  localTimes(root);
  copyButtons(root);
}

// --- parts that follow what happens: [data-live], each with an id -----------------------------

async function refresh() {
  const place = new URL(location.href);
  // What a click asked for once is not asked for again every few seconds.
  place.searchParams.delete("anew");
  const response = await fetch(place, { headers: { Accept: "text/html" }, redirect: "manual" });
  // A redirect leads to the sign-in page.
  if (!response.ok) throw new Error(`the page was answered with ${response.status}`);
  const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
  for (const part of document.querySelectorAll("[data-live][id]")) {
    const next = fresh.getElementById(part.id);
    // Whoever is inside a part keeps it as it is: the place in it, a selection, an open list.
    if (!next || part.contains(document.activeElement) || selects(part)) continue;
    for (const open of part.querySelectorAll("details[open][id]")) {
      next.querySelector(`#${open.id}`)?.setAttribute("open", "");
    }
    const sides = [...part.querySelectorAll(".scroll")].map((scroll) => scroll.scrollLeft);
    prepare(next);
    // What is the same stays, so that a screen reader is told of a status only when it has changed.
    if (part.innerHTML === next.innerHTML) continue;
    part.replaceChildren(...next.childNodes);
    part.querySelectorAll(".scroll").forEach((scroll, place) => (scroll.scrollLeft = sides[place] || 0));
  }
}

function selects(part) {
  const selection = document.getSelection();
  return selection && !selection.isCollapsed && part.contains(selection.anchorNode);
}

function follow() {
  if (document.querySelectorAll("[data-live][id]").length < 2) return;
  const button = document.createElement("button");
  const stale = document.createElement("p");
  let isOn = true;
  let seen = new Date();
  stale.className = "note warning";
  stale.setAttribute("role", "status");
  stale.hidden = true;
  document.getElementById("content").prepend(stale);
  const onFailure = () => {
    // Told once, and not with each try.
    if (!stale.hidden) return;
    stale.hidden = false;
    stale.textContent = `This page could not be refreshed since ${seen.toLocaleTimeString()}. Reload it to see why.`;
  };
  const onSuccess = () => {
    stale.hidden = true;
    seen = new Date();
  };
  const show = () => (button.textContent = isOn ? "Stop following" : "Follow");
  button.type = "button";
  button.className = "copy quiet";
  button.addEventListener("click", () => ((isOn = !isOn), show()));
  show();
  document.getElementById("as-of").after(" ", button);
  setInterval(() => {
    // A server that is away is asked again.
    if (isOn && !document.hidden) refresh().then(onSuccess, onFailure);
  }, REFRESH_SECONDS * 1000);
}

prepare(document);
document.querySelectorAll("form[method=post]").forEach(once);
// A page from the cache of the browser has its buttons again.
addEventListener("pageshow", () => document.querySelectorAll("button:disabled").forEach((b) => (b.disabled = false)));
follow();
