// The words of the page: how things stand, in a person's language.

import { listed, nameOf, titleCase } from "./people.js";

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

/**
 * What is to be known of a call that is over.
 * @typedef {object} Ended
 * @property {string} invitationID
 * @property {boolean} group
 * @property {string} initiator
 * @property {{user: import("/web/shapes.js").CallUser, self: boolean}[]} participants
 */

/**
 * Why a call is over (S11), and by whom.
 * @param {string} reason
 * @param {Ended | null} call
 */
export function ended(reason, call) {
  const others = call?.participants.filter((one) => !one.self) ?? [];
  const starter = others.find((one) => one.user.id === call?.initiator);
  const names = listed(others.map((one) => nameOf(one.user)).sort());
  const nobody = `Nobody answered: ${names}.`;
  switch (reason) {
    case "elsewhere": return "You went on with the call elsewhere.";
    case "ended": return "The call was ended for everyone.";
    case "alone": return "The call is over: nobody else was left in it.";
    case "lost": return "The call is over: the connection was lost.";
  }
  if (names === "") return `The call is over: ${words(reason)}.`;
  switch (reason) {
    case "timed_out": return nobody;
    case "cancelled": return `The call to ${names} was called off.`;
    case "declined": return others.length > 1 ? nobody : `${names} declined.`;
    case "busy": return others.length > 1 ? nobody : `${names} is in another call.`;
    case "unreachable": return others.length > 1 ? nobody : `${names} can’t be reached.`;
    case "left": return call?.group ? `The call is over: ${starter ? nameOf(starter.user) : "its initiator"} left.` : `${names} hung up.`;
    default: return `The call is over: ${words(reason)}.`;
  }
}

export function words(code) {
  return String(code).replaceAll("_", " ");
}

/** “Group video call”. */
export function kind({ group, callType }) {
  return `${group ? "Group " : ""}${group ? callType : titleCase(callType)} call`;
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

/** How it ended, to those who began it, where nobody answered. */
const UNANSWERED = { busy: "busy", cancelled: "called off", unreachable: "unreachable", declined: "declined" };

/** How a call of the past went. @param {import("/web/shapes.js").HistoryEntry} entry */
export function outcome({ outcome: how, reason, direction, ...call }) {
  const what = kind(call);
  if (how === "missed") return `Missed ${what.toLowerCase()}`;
  if (how === "answered") return `${direction === "joined" ? "Joined" : direction === "outgoing" ? "Outgoing" : "Incoming"} ${what.toLowerCase()}`;
  if (how === "declined") return `${what}, declined`;
  return `${what}, ${UNANSWERED[reason ?? ""] ?? "not answered"}`;
}
