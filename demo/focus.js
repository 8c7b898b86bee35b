// The keyboard's focus: where it goes on when what had it is gone.

import { $, all } from "./dom.js";

/**
 * What had the focus last, where it stood in a list, and the title above it.
 * @type {{element: HTMLElement, list: string, at: number, title: HTMLElement | null} | null}
 */
let held = null;
/** Where the focus was moved to last. @type {HTMLElement | null} */
let moved = null;
/** Lists whose next item is the sensible place. */
const LISTS = ["missed", "history", "people"];

export function beginFocus() {
  addEventListener("focusin", ({ target }) => {
    const element = /** @type {HTMLElement} */ (target);
    const list = LISTS.find((id) => $(id).contains(element)) ?? "";
    const at = list ? [...$(list).children].indexOf(element.closest("li")) : -1;
    held = { element, list, at, title: element.closest(".card")?.querySelector("h2[tabindex]") ?? null };
  });
}

/** Moves the focus on if what had it went away with the last drawing. */
export function mendFocus() {
  if (!held || held.element.checkVisibility({ visibilityProperty: true })) return;
  const { activeElement } = document;
  // The browser takes the focus from what is hidden, but not at once.
  if (activeElement !== document.body && activeElement !== held.element) return;
  const { list, at, title } = held;
  held = null;
  const next = !$("call").hidden ? $("call-title")
    : (list && nextIn(list, at)) || title || $("dial-title");
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
