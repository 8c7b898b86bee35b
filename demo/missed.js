// Missed calls with their badge, calls that can be joined, and the calls of the past.

import { callAnew } from "./dial.js";
import { $, attempt, attribute, button, element, icon, keyed, put, say } from "./dom.js";
import { needServer } from "./link.js";
import { avatar, listed, nameOf, titleCase } from "./people.js";
import { kind, moment, outcome, REASONS, words } from "./words.js";

/** Calls of the past shown at first, and added by “Show more”. */
const PAGE = 6;

/** Missed calls shown before “Show all”, those of one caller counting once. */
const FOLDED = 5;

/** @typedef {import("/web/ringback.js").CallInvitationService} Service */

/** What the list of missed calls shows, by the key of its item. @type {Map<string, import("/web/shapes.js").MissedCall[]>} */
let bundles = new Map();
let unfolded = false;

/** Makes the buttons under the missed calls work. @param {Service} service */
export function beginMissed(service) {
  $("all-missed").addEventListener("click", () => {
    unfolded = true;
    drawMissed(service);
    $("missed").children[FOLDED]?.querySelector("button")?.focus();
  });
  $("dismiss-all").addEventListener("click", ({ currentTarget }) => attempt(currentTarget, () => dismiss(service, service.missed.calls)));
}

/** @param {Service} service */
export function drawMissed(service) {
  const { calls, total } = service.missed;
  const count = $("missed-count");
  put(count, String(total));
  count.hidden = total === 0;
  put($("missed-said"), total === 0 ? "" : `${total} missed ${total === 1 ? "call" : "calls"}`);
  $("no-missed").hidden = total > 0;
  bundles = bundled(calls);
  const shown = [...bundles.keys()].slice(0, unfolded ? undefined : FOLDED);
  keyed($("missed"), "missed", shown, (key) => key, (key) => missedItem(service, key), drawMissedItem);
  $("all-missed").hidden = unfolded || bundles.size <= FOLDED;
  put($("all-missed"), `Show all ${bundles.size}`);
  $("dismiss-all").hidden = bundles.size < 2;
  drawBadge(total);
}

/** Missed calls by what they are listed as: a caller's own together, each group's apart; the newest first. */
function bundled(calls) {
  /** @type {Map<string, import("/web/shapes.js").MissedCall[]>} */
  const all = new Map();
  for (const missed of calls) {
    const key = missed.group ? `${missed.invitationID} ${missed.turn}` : `of ${missed.caller.id}`;
    all.set(key, [...(all.get(key) ?? []), missed]);
  }
  return all;
}

/** @param {Service} service */
function missedItem(service, key) {
  const [{ caller }] = bundles.get(key);
  return element("li", {}, [
    avatar(caller),
    element("span", { className: "what" }, [
      element("strong", { dir: "auto" }),
      element("small", { className: "when" }),
      element("small", { className: "why" }),
    ]),
    button({ className: "call-back", text: " ", work: () => callBack(service, bundles.get(key)[0]) }),
    button({ className: "small dismiss", icon: "close", label: " ", work: () => dismiss(service, bundles.get(key)) }),
  ]);
}

function drawMissedItem(item, key) {
  const [missed, ...older] = bundles.get(key);
  const name = nameOf(missed.caller);
  put(item.querySelector("strong"), older.length > 0 ? `${name} · ${older.length + 1}` : name);
  put(item.querySelector(".when"), `${kind(missed)} · ${moment(missed.at)}`);
  put(item.querySelector(".why"), titleCase(REASONS[missed.reason] ?? words(missed.reason)));
  const [back, text] = [item.querySelector(".call-back"), backText(missed)];
  put(back.querySelector("span"), text);
  attribute(back, "aria-label", text.includes(name) ? null : `${text} ${name}`);
  attribute(item.querySelector(".dismiss"), "aria-label", `Dismiss ${name}’s missed ${older.length > 0 ? "calls" : "call"}`);
}

/** A group is joined while it runs; of one that is over its caller alone can be called. */
function backText(missed) {
  if (!missed.group) return "Call back";
  return missed.canJoin ? "Join" : `Call ${nameOf(missed.caller)}`;
}

/** @param {Service} service @param {import("/web/shapes.js").MissedCall[]} calls */
async function dismiss(service, calls) {
  for (const missed of calls) await service.dismissMissedCall(missed);
}

/** @param {Service} service @param {import("/web/shapes.js").MissedCall} missed */
async function callBack(service, missed) {
  needServer();
  if (missed.group && !missed.canJoin) {
    await callAnew([missed.caller.id], missed.callType === "video");
    return service.dismissMissedCall(missed);
  }
  const { outcome, elsewhere } = await service.dialBack(missed);
  if (elsewhere) say("You are calling back on another device already.");
  else if (outcome === "engaged") say("You are in another call.");
}

/** The number of missed calls, where the page can't be seen: on the installed app's icon and on the tab's. */
function drawBadge(total) {
  const picture = total > 0 ? "icon-missed.svg" : "icon.svg";
  attribute($("icon"), "href", picture);
  const badge = total > 0 ? navigator.setAppBadge?.(total) : navigator.clearAppBadge?.();
  badge?.catch(() => undefined);
}

/** @param {Service} service @param {import("/web/shapes.js").Call[]} calls */
export function drawJoinable(service, calls) {
  $("joinable").hidden = calls.length === 0;
  keyed($("joinable").querySelector("ul"), "join", calls, (call) => call.invitationID, (call) => element("li", {}, [
    element("span", { className: "what" }),
    element("span", { className: "buttons" }, [button({ className: "join", text: "Join", work: () => (needServer(), service.join(call.invitationID)) })]),
  ]), (item, call) => {
    const there = call.participants.filter((one) => !one.self && one.state === "accepted").map((one) => nameOf(one.user));
    put(item.querySelector(".what"), there.length > 0 ? `${kind(call)} with ${listed(there.sort())}` : kind(call));
  });
}

// ---- The past ----

const past = { wanted: PAGE, more: false, reading: false, again: false, known: "" };

/** Reads the past again if something may have been added to it. @param {Service} service */
export function followHistory(service) {
  if (service.connectionState !== "connected") return;
  const running = service.calls.map((call) => call.invitationID).sort();
  const known = `${running.join()} ${service.missed.total}`;
  if (known === past.known) return;
  past.known = known;
  readHistory(service);
}

/** @param {Service} service */
async function readHistory(service) {
  if (past.reading) {
    past.again = true;
    return;
  }
  past.reading = true;
  try {
    const { entries, cursor } = await service.history({ limit: past.wanted });
    past.more = cursor !== undefined && past.wanted < 100;
    drawHistory(service, entries);
  } catch {
    past.known = ""; // with the connection it comes back
  } finally {
    past.reading = false;
    if (past.again) {
      past.again = false;
      readHistory(service);
    }
  }
}

/** Makes “Show more” work. @param {Service} service */
export function beginHistory(service) {
  $("more-history").addEventListener("click", ({ currentTarget }) => attempt(currentTarget, () => {
    past.wanted = Math.min(100, past.wanted + 2 * PAGE);
    return readHistory(service);
  }));
}

/** @param {Service} service @param {import("/web/shapes.js").HistoryEntry[]} entries */
function drawHistory(service, entries) {
  $("no-history").hidden = entries.length > 0;
  $("more-history").hidden = !past.more;
  keyed($("history"), "entry", entries, (entry) => `${entry.invitationID} ${entry.direction} ${entry.turn}`, (entry) => {
    const names = entry.with.map(nameOf);
    const rest = entry.withCount - names.length;
    const who = rest > 0 ? `${names.join(", ")} and ${rest} more` : listed(names) || "Nobody else";
    const missed = entry.outcome === "missed";
    return element("li", { className: missed ? "missed" : "" }, [
      icon(missed ? "missed" : entry.direction === "outgoing" ? "outgoing" : "incoming"),
      element("span", { className: "what" }, [
        element("strong", { textContent: who, dir: "auto" }),
        element("small", { textContent: `${outcome(entry)} · ${moment(entry.at)}` }),
      ]),
      // Without anybody on the other side there is nobody to call.
      names.length === 0 ? null : button({
        className: "small again", icon: entry.callType === "video" ? "video" : "phone", label: `Call ${who}`,
        work: () => callAnew(entry.with.map((user) => user.id), entry.callType === "video"),
      }),
    ]);
  }, () => undefined);
}
