// Small things for the page's elements: made, found, kept in place.

/** @returns {any} */
export const $ = (id) => document.getElementById(id);

/** @returns {any[]} */
export const all = (selector, within = document) => [...within.querySelectorAll(selector)];

/**
 * Makes an element; `data` among the properties goes into its data-attributes.
 * @returns {any}
 */
export function element(tag, { data = {}, ...properties } = /** @type {any} */ ({}), children = []) {
  const made = Object.assign(document.createElement(tag), properties);
  Object.assign(made.dataset, data);
  made.append(...children.filter((child) => child !== null));
  return made;
}

/** A picture of those in `index.html`; what it means is said in words beside it. */
export function icon(name) {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(space, "use");
  use.setAttribute("href", `#icon-${name}`);
  svg.append(use);
  return svg;
}

/** Puts another picture into a button that has one. */
export function setIcon(place, name) {
  const use = place.querySelector("use");
  const href = `#icon-${name}`;
  if (use.getAttribute("href") !== href) use.setAttribute("href", href);
}

/**
 * A button that runs `work`.
 * @param {{ className?: string, text?: string, icon?: string, label?: string, work: () => unknown }} options `label`: for
 *   those who can't see what it stands beside
 */
export function button({ className = "", text = "", icon: picture, label, work }) {
  const made = element("button", { type: "button", className }, [picture ? icon(picture) : null, element("span", { textContent: text })]);
  if (label) made.setAttribute("aria-label", label);
  made.addEventListener("click", () => attempt(made, work));
  return made;
}

/** Leaves a text alone that is the same, so that a screen reader doesn't say it again. */
export function put(place, text) {
  if (place.textContent !== text) place.textContent = text;
}

/** Sets an attribute, or takes it away with null, only if that changes something. */
export function attribute(place, name, value) {
  if (value === null) place.removeAttribute(name);
  else if (place.getAttribute(name) !== String(value)) place.setAttribute(name, String(value));
}

/** Keeps one child for each item, in order: what stays is kept, so that neither focus nor a press is lost. */
export function keyed(parent, name, items, keyOf, make, update) {
  const old = new Map([...parent.children].map((child) => [child.dataset[name], child]));
  let after = null;
  for (const item of items) {
    const key = keyOf(item);
    let child = old.get(key);
    if (!child) {
      child = make(item);
      child.dataset[name] = key;
    }
    old.delete(key);
    update(child, item);
    const place = after ? after.nextElementSibling : parent.firstElementChild;
    if (place !== child) parent.insertBefore(child, place);
    after = child;
  }
  for (const child of old.values()) child.remove();
}

/** Runs what a button asks for, once at a time, and says in words what went wrong, on the page or in a panel's own place. */
export async function attempt(place, work, error = $("error")) {
  if (place?.ariaBusy === "true") return;
  clearError(error);
  // Not disabled: that would take the focus from who uses the keyboard.
  if (place) place.ariaBusy = "true";
  try {
    await work();
  } catch (why) {
    showError(why, error);
  } finally {
    if (place) place.ariaBusy = null;
  }
}

/** Says what went wrong, until something else is done. */
export function showError(why, place = $("error")) {
  const text = why?.message ?? String(why);
  // A sentence begins with a capital; the name of a parameter is as it is.
  place.dataset.code = why?.code ?? "";
  place.textContent = /^\w+\./.test(text) ? text : text.charAt(0).toUpperCase() + text.slice(1);
  place.hidden = false;
}

export function clearError(place = $("error")) {
  place.hidden = true;
  place.textContent = "";
}

/** How long it is said what happened last, in ms. */
const SAID_MS = 10_000;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let unsaying;

/** Says what happened last, for a while; nothing said, nothing shown. */
export function say(text, forMs = SAID_MS) {
  put($("last"), text);
  $("last").hidden = text === "";
  clearTimeout(unsaying);
  if (text !== "" && forMs < Infinity) unsaying = setTimeout(say, forMs, "");
}

/** What of this user's is kept in this browser from visit to visit, or in this tab. */
export function kept(name, otherwise, store = localStorage) {
  try {
    return JSON.parse(store.getItem(name) ?? "null") ?? otherwise;
  } catch {
    return otherwise;
  }
}

export function keep(name, value, store = localStorage) {
  try {
    store.setItem(name, JSON.stringify(value));
  } catch {
    // A browser that keeps nothing asks again at the next visit.
  }
}
