// The demo page: everything that it knows of calls comes from the SDK, and everything that the SDK says shows here.
//
// This folder is served at `/as/<user>/`, a path of their own for each user, with the SDK's service worker as `sw.js` in it,
// so that each user of this browser has a worker of their own. The SDK itself is at `/web/`.

import { CallInvitationService } from "/web/ringback.js";

/** Who may sign in here; the development mode makes a link for each. */
const PEOPLE = ["alice", "bob", "carol"];
/** Callbacks shown; beyond it the oldest goes. */
const MOST_LOGGED = 200;

const ENDED = {
  declined: "declined", busy: "busy", timed_out: "nobody answered", cancelled: "called off", unreachable: "unreachable",
  left: "the other hung up", ended: "ended for everyone", alone: "nobody else was left", elsewhere: "you went on elsewhere",
  lost: "the connection was lost",
};
const STATES = {
  inviting: "calling…", ringing: "ringing…", accepted: "in the call", left: "left", declined: "declined", busy: "busy",
  cancelled: "no longer called", timed_out: "didn’t answer", unreachable: "can’t be reached",
};
const REASONS = {
  no_answer: "you didn’t answer", cancelled: "they gave up", busy: "you were in a call", do_not_disturb: "do not disturb",
  unreachable: "you couldn’t be reached",
};
const CONNECTION = {
  replaced: "Another browser has signed in as this device. Reload to come back.",
  unauthorized: "The server takes this sign-in no longer. Reload to sign in again.",
  upgrade_required: "This page is too old for the server. Reload to get the new one.",
};

/** The user: the last part of the page's own path, `/as/<user>/`. */
const me = decodeURIComponent(location.pathname.split("/").filter(Boolean).at(-1) ?? "");
const service = new CallInvitationService();
const $ = (id) => /** @type {any} */ (document.getElementById(id));
const all = (selector) => /** @type {any[]} */ ([...document.querySelectorAll(selector)]);

// ---- Settings, kept for each user ----

const DEFAULTS = {
  "missedCall.enabled": true, "missedCall.enableDialBack": true, "missedCall.timeoutSeconds": 30,
  endCallWhenInitiatorLeave: false, "inCalling.canInvitingInCalling": false, callWaiting: false,
};
const settingsName = `ringback-demo:${me}:settings`;
const settings = { ...DEFAULTS, ...JSON.parse(localStorage.getItem(settingsName) ?? "{}") };

function configuration() {
  const config = { missedCall: {}, inCalling: {} };
  for (const [name, value] of Object.entries(settings)) {
    const [section, parameter] = name.split(".");
    if (parameter) config[section][parameter] = value;
    else config[section] = value;
  }
  return config;
}

function fillSettings() {
  for (const input of $("settings").querySelectorAll("input")) {
    if (input.type === "checkbox") input.checked = settings[input.name];
    else input.value = settings[input.name];
  }
}

async function settingChanged({ target }) {
  const before = settings[target.name];
  settings[target.name] = target.type === "checkbox" ? target.checked : target.valueAsNumber;
  try {
    await start();
    localStorage.setItem(settingsName, JSON.stringify(settings));
    clearError();
  } catch (error) {
    settings[target.name] = before;
    fillSettings();
    show(error);
  }
}

// ---- The service ----

const EVENTS = [
  "onIncomingCallReceived", "onIncomingCallTimeout", "onIncomingCallCanceled", "onIncomingCallAnsweredElsewhere",
  "onIncomingMissedCallClicked", "onIncomingMissedCallDialBackFailed", "onOutgoingCallSent", "onOutgoingCallAccepted",
  "onOutgoingCallDeclined", "onOutgoingCallRejectedCauseBusy", "onOutgoingCallTimeout", "onInvitationUserStateChanged",
  "onCallEnded", "onMissedCallsChanged", "onConnectionStateChanged", "onTokenWillExpire", "onError",
];

/** Each callback goes into the log; a few say more. */
function invitationEvents() {
  const events = Object.fromEntries(EVENTS.map((name) => [name, (...args) => log(name, args)]));
  return {
    ...events,
    onIncomingMissedCallClicked(...args) {
      log("onIncomingMissedCallClicked", args);
      return args[5]();
    },
    onIncomingMissedCallDialBackFailed(failure, ...rest) {
      log("onIncomingMissedCallDialBackFailed", [failure, ...rest]);
      say(failure ? `Calling ${nameOf(failure.caller)} back failed: ${words(failure.reason)}.` : "Calling back failed.");
    },
    onOutgoingCallSent(...args) {
      log("onOutgoingCallSent", args);
      const refused = args[5] ?? [];
      if (refused.length > 0) say(`Not called: ${refused.map(({ user, code }) => `${user} (${words(code)})`).join(", ")}.`);
    },
    onCallEnded(...args) {
      log("onCallEnded", args);
      say(`The call is over: ${ENDED[args[1]] ?? words(args[1])}.`);
    },
    onError(error) {
      log("onError", [error]);
      if (error.code === "notifications_denied") say("Notifications are not allowed here; missed calls are listed below.");
      else show(error);
    },
  };
}

async function token() {
  const answer = await fetch(`/dev/token?user=${encodeURIComponent(me)}`);
  if (!answer.ok) throw new Error(`no sign-in for “${me}” (${answer.status})`);
  return (await answer.json()).token;
}

function start() {
  return service.init({
    user: me,
    tokenProvider: token,
    serviceWorker: { url: new URL("sw.js", location.href), scope: new URL(".", location.href).pathname },
    config: configuration(),
    invitationEvents: invitationEvents(),
    // There is no sound and no picture to lose: a reload goes on with the call.
    takeUpCall: true,
  });
}

/** Runs what a button asks for, and says in words what went wrong. */
async function attempt(button, work) {
  clearError();
  if (button) button.disabled = true;
  try {
    await work();
  } catch (error) {
    show(error);
  } finally {
    if (button) button.disabled = false;
  }
}

// ---- What shows ----

function draw() {
  const { calls, missed, connectionState } = service;
  $("connection").textContent = connectionState;
  $("dot").dataset.state = connectionState;
  if (CONNECTION[connectionState]) show(new Error(CONNECTION[connectionState]));
  drawRings(calls.filter((call) => call.ringing));
  drawCall(calls.find((call) => call.inCall), calls.find((call) => call.elsewhere));
  // One that is listed as missed is joined from there.
  const listed = new Set(missed.calls.map((one) => one.invitationID));
  drawJoinable(calls.filter((call) => call.canJoin && !call.inCall && !call.elsewhere && !listed.has(call.invitationID)));
  drawMissed(missed);
}

function drawRings(rings) {
  const section = $("incoming");
  section.hidden = rings.length === 0;
  keyed(section, "ring", rings, (call) => `${call.invitationID} ${call.ringing.turn}`, (call) => {
    const card = element("div", {}, [
      element("p", { className: "what" }, [
        element("span", { className: "caller", textContent: nameOf(call.ringing.caller) }),
        element("br"),
        element("span", { className: "hint" }, [
          `${call.group ? "Group " : ""}${call.callType === "video" ? "video call" : "voice call"} · `,
          element("span", { className: "remaining" }),
        ]),
      ]),
      element("div", { className: "buttons" }, [
        button("accept", "Accept", () => service.accept(call.invitationID)),
        button("decline", "Decline", () => service.reject("declined", call.invitationID)),
      ]),
    ]);
    card.setAttribute("role", "group");
    card.setAttribute("aria-label", `${nameOf(call.ringing.caller)} is calling`);
    return card;
  }, (card, call) => {
    card.dataset.deadline = call.ringing.deadline;
  });
  drawRemaining();
}

/** Counts down by the clock, not by how often it is called. */
function drawRemaining() {
  for (const card of all("[data-ring]")) {
    const left = Math.max(0, Math.ceil((Number(card.dataset.deadline) - Date.now()) / 1000));
    const text = `${left} s`;
    const place = card.querySelector(".remaining");
    if (place.textContent !== text) place.textContent = text;
  }
}

function drawCall(call, elsewhere) {
  const section = $("call");
  section.hidden = !call && !elsewhere;
  put($("people-title"), call ? "Add to the call" : "Call");
  const shown = call ?? elsewhere;
  if (!shown) return;
  const others = shown.participants.filter((one) => !one.self);
  const pending = others.filter((one) => one.state === "inviting" || one.state === "ringing");
  const kind = `${shown.group ? "group " : ""}${shown.callType === "video" ? "video" : "voice"} call`;
  $("call-title").textContent = kind[0].toUpperCase() + kind.slice(1);
  put(section.querySelector(".status"), statusOf(shown, pending));
  keyed(section.querySelector(".participants"), "user", inOrder(shown), (one) => one.user.id, () => element("li"), (item, one) => {
    if (item.dataset.state === one.state) return;
    item.dataset.state = one.state;
    item.replaceChildren(one.self ? "You" : nameOf(one.user), " ", element("span", { className: "state", textContent: STATES[one.state] }));
  });
  const initiator = shown.initiator === me;
  $("cancel").hidden = !call || pending.length === 0 || !(initiator || pending.some((one) => one.inviter === me));
  $("hang-up").hidden = !call;
  $("end").hidden = !call || !(initiator || !shown.group) || shown.inCallCount < 2;
}

/** Everybody where they were before, whatever they did last: oneself, the initiator, the others by name. */
function inOrder(call) {
  const rank = (one) => (one.self ? 0 : one.user.id === call.initiator ? 1 : 2);
  return [...call.participants].sort((a, b) => rank(a) - rank(b) || nameOf(a.user).localeCompare(nameOf(b.user)));
}

function statusOf(call, pending) {
  if (call.elsewhere) return "You are in this call on another device.";
  if (call.inCallCount > 1) return pending.length > 0 ? `In the call; still ringing ${list(pending)}.` : "You are in the call.";
  return pending.length > 0 ? `Ringing ${list(pending)}…` : "You are alone in the call.";
}

function drawJoinable(calls) {
  $("joinable").hidden = calls.length === 0;
  keyed($("joinable").querySelector("ul"), "join", calls, (call) => call.invitationID, (call) => element("li", {}, [
    element("span", { className: "what" }),
    element("span", { className: "buttons" }, [button("join", "Join", () => service.join(call.invitationID))]),
  ]), (item, call) => {
    const there = inOrder(call).filter((one) => !one.self && one.state === "accepted");
    const kind = call.callType === "video" ? "Group video call" : "Group voice call";
    put(item.querySelector(".what"), there.length > 0 ? `${kind} with ${list(there)}` : kind);
  });
}

function drawMissed({ calls, total }) {
  const count = $("missed-count");
  put(count, String(total));
  count.setAttribute("aria-label", `${total} missed ${total === 1 ? "call" : "calls"}`);
  count.classList.toggle("some", total > 0);
  $("no-missed").hidden = total > 0;
  keyed($("missed"), "missed", calls, (missed) => `${missed.invitationID} ${missed.turn}`, (missed) => {
    const name = nameOf(missed.caller);
    return element("li", {}, [
      element("span", { className: "what" }, [
        element("strong", { textContent: name }),
        ` ${missed.group ? "Group " : ""}${missed.callType === "video" ? "Video" : "Audio"} Call`,
        element("small", { textContent: `${moment(missed.at)} · ${REASONS[missed.reason] ?? words(missed.reason)}` }),
      ]),
      element("span", { className: "buttons" }, [
        button("call-back", "", () => callBack(missed)),
        button("dismiss", "Dismiss", () => service.dismissMissedCall(missed), `Dismiss ${name}’s missed call`),
      ]),
    ]);
  }, (item, missed) => {
    // A group is joined while it runs; once it is over there is nobody to call back.
    const back = item.querySelector(".call-back");
    put(back, missed.group ? "Join" : "Call back");
    back.setAttribute("aria-label", `${back.textContent} ${nameOf(missed.caller)}`);
    back.hidden = missed.group && !missed.canJoin;
  });
}

async function callBack(missed) {
  const { outcome, elsewhere } = await service.dialBack(missed);
  if (elsewhere) say("You are calling back on another device already.");
  else if (outcome === "engaged") say("You are in another call.");
}

function drawPeople() {
  $("me").textContent = titleCase(me);
  document.title = `${titleCase(me)} · Ringback`;
  for (const user of PEOPLE.filter((one) => one !== me)) {
    const box = element("input", { type: "checkbox" });
    box.dataset.user = user;
    $("people").append(element("label", {}, [box, titleCase(user)]));
  }
}

function drawPermission() {
  const possible = "Notification" in globalThis;
  $("notifications").hidden = !possible || Notification.permission === "granted";
  if (possible && Notification.permission === "denied") {
    $("enable-notifications").disabled = true;
    $("notifications").querySelector(".hint").textContent = "This browser blocks notifications of this site; its settings for the site allow them again.";
  }
}

/** Adds a callback to the log; functions among the parameters show as their name. */
function log(name, args) {
  const text = JSON.stringify(args, (_, value) => (typeof value === "function" ? "defaultAction()" : value));
  const item = element("li", {}, [
    element("time", { textContent: new Date().toLocaleTimeString([], { hourCycle: "h23" }) }),
    element("b", { textContent: name }),
    element("code", { textContent: text }),
  ]);
  item.dataset.event = name;
  item.dataset.args = text;
  $("log").prepend(item);
  if ($("log").children.length > MOST_LOGGED) $("log").lastElementChild.remove();
  $("no-log").hidden = true;
}

function say(text) {
  $("last").textContent = text;
}

function show(error) {
  $("error").textContent = titleCase(error.message ?? String(error));
  $("error").hidden = false;
}

function clearError() {
  $("error").hidden = true;
  $("error").textContent = "";
}

// ---- Small things ----

/** Keeps one child for each item, in order: what stays is kept, so that neither focus nor a press is lost. */
function keyed(parent, name, items, keyOf, make, update) {
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

/** @returns {any} */
function element(tag, properties = {}, children = []) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

function button(className, text, work, label) {
  const made = element("button", { type: "button", className, textContent: text });
  if (label) made.setAttribute("aria-label", label);
  made.addEventListener("click", () => attempt(made, work));
  return made;
}

/** Leaves a text alone that is the same, so that a screen reader doesn't say it again. */
function put(place, text) {
  if (place.textContent !== text) place.textContent = text;
}

function nameOf({ id, name }) {
  return name || titleCase(id);
}

function titleCase(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function list(participants) {
  return participants.map((one) => nameOf(one.user)).join(", ");
}

function words(code) {
  return String(code).replaceAll("_", " ");
}

function moment(at) {
  const when = new Date(at);
  const today = when.toDateString() === new Date().toDateString();
  return today ? when.toLocaleTimeString([], { timeStyle: "short" }) : when.toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
}

// ---- Begin ----

$("dial").addEventListener("submit", (event) => {
  event.preventDefault();
  attempt(event.submitter, async () => {
    const chosen = all("#people input:checked").map((box) => box.dataset.user);
    const typed = $("other").value.split(",").map((name) => name.trim()).filter(Boolean);
    const invitees = [...new Set([...chosen, ...typed])];
    if (invitees.length === 0) throw new Error("Choose whom to call.");
    say("");
    await service.send({ invitees, isVideoCall: event.submitter.value === "video", timeoutSeconds: $("timeout").valueAsNumber });
  });
});
$("hang-up").addEventListener("click", ({ target }) => attempt(target, () => service.leave()));
$("end").addEventListener("click", ({ target }) => attempt(target, () => service.end()));
$("cancel").addEventListener("click", ({ target }) => attempt(target, () => service.cancel()));
$("settings").addEventListener("change", settingChanged);
$("settings").addEventListener("submit", (event) => event.preventDefault());
$("enable-notifications").addEventListener("click", ({ target }) => attempt(target, async () => {
  await Notification.requestPermission();
  drawPermission();
}));

drawPeople();
drawPermission();
fillSettings();
service.addEventListener("change", draw);
setInterval(drawRemaining, 250);
attempt(null, start);
