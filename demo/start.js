// The first click: it signs in, unlocks sound and asks for notifications. At the next visit the page signs in by itself, so
// that a click on a notification acts at once (D3).

import { $, attempt, keep, kept, put, say } from "./dom.js";
import { calledBy, me } from "./people.js";

/** Whether this user has signed in here before. */
const place = `ringback-demo:${me}:signed-in`;
/** The tag of the test notification: a second one takes the place of the first. */
const TEST_TAG = "ringback-demo:test";

/** Whether the browser's question was closed without an answer. */
let dismissed = false;

/**
 * Signs in: at once if this user did so here before, else when they say so.
 * @param {{ signIn: () => Promise<void>, tones: import("./tones.js").Tones }} options
 */
export function beginStart({ signIn, tones }) {
  $("ask-notifications").addEventListener("click", ({ currentTarget }) => attempt(currentTarget, askForNotifications));
  $("test-notification").addEventListener("click", ({ currentTarget }) => attempt(currentTarget, testNotification));
  navigator.permissions?.query({ name: "notifications" }).then((status) => {
    status.onchange = drawPermission;
  }, () => undefined);
  drawPermission();
  if (kept(place, false)) {
    enter();
    return attempt(null, signIn);
  }
  $("start").hidden = false;
  $("begin").focus();
  const begun = async (work) => {
    keep(place, true);
    enter();
    $("app-title").focus();
    await Promise.all([signIn(), work()]);
  };
  $("begin").addEventListener("click", ({ currentTarget }) => attempt(currentTarget, () => begun(() => {
    // Both want the click itself, so neither waits for the other.
    tones.chime();
    return askForNotifications();
  })));
  $("begin-plainly").addEventListener("click", ({ currentTarget }) => attempt(currentTarget, () => begun(async () => undefined)));
}

/** Forgets that this user was here. */
export function forgetStart() {
  keep(place, false);
}

function enter() {
  $("start").hidden = true;
  $("app").hidden = false;
  document.body.dataset.signedIn = "";
}

function permission() {
  return "Notification" in globalThis ? Notification.permission : "impossible";
}

/** Asks, and shows at once what a notification looks like; one that was refused says how to allow it. */
async function askForNotifications() {
  if (permission() === "default") await Notification.requestPermission();
  dismissed = permission() === "default";
  drawPermission();
  if (permission() === "granted") await testNotification();
}

async function testNotification() {
  const registration = await navigator.serviceWorker.ready;
  await registration.showNotification("Notifications work", {
    body: `Calls that ${calledBy(me)} misses will show here; a click calls back.`,
    tag: TEST_TAG,
    // A click on it brings this page to the front, and does nothing else.
    data: { ringback: { user: me, page: registration.scope, click: null } },
  });
  say("A test notification was shown. If none came up, the system itself may hold them back: look for its focus or do-not-disturb mode.");
}

/** Shows whether missed calls pop up, and if not, how they would. */
export function drawPermission() {
  const state = permission();
  $("notifications").dataset.state = state;
  $("ask-notifications").hidden = state !== "default";
  $("test-notification").hidden = state !== "granted";
  const how = state === "denied" ? howToAllow(navigator.userAgent)
    : state === "impossible" ? "This browser shows none to a page. On an iPhone or iPad: add the page to the Home Screen, and open it from there."
      : state !== "default" ? ""
        : dismissed ? "The browser’s question was closed without an answer: nothing pops up yet. Click again to be asked once more."
          : "Allow notifications, and a missed call pops up; a click on it calls back.";
  put($("how-notifications"), how);
  $("notifications-denied").hidden = state !== "denied";
}

/**
 * How to allow what was refused, in the browser at hand: pages can't ask twice.
 * @param {string} agent the browser's name for itself
 */
export function howToAllow(agent) {
  const then = "Missed calls are listed here all the same.";
  if (/Firefox\//.test(agent)) return `Click the crossed-out sign at the left of the address, take away the block of notifications, and reload. ${then}`;
  if (/Edg\//.test(agent)) return `Click the lock at the left of the address, then “Permissions for this site”, and set Notifications to Allow. ${then}`;
  if (/Android/.test(agent)) return `Tap the sign at the left of the address, then Permissions, Notifications, and allow them. ${then}`;
  if (/Chrome\//.test(agent)) return `Click the sign at the left of the address, and turn Notifications on; if they aren’t listed, “Site settings” has them. ${then}`;
  if (/Safari\//.test(agent)) return `In Safari’s Settings choose Websites, then Notifications, and set this page to Allow. ${then}`;
  return `The browser’s settings for this site allow them again. ${then}`;
}
