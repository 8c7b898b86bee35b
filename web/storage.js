// What a browser keeps of one user from one visit to the next: the device's id, and what device.js wants kept.
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

/**
 * Gives back what was kept last.
 * @param {string} user
 * @returns {any} undefined if nothing was
 */
export function recall(user) {
  try {
    return JSON.parse(read(`ringback:${user}:state`) ?? "null") ?? undefined;
  } catch {
    return undefined; // not ours, or cut short: as if nothing had been kept
  }
}

/**
 * Keeps the device's state.
 * @param {string} user
 * @param {unknown} state
 */
export function keep(user, state) {
  write(`ringback:${user}:state`, JSON.stringify(state));
}

/**
 * Forgets the device's state; its id stays, so that the server knows it again.
 * @param {string} user
 */
export function forget(user) {
  try {
    localStorage.removeItem(`ringback:${user}:state`);
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
