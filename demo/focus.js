// The keyboard's focus: where it goes on when what had it is gone.

import { $, all } from "./dom.js";

/** What had the focus last, and where it stood in a list. @type {{element: HTMLElement, list: string, at: number} | null} */
let held = null;
/** Where the focus was moved to last. @type {HTMLElement | null} */
let moved = null;
/** Lists whose next item is the sensible place, and what has the focus when there is none. */
const LISTS = { missed: "missed-title", history: "history-title", people: "dial-title" };

export function beginFocus() {
  addEventListener("focusin", ({ target }) => {
    const element = /** @type {HTMLElement} */ (target);
    const list = Object.keys(LISTS).find((id) => $(id).contains(element)) ?? "";
    const item = element.closest("li");
    held = { element, list, at: list ? [...$(list).children].indexOf(item) : -1 };
  });
}

/** Moves the focus on if what had it went away with the last drawing. */
export function mendFocus() {
  if (!held || held.element.checkVisibility({ visibilityProperty: true })) return;
  const { activeElement } = document;
  // The browser takes the focus from what is hidden, but not at once.
  if (activeElement !== document.body && activeElement !== held.element) return;
  const { list, at } = held;
  held = null;
  const next = !$("call").hidden ? $("call-title")
    : list ? nextIn(list, at) ?? $(LISTS[list])
      : $("dial-title");
  next.focus({ preventScroll: true });
  moved = next;
}

/** Who answered or called by a key that is gone, and was nowhere since, goes on in the call. */
export function enterFocus() {
  const { activeElement } = document;
  if (activeElement === moved || activeElement === $("app-title")) $("call-title").focus();
}

/** The first button of the item that took the place of one in a list, or of the last. */
function nextIn(list, at) {
  const items = all(":scope > li", $(list));
  return items[Math.min(at, items.length - 1)]?.querySelector("button, input") ?? null;
}
