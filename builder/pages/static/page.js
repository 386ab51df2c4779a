// What the page does beyond links and forms. Everything also works without this file.
"use strict";

(() => {
  const RETRY_MS = 5000;
  const isTyping = (element) =>
    element instanceof HTMLElement &&
    (element.isContentEditable || ["INPUT", "SELECT", "TEXTAREA"].includes(element.tagName));

  // -- what only scripts can do is shown only with scripts ---------------------------------

  function reveal(root) {
    for (const element of root.querySelectorAll("[data-for-scripts], button[data-copy]")) {
      element.hidden = false;
    }
  }

  // -- j, k, /, u ------------------------------------------------------------------------

  function visibleItems() {
    return [...document.querySelectorAll("[data-item]")].filter((item) => item.offsetParent);
  }

  function moveFocus(step) {
    const items = visibleItems();
    if (items.length === 0) return followLink(step > 0 ? "next" : "prev");
    const current = items.indexOf(document.activeElement);
    const next = current < 0 ? (step > 0 ? 0 : items.length - 1) : current + step;
    if (next < 0) return followLink("prev");
    if (next >= items.length) return followLink("next");
    items[next].focus();
    items[next].scrollIntoView({ block: "nearest" });
    return true;
  }

  function followLink(rel) {
    const link = document.querySelector(`#main a[rel~="${rel}"]`);
    link?.click();
    return link !== null;
  }

  function focusSearch() {
    const field = document.querySelector("[data-search]");
    field?.focus();
    return field !== null;
  }

  const keys = {
    j: () => moveFocus(1),
    k: () => moveFocus(-1),
    u: () => followLink("up"),
    "/": focusSearch,
  };

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
    const action = Object.hasOwn(keys, event.key) ? keys[event.key] : null;
    if (action?.()) event.preventDefault();
  });

  // -- copying -----------------------------------------------------------------------------

  document.addEventListener("click", async (event) => {
    const button = event.target instanceof Element && event.target.closest("button[data-copy]");
    if (!button) return;
    const source = document.getElementById(button.dataset.copy);
    try {
      await navigator.clipboard.writeText(source.textContent);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(source);
      button.textContent = "Selected";
    }
    setTimeout(() => (button.textContent = "Copy"), 2000);
  });

  // -- confirming what cannot be undone ---------------------------------------------------

  document.addEventListener("submit", (event) => {
    const question = event.submitter?.dataset.confirm;
    if (question && !confirm(question)) event.preventDefault();
  });

  // -- live parts: [data-refresh] holds milliseconds ---------------------------------------

  // The same address is read again and the parts with the same id are replaced, as long as
  // the new ones ask for it too. A hidden page waits.
  let stopped = false;

  async function refresh() {
    const parts = [...document.querySelectorAll("[data-refresh][id]")];
    if (parts.length === 0 || stopped) return;
    if (document.hidden) return void schedule();
    try {
      const response = await fetch(location.href, {
        headers: { Accept: "text/html" },
        redirect: "error",
      });
      if (!response.ok) throw new Error(response.statusText);
      const page = new DOMParser().parseFromString(await response.text(), "text/html");
      parts.forEach((part) => replacePart(part, page.getElementById(part.id)));
      setConnected(true);
      schedule();
    } catch {
      setConnected(false);
      setTimeout(refresh, RETRY_MS);
    }
  }

  function replacePart(part, fresh) {
    // What is selected or being typed in stays as it is.
    if (!part.isConnected || !fresh || part.contains(document.activeElement)) {
      if (fresh && part.isConnected && !isTyping(document.activeElement)) {
        const focused = document.activeElement.id;
        swapIn(part, fresh);
        if (focused) document.getElementById(focused)?.focus();
      }
      return;
    }
    swapIn(part, fresh);
  }

  function swapIn(part, fresh) {
    const open = new Set(
      [...part.querySelectorAll("details[id][open]")].map((details) => details.id),
    );
    const scrolled = new Map(
      [...part.querySelectorAll("[data-keep-end][id]")].map((box) => [box.id, isAtEnd(box)]),
    );
    const adopted = document.importNode(fresh, true);
    for (const details of adopted.querySelectorAll("details[id]")) {
      if (open.has(details.id)) details.open = true;
    }
    part.replaceWith(adopted);
    reveal(adopted);
    globalThis.htmx?.process(adopted);
    for (const [id, atEnd] of scrolled) {
      if (atEnd) scrollToEnd(document.getElementById(id));
    }
  }

  const isAtEnd = (box) => box.scrollHeight - box.scrollTop - box.clientHeight < 8;
  const scrollToEnd = (box) => box && (box.scrollTop = box.scrollHeight);

  function setConnected(isConnected) {
    document.documentElement.classList.toggle("disconnected", !isConnected);
  }

  function schedule() {
    const delays = [...document.querySelectorAll("[data-refresh][id]")].map(
      (part) => Number(part.dataset.refresh) || RETRY_MS,
    );
    if (delays.length > 0) setTimeout(refresh, Math.min(...delays));
  }

  // ------------------------------------------------------------------------------------------

  reveal(document);
  document.querySelectorAll("[data-keep-end]").forEach(scrollToEnd);
  document.addEventListener("htmx:after:swap", () => reveal(document));
  addEventListener("pagehide", () => (stopped = true));
  addEventListener("pageshow", () => (stopped = false));
  schedule();
})();
