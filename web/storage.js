// What a browser keeps of one user from one visit to the next: the device's id, what device.js wants kept, and how sound and
// picture are to be in the call.
//
// localStorage, because it is written before the call returns: what the server is about to be asked must be known to the
// next tab even if this one dies at once. Where there is no storage, the device lives as long as its page.

/**
 * Names this browser as a device of the user; made at the first visit.
 * @param {string} user
 * @returns {string}
 */
export function deviceID(user) {
  const name = `ringback:${user}:device`;
  const known = read(name);
  if (known) return known;
  const made = crypto.randomUUID();
  write(name, made);
  return made;
}

/** What is kept: the device's state; of sound and picture, what the user wants in the call. @typedef {"state" | "media"} Part */

/**
 * Gives back what was kept last.
 * @param {string} user
 * @param {Part} [part]
 * @returns {any} undefined if nothing was
 */
export function recall(user, part = "state") {
  try {
    return JSON.parse(read(`ringback:${user}:${part}`) ?? "null") ?? undefined;
  } catch {
    return undefined; // not ours, or cut short: as if nothing had been kept
  }
}

/**
 * Keeps the device's state, or another part.
 * @param {string} user
 * @param {unknown} value
 * @param {Part} [part]
 */
export function keep(user, value, part = "state") {
  write(`ringback:${user}:${part}`, JSON.stringify(value));
}

/**
 * Forgets what was kept; the device's id stays, so that the server knows it again.
 * @param {string} user
 */
export function forget(user) {
  try {
    for (const part of ["state", "media"]) localStorage.removeItem(`ringback:${user}:${part}`);
  } catch {
    // no storage, nothing to forget
  }
}

/** @param {string} name */
function read(name) {
  try {
    return localStorage.getItem(name);
  } catch {
    return null;
  }
}

/**
 * @param {string} name
 * @param {string} value
 */
function write(name, value) {
  try {
    localStorage.setItem(name, value);
  } catch {
    // full or forbidden: the device then lives as long as its page
  }
}
