"use strict";
// Pages are whole without this. It brings new content of the same page in, shows running times, and filters logs while one
// types. Content always comes from the server as a page of its own: nothing here makes markup out of data, but for lines of
// logs, which the server has escaped.
(() => {
  const main = document.getElementById("main");
  const link = document.getElementById("link");
  const skew = Date.now() - Number(main.dataset.now);

  const refresh = (() => {
    let busy = false;
    let again = false;
    return async () => {
      if (busy) {
        again = true;
        return;
      }
      busy = true;
      try {
        const answer = await fetch(location.href, { headers: { accept: "text/html" } });
        // A refusal is a page as well, and the right one to show: the session ended.
        if (answer.status === 401 || answer.status === 404) {
          location.reload();
        } else if (answer.ok) {
          exchange(new DOMParser().parseFromString(await answer.text(), "text/html"));
        }
      } catch {
        // The stream says when the server is away.
      }
      busy = false;
      if (again) {
        again = false;
        refresh();
      }
    };
  })();

  function exchange(fresh) {
    const shown = [...document.querySelectorAll("[data-live]")];
    // A card that came or went changes the page's frame, which is not worth mending piece by piece.
    if (shown.length !== fresh.querySelectorAll("[data-live]").length) {
      location.reload();
      return;
    }
    for (const part of shown) {
      const next = fresh.getElementById(part.id);
      if (!next || next.innerHTML === part.innerHTML) continue;
      const focused = part.contains(document.activeElement) ? path(document.activeElement, part) : null;
      part.className = next.className;
      part.replaceChildren(...document.importNode(next, true).childNodes);
      if (focused) follow(focused, part)?.focus();
    }
    document.title = fresh.title;
    tick();
  }

  function path(node, root) {
    const way = [];
    for (let at = node; at !== root; at = at.parentElement) way.unshift([...at.parentElement.children].indexOf(at));
    return way;
  }

  const follow = (way, root) => way.reduce((at, index) => at?.children[index], root);

  // ── Running times ──

  function words(ms) {
    const s = Math.max(0, Math.floor(ms / 1000));
    return s < 60 ? `${s} s` : `${Math.floor(s / 60)} min ${String(s % 60).padStart(2, "0")} s`;
  }

  function tick() {
    for (const timer of document.querySelectorAll(".ticking")) {
      timer.textContent = words(Date.now() - skew - Number(timer.dataset.since));
    }
  }

  setInterval(tick, 1000);
  tick();

  // ── Logs ──

  function append({ step, number, html }) {
    const section = document.querySelector(`.log-step[data-step="${step}"]`);
    const id = `${step}-${number}`;
    if (!section || document.getElementById(id) || search?.value) return;
    const lines = section.querySelector(".lines");
    const atEnd = lines.scrollHeight - lines.scrollTop - lines.clientHeight < 40;
    const line = document.createElement("li");
    line.id = id;
    const anchor = document.createElement("a");
    anchor.href = `#${id}`;
    anchor.textContent = number;
    const code = document.createElement("code");
    code.innerHTML = html;
    line.append(anchor, code);
    lines.append(line);
    section.hidden = false;
    document.getElementById("no-log").hidden = true;
    if (atEnd) lines.scrollTop = lines.scrollHeight;
  }

  const search = document.getElementById("q");
  search?.addEventListener("input", () => {
    const wanted = search.value.toLowerCase();
    for (const line of document.querySelectorAll(".lines li")) {
      line.hidden = !line.lastElementChild.textContent.toLowerCase().includes(wanted);
    }
  });

  // ── The stream ──

  if (main.dataset.events) {
    const stream = new EventSource(main.dataset.events);
    const lost = (words) => {
      link.textContent = words;
      link.hidden = !words;
    };
    let wasLost = false;
    stream.addEventListener("open", () => {
      lost("");
      if (wasLost) refresh();
      wasLost = false;
    });
    stream.addEventListener("error", () => {
      wasLost = true;
      lost("The server does not answer: what is shown is not the latest.");
    });
    stream.addEventListener("change", refresh);
    stream.addEventListener("beat", refresh);
    stream.addEventListener("line", (event) => append(JSON.parse(event.data)));
    stream.addEventListener("end", () => stream.close());
    addEventListener("pagehide", () => stream.close());
  }
})();
