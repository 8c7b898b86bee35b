// The words of the page: how things stand, in a person's language.

/** Why a call is over (S11). */
const ENDED = {
  declined: "declined", busy: "busy", timed_out: "nobody answered", cancelled: "called off", unreachable: "unreachable",
  left: "the other side hung up", ended: "ended for everyone", alone: "nobody else was left", elsewhere: "you went on elsewhere",
  lost: "the connection was lost",
};

/** Where somebody stands in a call (spec §4). */
export const STATES = {
  inviting: "calling…", ringing: "ringing…", accepted: "in the call", left: "left", declined: "declined", busy: "busy",
  cancelled: "no longer called", timed_out: "didn’t answer", unreachable: "can’t be reached",
};

/** Why a call was missed (M1), to the one who missed it. */
export const REASONS = {
  no_answer: "you didn’t answer", cancelled: "they gave up", busy: "you were in a call", do_not_disturb: "do not disturb",
  unreachable: "you couldn’t be reached",
};

/** How the connection stands, where it doesn't come back by itself. */
export const CONNECTION = {
  replaced: "Another browser has signed in as this device. Reload to come back.",
  unauthorized: "The server takes this sign-in no longer. Reload to sign in again.",
  upgrade_required: "This page is too old for the server. Reload to get the new one.",
};

export function ended(reason) {
  return ENDED[reason] ?? words(reason);
}

export function words(code) {
  return String(code).replaceAll("_", " ");
}

/** “Group video call”. */
export function kind({ group, callType }) {
  return `${group ? "Group " : ""}${group ? callType : capital(callType)} call`;
}

function capital(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** A moment, short: the time alone if it was today. */
export function moment(at) {
  const when = new Date(at);
  const today = when.toDateString() === new Date().toDateString();
  return today ? when.toLocaleTimeString([], { timeStyle: "short" }) : when.toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
}

/** A length of time: 0:07, 12:34, 1:02:03. */
export function duration(ms) {
  const all = Math.max(0, Math.floor(ms / 1000));
  const two = (number) => String(number).padStart(2, "0");
  const [hours, minutes, seconds] = [Math.floor(all / 3600), Math.floor(all / 60) % 60, all % 60];
  return hours > 0 ? `${hours}:${two(minutes)}:${two(seconds)}` : `${minutes}:${two(seconds)}`;
}
