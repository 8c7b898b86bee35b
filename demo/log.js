// The log: each callback of the SDK as it fires, with its parameters by name.

import { $, all, attempt, element, put } from "./dom.js";

/** Callbacks kept; beyond it the oldest goes. */
const MOST_LOGGED = 200;
/** Longest parameter that shows whole at first, in characters. */
const LONG = 260;
/** How long the copy button says that it has copied, in ms. */
const COPIED_MS = 2000;

/** The parameters of each callback, in the SDK's order (spec §3). */
const EVENTS = {
  onIncomingCallReceived: ["callID", "caller", "callType", "callees", "customData"],
  onIncomingCallTimeout: ["callID", "caller"],
  onIncomingCallCanceled: ["callID", "caller", "customData"],
  onIncomingCallAnsweredElsewhere: ["callID", "how"],
  onIncomingMissedCallClicked: ["callID", "caller", "callType", "callees", "customData", "defaultAction"],
  onIncomingMissedCallDialBackFailed: ["failure"],
  onOutgoingCallSent: ["callID", "caller", "callType", "callees", "customData", "refused"],
  onOutgoingCallAccepted: ["callID", "callee", "customData"],
  onOutgoingCallDeclined: ["callID", "callee", "customData"],
  onOutgoingCallRejectedCauseBusy: ["callID", "callee", "customData"],
  onOutgoingCallTimeout: ["callID", "callees", "isVideoCall"],
  onInvitationUserStateChanged: ["callID", "users"],
  onCallEnded: ["callID", "reason"],
  onMissedCallsChanged: ["missedCalls", "count"],
  onConnectionStateChanged: ["state"],
  onTokenWillExpire: ["remainingMs"],
  onError: ["error"],
};

/**
 * Callbacks that go into the log, and then to whoever wants them.
 * @param {Record<string, (...args: any[]) => unknown>} handlers
 * @returns {Record<string, (...args: any[]) => unknown>}
 */
export function logged(handlers) {
  return Object.fromEntries(Object.keys(EVENTS).map((name) => [name, (...args) => {
    add(name, args);
    return handlers[name]?.(...args);
  }]));
}

/** Which chapter of the story a callback belongs to, for its colour and for the filter. */
function chapter(name) {
  if (name.includes("Missed")) return "missed";
  if (name.startsWith("onIncoming")) return "incoming";
  if (name.startsWith("onOutgoing")) return "outgoing";
  if (name === "onInvitationUserStateChanged" || name === "onCallEnded") return "call";
  return "service";
}

/** A parameter as text, as JSON; a function shows as one. */
function text(value) {
  return typeof value === "function" ? '"() => Promise<void>"' : JSON.stringify(value) ?? "undefined";
}

/** A parameter as one writes it in code, with room to break lines. */
function code(value) {
  if (typeof value === "function") return "() => Promise<void>";
  if (Array.isArray(value)) return value.length > 0 ? `[${value.map(code).join(", ")}]` : "[]";
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "undefined";
  const fields = Object.entries(value).filter(([, field]) => field !== undefined);
  return `{ ${fields.map(([name, field]) => `${name}: ${code(field)}`).join(", ")} }`;
}

/** A text, of which some lines show at first if it is long. */
function folded(text) {
  if (text.length <= LONG) return [text];
  const shown = element("span", { className: "clamp", textContent: text });
  shown.style.setProperty("--lines", "6");
  const more = element("button", { type: "button", className: "plain", textContent: "Show all" });
  more.addEventListener("click", () => {
    shown.className = "";
    more.remove();
    $("log").focus();
  });
  return [shown, more];
}

function add(name, args) {
  const names = EVENTS[name];
  const rows = args.map((value, at) => element("div", { className: at < names.length ? "" : "extra" }, [
    element("dt", { textContent: names[at] ?? "invitation" }),
    element("dd", {}, folded(code(value))),
  ]));
  const now = new Date();
  const item = element("li", { data: { event: name, chapter: chapter(name), args: `[${args.map(text).join(",")}]` } }, [
    element("p", { className: "head" }, [
      element("strong", { textContent: name }),
      element("time", { dateTime: now.toISOString(), textContent: now.toLocaleTimeString([], { hourCycle: "h23" }) }),
    ]),
    element("dl", {}, rows),
  ]);
  $("log").prepend(item);
  if ($("log").children.length > MOST_LOGGED) $("log").lastElementChild.remove();
  show();
}

/** Shows what the filter lets through. */
function show() {
  const wanted = $("log-filter").value;
  const items = all("#log li");
  for (const item of items) item.hidden = wanted !== "" && item.dataset.chapter !== wanted;
  const shown = items.filter((item) => !item.hidden).length;
  put($("no-log"), items.length > 0 ? "None of this kind yet." : "Each callback of the SDK shows here as it fires, with its parameters.");
  $("no-log").hidden = shown > 0;
  $("log").hidden = shown === 0;
  $("log-copy").disabled = $("log-clear").disabled = items.length === 0;
}

/** What shows, one callback a line, the oldest first. */
function asText() {
  const line = (item) => `${item.querySelector("time").dateTime} ${item.dataset.event} ${item.dataset.args}`;
  return all("#log li").filter((item) => !item.hidden).reverse().map(line).join("\n");
}

/** Makes the log's buttons work. */
export function beginLog() {
  $("log-filter").addEventListener("change", show);
  $("log-clear").addEventListener("click", () => {
    $("log").replaceChildren();
    show();
    $("log-filter").focus();
  });
  $("log-copy").addEventListener("click", ({ currentTarget: place }) => attempt(place, async () => {
    await navigator.clipboard.writeText(asText());
    const label = place.querySelector("span") ?? place;
    label.textContent = "Copied";
    setTimeout(() => { label.textContent = "Copy"; }, COPIED_MS);
  }));
  show();
}
