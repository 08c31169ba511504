// Keeps a dashboard current without a reload: swaps the widgets that changed, and says so when it no longer can.
"use strict";

const live = document.getElementById("live");
const tips = new Map(); // widget name -> where its tooltip stands, so that a swap does not take it away

function rowsOf(plot) {
  const widget = plot.closest("[data-widget]");
  return [...widget.querySelectorAll("details.data tbody tr")];
}

function showTip(plot, index) {
  const rows = rowsOf(plot);
  if (!rows.length) return;
  const row = rows[Math.max(0, Math.min(rows.length - 1, index))];
  const tip = plot.querySelector(".tip");
  const cursor = plot.querySelector(".cursor");
  const names = [...row.closest("table").querySelectorAll("thead .number")].map((cell) => cell.textContent);
  const values = [...row.querySelectorAll("td.number")].map((cell) => cell.textContent);
  tip.replaceChildren();
  values.forEach((value, i) => {
    const bold = document.createElement("b");
    bold.textContent = value;
    if (values.length > 1) {
      const swatch = document.createElement("i");
      swatch.className = `colour-${i % 6}`;
      tip.append(swatch, bold, ` ${names[i]}`, document.createElement("br"));
    } else {
      tip.append(bold, document.createElement("br"));
    }
  });
  const when = document.createElement("span");
  when.textContent = row.querySelector("th").textContent + (row.lastElementChild.textContent === "open" ? " · still open" : "");
  tip.append(when);
  tip.hidden = cursor.hidden = false;
  const x = (Number(row.dataset.x) / 100) * plot.clientWidth;
  cursor.style.left = `${x}px`;
  cursor.replaceChildren(...row.dataset.ys.split(" ").flatMap((y, i) => {
    if (y === "") return [];
    const dot = document.createElement("i");
    dot.className = `colour-${i % 6}`;
    dot.style.top = `${y}%`;
    return [dot];
  }));
  const left = x + 14 + tip.offsetWidth > plot.clientWidth ? x - 14 - tip.offsetWidth : x + 14;
  tip.style.left = `${Math.max(-40, left)}px`;
  tips.set(plot.closest("[data-widget]").dataset.widget, rows.indexOf(row));
}

function hideTip(plot) {
  plot.querySelector(".tip").hidden = plot.querySelector(".cursor").hidden = true;
  tips.delete(plot.closest("[data-widget]").dataset.widget);
}

function nearest(plot, clientX) {
  const box = plot.getBoundingClientRect();
  const x = ((clientX - box.left) / box.width) * 100;
  let best = 0;
  let distance = Infinity;
  rowsOf(plot).forEach((row, i) => {
    const d = Math.abs(Number(row.dataset.x) - x);
    if (d < distance) [best, distance] = [i, d];
  });
  return best;
}

document.addEventListener("pointermove", (event) => {
  const plot = event.target.closest?.(".plot");
  if (plot) showTip(plot, nearest(plot, event.clientX));
});
document.addEventListener("pointerout", (event) => {
  const plot = event.target.closest?.(".plot");
  if (plot && !plot.contains(event.relatedTarget)) hideTip(plot);
});
document.addEventListener("focusout", (event) => {
  const plot = event.target.closest?.(".plot");
  if (plot && plot.isConnected) hideTip(plot);
});
document.addEventListener("keydown", (event) => {
  const plot = event.target.closest?.(".plot");
  if (!plot) return;
  const last = rowsOf(plot).length - 1;
  const here = tips.get(plot.closest("[data-widget]").dataset.widget);
  const go = { ArrowLeft: (here ?? last + 1) - 1, ArrowRight: (here ?? -1) + 1, Home: 0, End: last }[event.key];
  if (event.key === "Escape") hideTip(plot);
  if (go === undefined) return;
  event.preventDefault();
  showTip(plot, Math.max(0, Math.min(last, go)));
});
document.addEventListener("change", (event) => {
  if (event.target.matches?.(".choose select")) event.target.form.requestSubmit();
});

function swap(name, html) {
  const card = document.querySelector(`[data-widget="${CSS.escape(name)}"]`);
  if (!card) return;
  // A person who is choosing, reading or scrolling keeps focus, opened parts and place.
  const focused = card.contains(document.activeElement) ? document.activeElement.closest("[data-key]")?.dataset.key : null;
  if (document.activeElement?.tagName === "SELECT" && card.contains(document.activeElement)) return;
  const opened = [...card.querySelectorAll("details[open]")].map((d) => d.dataset.key);
  const scrolled = [...card.querySelectorAll(".scroll")].map((s) => [s.scrollLeft, s.scrollTop]);
  const before = card.querySelector(".figure, .dial .value")?.textContent;
  const hovered = tips.get(name);
  const wasLast = hovered !== undefined && hovered === rowsOf(card.querySelector(".plot")).length - 1;
  card.innerHTML = html;
  opened.forEach((key) => card.querySelector(`details[data-key="${CSS.escape(key)}"]`)?.setAttribute("open", ""));
  card.querySelectorAll(".scroll").forEach((s, i) => scrolled[i] && s.scrollTo(...scrolled[i]));
  if (focused) card.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
  const plot = card.querySelector(".plot");
  if (plot && hovered !== undefined) showTip(plot, wasLast ? Infinity : hovered);
  card.classList.remove("changed");
  if (before !== undefined && before !== card.querySelector(".figure, .dial .value")?.textContent) {
    void card.offsetWidth; // restarts the animation
    card.classList.add("changed");
  }
}

function connect() {
  const label = document.getElementById("live-text");
  const asOf = document.getElementById("as-of");
  const trouble = document.getElementById("trouble");
  const patience = Number(live.dataset.patience);
  let heard = Date.now();
  let wait = 1000;
  let source;
  let retry;

  function say(state, text) {
    if (live.dataset.state === state && label.textContent === text) return;
    live.dataset.state = state;
    label.textContent = text;
  }
  function alive() {
    heard = Date.now();
    wait = 1000;
    say("live", "Live, updated");
  }
  function open() {
    clearTimeout(retry);
    source?.close();
    source = new EventSource(live.dataset.events);
    source.addEventListener("widgets", (event) => {
      const news = JSON.parse(event.data);
      for (const [name, html] of Object.entries(news.fragments)) swap(name, html);
      asOf.textContent = news.as_of.text;
      asOf.dateTime = news.as_of.iso;
      trouble.hidden = true;
      alive();
    });
    source.addEventListener("beat", (event) => {
      const news = JSON.parse(event.data);
      asOf.textContent = news.as_of.text;
      asOf.dateTime = news.as_of.iso;
      trouble.hidden = true;
      alive();
    });
    source.addEventListener("trouble", (event) => {
      trouble.textContent = JSON.parse(event.data).message;
      trouble.hidden = false;
      heard = Date.now();
      say("stale", "Stale since");
    });
    source.onerror = () => {
      say("stale", "Connection lost, stale since");
      if (source.readyState !== EventSource.CLOSED) return; // the browser tries again by itself
      retry = setTimeout(open, wait);
      wait = Math.min(wait * 2, 15000);
    };
  }
  open();
  setInterval(() => {
    if (Date.now() - heard < patience) return;
    say("stale", "No news, stale since");
    heard = Date.now();
    open();
  }, 1000);
  addEventListener("pagehide", () => source.close());
  addEventListener("pageshow", (event) => event.persisted && open());
}

document.querySelector(".tabs [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
if (live) connect();
