// The demo page: everything that it knows of calls comes from the SDK, and everything that the SDK says shows here.
//
// This folder is served at `/as/<user>/`, a path of their own for each user, with the SDK's service worker as `sw.js` in it,
// so that each user of this browser has a worker of their own. The SDK itself is at `/web/`.
//
// people.js, words.js: names and words · start.js: the first click · rings.js, call.js, missed.js: the calls
// link.js: the connection · dial.js: whom to call, blocking · quiet.js: do-not-disturb · settings.js, log.js: for who builds an app
// tones.js, picture.js: what is heard and seen · dom.js, focus.js: small things

import { CallInvitationService } from "/web/ringback.js";

import { beginCall, beginMedia, drawCall, drawDuration, drawSpeaking, present } from "./call.js";
import { beginDial, drawDial, drawPeople } from "./dial.js";
import { $, all, attempt, attribute, element, put, say, showError } from "./dom.js";
import { beginFocus, enterFocus, mendFocus } from "./focus.js";
import { beginLink, drawLink, OUT_OF_REACH } from "./link.js";
import { beginLog, logged } from "./log.js";
import { beginHistory, beginMissed, drawJoinable, drawMissed, followHistory } from "./missed.js";
import { avatar, calledBy, idOf, me, nameOf, others, pageOf, remember } from "./people.js";
import { audible, beginQuiet, drawQuiet } from "./quiet.js";
import { drawRemaining, drawRings } from "./rings.js";
import { configuration, drawSettings, setting } from "./settings.js";
import { beginStart, drawPermission, forgetStart } from "./start.js";
import { Tones } from "./tones.js";
import { ended, words } from "./words.js";

/** How often what is counted is drawn, in ms. */
const TICK_MS = 250;

const service = new CallInvitationService();
const tones = new Tones(me);

// ---- The service ----

/** How many missed calls there were when they changed last. */
let missedBefore = Infinity;

/** What the page does beside writing each callback down. */
const HANDLERS = {
  onIncomingMissedCallClicked: (...args) => args[5](),
  onIncomingMissedCallDialBackFailed(failure) {
    say(failure ? `Calling ${nameOf(failure.caller)} back failed: ${words(failure.reason)}.` : "Calling back failed.");
  },
  onOutgoingCallSent(...args) {
    const [, , , callees, , refused = [], about] = args;
    // One that is over at once may never have been shown.
    if (about) last = { invitationID: about.invitationID, group: callees.length > 1, initiator: me, participants: callees.map((user) => ({ user, self: false })) };
    if (refused.length > 0) say(`Not called: ${refused.map(({ user, code }) => `${calledBy(user)} (${words(code)})`).join(", ")}.`);
  },
  onCallEnded(callID, reason, about) {
    // Of a call that another took the place of in this very window there is nothing to say.
    if (reason === "elsewhere" && service.calls.some((one) => one.inCall)) return;
    say(ended(reason, last?.invitationID === about?.invitationID ? last : null));
  },
  onIncomingCallReceived: () => say(""),
  onMissedCallsChanged(calls, count) {
    // What was said of another call isn't meant for this one.
    if (count > missedBefore) say("");
    missedBefore = count;
  },
  onError(error) {
    if (error.code === "notifications_denied") drawPermission();
    else if (!error.message.includes(OUT_OF_REACH)) showError(error);
  },
};

async function token() {
  const answer = await fetch(`/dev/token?user=${encodeURIComponent(me)}`).catch(() => { throw new Error(OUT_OF_REACH); });
  if (!answer.ok) throw new Error(`no sign-in for “${me}” (${answer.status})`);
  return (await answer.json()).token;
}

function signIn() {
  return service.init({
    user: me,
    tokenProvider: token,
    serviceWorker: { url: new URL("sw.js", location.href), scope: new URL(".", location.href).pathname },
    config: configuration(),
    invitationEvents: logged(HANDLERS),
    // A reload goes on with the call; sound and picture come back by themselves.
    takeUpCall: true,
  });
}

async function signOut() {
  await service.uninit();
  forgetStart();
  location.assign("/");
}

// ---- What shows ----

/** The call that this device was in last. @type {import("./words.js").Ended | null} */
let last = null;
/** Its id while it was in it when the page was drawn last. */
let drawn = "";

function draw() {
  const { calls, missed } = service;
  drawLink();
  const call = calls.find((one) => one.inCall);
  const rings = calls.filter((one) => one.ringing);
  const entered = call !== undefined && call.invitationID !== drawn;
  drawn = call?.invitationID ?? "";
  last = call ?? last;
  // What was said of the call before is of no interest in the next.
  if (entered) say("");
  drawRings(service, rings, call !== undefined);
  drawCall();
  // One that is listed as missed is joined from there.
  const listed = new Set(missed.calls.map((one) => one.invitationID));
  drawJoinable(service, calls.filter((one) => one.canJoin && !one.inCall && !one.elsewhere && !listed.has(one.invitationID)));
  drawMissed(service);
  drawPeople();
  drawQuiet();
  drawDial(call);
  drawTitle(rings, call, missed.total);
  followHistory(service);
  listen(rings, call);
  mendFocus();
  if (entered) enterFocus();
}

/** The tab's title: how many calls were missed, and what goes on. */
function drawTitle(rings, call, total) {
  const other = call?.participants.filter((one) => !one.self && present(one)).map((one) => nameOf(one.user)) ?? [];
  const whom = other.length === 1 ? other[0] : "";
  const what = rings.length > 0 ? `${nameOf(rings[0].ringing.caller)} is calling`
    : call && call.inCallCount < 2 && other.length > 0 ? `Calling ${whom || `${other.length} people`}`
    : call ? `In a call${whom ? ` with ${whom}` : ""}`
      : calledBy(me);
  const title = `${total > 0 ? `(${total}) ` : ""}${what} · Ringback`;
  if (document.title !== title) document.title = title;
}

/** What should be heard: a ring here goes before the ring at the other side; in a call it is short beeps. */
function listen(rings, call) {
  const aloud = rings.some((one) => audible(one.ringing.caller));
  const alone = call && call.inCallCount === 1 && call.participants.some((one) => !one.self && one.state === "ringing");
  tones.play(aloud ? (call ? "waiting" : "ring") : alone ? "ring-back" : null);
  $("silenced").hidden = !(tones.silenced && tones.wanted);
}

function tick() {
  drawLink();
  mendFocus();
  drawRemaining();
  drawDuration();
  drawQuiet();
  if (document.visibilityState === "visible") drawSpeaking();
}

// ---- What is clicked ----

async function settingChanged(name) {
  if (name === "relayOnly") return beginMedia(setting("relayOnly"));
  if (document.body.dataset.signedIn !== undefined) await signIn();
}

function drawWho() {
  put($("me"), calledBy(me));
  put($("start-name"), calledBy(me));
  $("my-avatar").replaceWith(avatar({ id: me, name: "" }, "own"));
  $("start-avatar").replaceWith(avatar({ id: me, name: "" }, "huge"));
  drawOthers();
  $("who-panel").addEventListener("beforetoggle", drawOthers);
}

/** Links to a window of each of the others. */
function drawOthers() {
  for (const place of all(".other-people")) {
    place.replaceChildren(...others().map((user) => element("a", { href: pageOf(user), target: "_blank", rel: "noopener" }, [
      avatar({ id: user, name: "" }), element("bdi", { textContent: calledBy(user) }),
    ])));
  }
}

function openAs(event) {
  event.preventDefault();
  // Said inside the panel, which would cover it elsewhere.
  attempt(null, () => {
    $("as-name").focus();
    const user = idOf($("as-name").value);
    remember(user);
    $("as-name").value = "";
    $("who-panel").hidePopover();
    drawPeople();
    open(pageOf(user), "_blank", "noopener");
  }, $("as-wrong"));
}

/** Two tabs, of which one shows; the arrow keys go from one to the other. */
function beginTabs() {
  const tabs = all('[role="tab"]');
  const choose = (chosenTab) => {
    for (const tab of tabs) {
      const on = tab === chosenTab;
      attribute(tab, "aria-selected", String(on));
      tab.tabIndex = on ? 0 : -1;
      $(tab.getAttribute("aria-controls")).hidden = !on;
    }
  };
  for (const tab of tabs) {
    tab.addEventListener("click", () => choose(tab));
    tab.addEventListener("keydown", ({ key }) => {
      if (key !== "ArrowLeft" && key !== "ArrowRight") return;
      const next = tabs[(tabs.indexOf(tab) + 1) % tabs.length];
      choose(next);
      next.focus();
    });
  }
  $("open-settings").addEventListener("click", () => {
    choose($("tab-settings"));
    $("tab-settings").focus();
    $("aside").scrollIntoView({ block: "nearest" });
  });
}

// ---- Begin ----

drawWho();
beginTabs();
beginFocus();
beginLog();
beginLink(service);
beginCall(service);
beginQuiet(service);
beginDial(service);
beginHistory(service);
beginMissed(service);
drawSettings(settingChanged);
$("who-form").addEventListener("submit", openAs);
$("sign-out").addEventListener("click", ({ currentTarget }) => attempt(currentTarget, signOut));
service.addEventListener("change", draw);
tones.addEventListener("change", draw);
setInterval(tick, TICK_MS);
beginMedia(setting("relayOnly"));
beginStart({ signIn, tones });
