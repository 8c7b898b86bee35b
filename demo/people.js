// Who there is: the user of this page, those who can be called, and how they are drawn.

import { element, keep, kept } from "./dom.js";

/** Who everybody knows. */
const PEOPLE = ["alice", "bob", "carol"];
/** Names typed that are remembered; beyond it the oldest goes. */
const MOST_TYPED = 100;
/** Colours of `style.css` for avatars. */
const HUES = 6;

/** The user: the last part of the page's own path, `/as/<user>/`. */
export const me = decodeURIComponent(location.pathname.split("/").filter(Boolean).at(-1) ?? "");

const typedName = "ringback-demo:people";

/** Those who can be called: the three of the demo, and whoever was typed in this browser. */
export function others() {
  return [...new Set([...PEOPLE, ...kept(typedName, [])])].filter((user) => user !== me);
}

/** Remembers a name that was typed. */
export function remember(user) {
  if (PEOPLE.includes(user)) return;
  const typed = kept(typedName, []).filter((one) => one !== user);
  keep(typedName, [...typed, user].slice(-MOST_TYPED));
}

/** Forgets a name that was typed. */
export function forget(user) {
  keep(typedName, kept(typedName, []).filter((one) => one !== user));
}

export function isTyped(user) {
  return !PEOPLE.includes(user);
}

/** What no name has: of ASCII all but letters, digits, hyphens and apostrophes; what turns the text around it. */
const ODD = /(?![a-z0-9'-])[\0-\x9f]|[\u2000-\u200b\u200e-\u206f\ufeff]/u;
/** Longest name in bytes. */
const MOST_BYTES = 128;

/**
 * The id that a typed name stands for, as the development mode takes it: “Dave Miller” is dave-miller.
 * @throws {Error} saying what is wrong with it: nothing of a name is passed over
 */
export function idOf(typed) {
  const plain = typed.normalize("NFC").toLowerCase().replaceAll("’", "'");
  const id = plain.split(/[\s._-]+/u).filter(Boolean).join("-");
  const shown = `“${clip(typed.trim())}”`;
  if (id === "") throw new Error("Type a name: letters of any alphabet, digits, spaces, hyphens and apostrophes.");
  const odd = ODD.exec(id)?.[0];
  if (odd) throw new Error(`${shown} can’t be a name here: it may have letters, digits, spaces, hyphens and apostrophes${odd > " " ? `, and no “${odd}”` : ""}.`);
  if (new TextEncoder().encode(id).length > MOST_BYTES) throw new Error(`${shown} is too long for a name: ${MOST_BYTES} letters are the most, of most other alphabets about a third of that.`);
  return id;
}

function clip(text) {
  const letters = [...text];
  return letters.length > 40 ? `${letters.slice(0, 40).join("")}…` : text;
}

/** Where a user's page is. */
export function pageOf(user) {
  return `/as/${encodeURIComponent(user)}/`;
}

/** What a person is called: by their token, else by their id, which the development mode makes that of. */
export function nameOf({ id, name }) {
  return name || calledBy(id);
}

/** “Dave Miller” for dave-miller. */
export function calledBy(id) {
  return id.split("-").filter(Boolean).map(titleCase).join(" ") || id;
}

export function titleCase(text) {
  const [first = "", ...rest] = text;
  return first.toUpperCase() + rest.join("");
}

/** “Alice”, “Alice and Bob”, “Alice, Bob and Carol”. */
export function listed(names) {
  return names.length < 2 ? names.join("") : `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
}

/** One or two letters for a person without a picture. */
export function initials(name) {
  const words = name.split(/[\s-]+/).filter(Boolean);
  return [words[0] ?? "", words.length > 1 ? words.at(-1) : ""].map((word) => titleCase([...word][0] ?? "")).join("");
}

/** A person's colour, the same everywhere. */
export function hueOf(id) {
  let sum = 0;
  for (const letter of id) sum = (sum * 31 + letter.charCodeAt(0)) % 9973;
  return PEOPLE.includes(id) ? PEOPLE.indexOf(id) : sum % HUES;
}

/** A round sign for a person; their name stands beside it. */
export function avatar(user, className = "") {
  const made = element("span", { className: `avatar ${className}`.trim(), textContent: initials(nameOf(user)) });
  made.dataset.hue = String(hueOf(user.id));
  made.setAttribute("aria-hidden", "true");
  return made;
}
