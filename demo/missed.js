// Missed calls with their badge, calls that can be joined, and the calls of the past.

import { callAnew } from "./dial.js";
import { $, attempt, attribute, button, element, icon, keyed, put, say } from "./dom.js";
import { needServer } from "./link.js";
import { avatar, listed, nameOf, titleCase } from "./people.js";
import { kind, moment, outcome, REASONS, words } from "./words.js";

/** Calls of the past shown at first, and added by “Show more”. */
const PAGE = 6;

/** @typedef {import("/web/ringback.js").CallInvitationService} Service */

/** @param {Service} service */
export function drawMissed(service) {
  const { calls, total } = service.missed;
  const count = $("missed-count");
  put(count, String(total));
  count.hidden = total === 0;
  put($("missed-said"), total === 0 ? "" : `${total} missed ${total === 1 ? "call" : "calls"}`);
  $("no-missed").hidden = total > 0;
  keyed($("missed"), "missed", calls, (missed) => `${missed.invitationID} ${missed.turn}`, (missed) => {
    const name = nameOf(missed.caller);
    const item = element("li", {}, [
      avatar(missed.caller),
      element("span", { className: "what" }, [
        element("strong", { textContent: name, dir: "auto" }),
        element("small", { textContent: `${kind(missed)} · ${moment(missed.at)}` }),
        element("small", { textContent: titleCase(REASONS[missed.reason] ?? words(missed.reason)) }),
      ]),
      button({ className: "call-back", text: " ", work: () => callBack(service, item, missed) }),
      button({ className: "small dismiss", icon: "close", label: `Dismiss ${name}’s missed call`, work: () => service.dismissMissedCall(missed) }),
    ]);
    return item;
  }, (item, missed) => {
    // A group is joined while it runs; of one that is over its caller alone can be called.
    const back = item.querySelector(".call-back");
    const name = nameOf(missed.caller);
    item.dataset.can = missed.group ? (missed.canJoin ? "join" : "call") : "back";
    const text = { back: "Call back", join: "Join", call: `Call ${name}` }[item.dataset.can];
    put(back.querySelector("span"), text);
    attribute(back, "aria-label", item.dataset.can === "call" ? null : `${text} ${name}`);
  });
  drawBadge(total);
}

/** @param {Service} service */
async function callBack(service, item, missed) {
  needServer();
  if (item.dataset.can === "call") {
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
