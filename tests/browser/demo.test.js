/** The demo page itself: what a person gets to see, to hear and to set, beside the story that the other tests tell. */

import assert from "node:assert/strict";

import { fits, usable } from "./harness/axe.js";
import { hear, hushed, loud, sounded } from "./harness/ear.js";
import { story } from "./harness/stage.js";

/** @typedef {import("./harness/desktop.js").Desktop} Desktop */

/** How long a tone may go on after the page showed that it rings no more, in seconds: what measuring it takes. */
const AT_ONCE = 0.3;

// spec: D3
story("the first click signs in, turns sound on and shows a notification; the next visit needs none", async (stage) => {
  await stage.serve();
  const profile = await stage.profile();
  const desktop = /** @type {Desktop} */ (profile.desktop);
  await hear(profile);
  const bob = await profile.visit("bob");
  await bob.shows("#start");
  assert.equal(await bob.page.locator("#connection").textContent(), "not signed in");
  await bob.start();
  await bob.connected();
  await sounded(bob);
  const note = await desktop.shown({ title: "Notifications work" });
  await bob.background();
  desktop.click(note);
  await bob.front();
  assert.equal(await bob.times("onIncomingMissedCallClicked"), 0, "it stands for no missed call");
  await bob.close();

  const again = await profile.visit("bob");
  await again.shows("#connection", /^connected$/);
  assert.equal(await again.page.locator("#start").isVisible(), false, "it isn't asked twice");
  assert.equal(desktop.notifications.length, 1, "the test notification is for the first time");
});

// spec: M8
story("who refuses notifications is told how to allow them, and has the list", async (stage) => {
  await stage.serve();
  const alice = await stage.person("alice");
  const profile = await stage.profile(undefined, { asks: true });
  const bob = await profile.visit("bob");
  assert.equal(await bob.page.evaluate(() => Notification.permission), "default");
  await bob.start();
  await bob.connected();
  await bob.shows("#notifications-denied");
  await bob.shows("#how-notifications", "at the left of the address");
  await usable(bob, "notifications refused");
  await alice.call(["bob"], { seconds: 1 });
  await bob.missed(1);
  assert.equal(await bob.page.locator("#error").isVisible(), false);
});

// spec: L13, S4
story("it rings aloud on both sides until it is declined; do-not-disturb is silent, but for who is let through", async (stage) => {
  await stage.serve();
  const profiles = [await stage.profile(), await stage.profile()];
  for (const profile of profiles) await hear(profile);
  const [alice, bob] = [await profiles[0].person("alice"), await profiles[1].person("bob")];
  await alice.call(["bob"]);
  await bob.rings("Alice");
  await Promise.all([loud(alice), loud(bob)]);
  await bob.decline();
  await bob.silent();
  await alice.heard("onCallEnded", "declined");
  for (const late of await Promise.all([hushed(alice), hushed(bob)])) assert.ok(late < AT_ONCE, `${late} s late`);

  await bob.quiet();
  await alice.call(["bob"], { seconds: 1 });
  await bob.missed(1);
  assert.equal(await bob.times("onIncomingCallReceived"), 1, "the one before");
  await hushed(alice);
  assert.ok((await hushed(bob)) <= 0, "nothing was heard");

  await bob.quiet({ through: ["alice"] });
  await alice.call(["bob"]);
  await bob.rings("Alice");
  await loud(bob);
  await alice.cancel();
  await bob.silent();
  await bob.unquiet();
});

// spec: C2, C5, C6, C8, C11, C13, M5
story("settings reach the service, outlive a reload, and say what they don't take", async (stage) => {
  await stage.serve();
  const [alice, carol] = [await stage.person("alice"), await stage.person("carol")];
  const bob = await stage.person("bob");
  const desktop = /** @type {Desktop} */ (bob.desktop);
  await bob.set("missedCall.timeoutSeconds", "0");
  await bob.shows("#error", "Calling back rings for: 1 to 600 seconds.");
  await bob.shows('#settings input[name="missedCall.timeoutSeconds"][aria-invalid]:focus');
  await bob.set("missedCall.timeoutSeconds", "9");
  await bob.hides("#error");
  await bob.set("missedCall.notificationTitle", "{caller} rang");
  await bob.set("missedCall.notificationMessage", "A {type}, {count} in all");
  await bob.set("callWaiting", true);
  await bob.page.locator('#settings input[name="missedCall.reasons"][value="cancelled"]').uncheck();
  await bob.page.reload();
  await bob.connected();
  const set = (/** @type {string} */ name) => bob.page.locator(`#settings input[name="${name}"]`);
  assert.equal(await set("missedCall.timeoutSeconds").inputValue(), "9");
  assert.equal(await set("callWaiting").isChecked(), true);

  await alice.call(["bob"]);
  await bob.rings("Alice");
  await alice.cancel();
  await bob.missed(1);
  await alice.call(["bob"], { video: true, seconds: 1 });
  await desktop.shown({ title: "Alice rang", body: "A video call, 2 in all" });
  assert.equal(desktop.notifications.length, 1, "the one that was cancelled counts, and popped up nothing");
  await alice.call(["bob"]);
  await bob.accept();
  await bob.sees("alice");
  await carol.call(["bob"]);
  await bob.rings("Carol");
  await bob.accept();
  await bob.sees("carol");
  await alice.heard("onCallEnded", "left");
  await bob.heard("onCallEnded", "elsewhere");
  await bob.hides("#last");
});

// spec: L13
story("who is blocked rings no more, and can't tell; who is unblocked rings again", async (stage) => {
  await stage.serve();
  const [alice, bob] = [await stage.person("alice"), await stage.person("bob")];
  await bob.block("alice");
  await alice.call(["bob"], { seconds: 4 });
  await alice.sees("bob", "inviting");
  await alice.heard("onOutgoingCallTimeout", "Bob");
  await bob.page.reload();
  await bob.connected();
  await bob.block("alice", false);
  await alice.call(["bob"]);
  await bob.rings("Alice");
  assert.equal(await bob.times("onIncomingCallReceived"), 1);
  await bob.missed(0);
});

// spec: L13
story("blocks and do-not-disturb set on one device show on the other at once, and hold there", async (stage) => {
  await stage.serve();
  const [alice, bob, elsewhere] = [await stage.person("alice"), await stage.person("bob"), await stage.person("bob")];
  await bob.block("carol");
  await elsewhere.blocks("carol");
  await elsewhere.block("carol", false);
  await bob.blocks("carol", false);
  await bob.quiet({ through: ["carol"] });
  await elsewhere.shows("#quiet.on");
  await elsewhere.page.locator("#quiet").click();
  await elsewhere.shows("#quiet-now", "Let through: Carol.");
  assert.ok(await elsewhere.page.locator('#quiet-through input[value="carol"]').isChecked());
  await elsewhere.page.locator("#quiet-off").click();
  for (const device of [bob, elsewhere]) await device.hides("#quiet.on");
  await alice.call(["bob"]);
  for (const device of [bob, elsewhere]) await device.rings("Alice");
});

// spec: S12, M4
story("missed calls are counted in the list, the tab's title and the app's badge", async (stage) => {
  await stage.serve();
  const alice = await stage.person("alice");
  const profile = await stage.profile();
  await profile.context.addInitScript(() => {
    const badges = (/** @type {any} */ (globalThis).badges = /** @type {number[]} */ ([]));
    const { setAppBadge, clearAppBadge } = Navigator.prototype;
    Navigator.prototype.setAppBadge = function (count) { badges.push(Number(count)); return setAppBadge.call(this, count); };
    Navigator.prototype.clearAppBadge = function () { badges.push(0); return clearAppBadge.call(this); };
  });
  const bob = await profile.person("bob");
  await bob.titled("Bob · Ringback");
  await alice.call(["bob"], { seconds: 4 });
  await bob.titled("Alice is calling · Ringback");
  await bob.titled("(1) Bob · Ringback");
  await alice.call(["bob"], { seconds: 1 });
  await bob.titled("(2) Bob · Ringback");
  await bob.shows("#missed-count", /^2$/);
  assert.match((await bob.page.locator("#icon").getAttribute("href")) ?? "", /missed/);
  assert.equal(await bob.page.evaluate(() => /** @type {any} */ (globalThis).badges.at(-1)), 2);
  await bob.shows("#missed li strong", /^Alice · 2$/);
  await bob.page.locator("#missed li button.dismiss").click();
  await bob.titled("Bob · Ringback");
  await alice.call(["bob"], { seconds: 1 });
  await bob.titled("(1) Bob · Ringback");
  await bob.callBack();
  await alice.rings("Bob");
  await bob.titled("Calling Alice · Ringback");
  await alice.accept();
  await bob.titled("In a call with Alice · Ringback");
  await bob.missed(0);
  await bob.hides("#missed-count");
  await bob.hangUp();
  await bob.shows("#history li", "Outgoing");
});

story("the log has each callback with its parameters by name, filtered, copied, cleared", async (stage) => {
  await stage.serve();
  const profile = await stage.profile();
  await profile.context.grantPermissions(["clipboard-read", "clipboard-write"]);
  const alice = await profile.person("alice");
  const bob = await stage.person("bob");
  await bob.page.locator("details summary").click();
  await bob.page.locator("#custom-data").fill("about lunch");
  await bob.call(["alice"], { video: true });
  await alice.rings("Bob");
  await alice.shows("[data-ring] .message", "about lunch");
  await alice.decline();
  const received = alice.page.locator('#log li[data-event="onIncomingCallReceived"]');
  const names = await received.locator("dt").allTextContents();
  assert.deepEqual(names, ["callID", "caller", "callType", "callees", "customData", "invitation"]);
  const values = await received.locator("dd").allTextContents();
  assert.deepEqual(values.slice(1, 5), ['{ id: "bob", name: "Bob" }', '"video"', '[{ id: "alice", name: "Alice" }]', '"about lunch"']);
  await alice.page.locator("#log-filter").selectOption("incoming");
  await alice.hides('#log li[data-event="onConnectionStateChanged"]');
  await alice.page.locator("#log-copy").click();
  await alice.shows("#log-copy", "Copied");
  const copied = await alice.page.evaluate(() => navigator.clipboard.readText());
  assert.match(copied, /^\S+Z onIncomingCallReceived \["[^"]+",\{"id":"bob","name":"Bob"\},"video"/);
  await alice.page.locator("#log-clear").click();
  assert.equal(await alice.page.locator("#log li").count(), 0);
});

story("anybody who is typed can be called, and signs in by that name", async (stage) => {
  const { origin } = await stage.serve();
  const alice = await stage.person("alice");
  const profile = await stage.profile();
  const dave = profile.seat("dave-miller", await profile.context.newPage());
  await dave.page.goto(origin);
  await dave.page.locator("#as-name").fill("Dave Miller");
  await dave.page.locator("#as-name").press("Enter");
  await dave.connected();
  assert.equal(new URL(dave.page.url()).pathname, "/as/dave-miller/");
  await alice.add("Dave Miller");
  await alice.call(["dave-miller"]);
  await dave.rings("Alice");
  await dave.accept();
  await alice.sees("dave-miller");
  await alice.hangUp();

  const tanaka = await profile.person("田中太郎");
  await alice.page.locator("#other").fill("田中太郎");
  await alice.call(["bob"]);
  await tanaka.rings("Alice");
  await tanaka.shows("[data-ring] .more", "Bob");
  await alice.hangUp();
  await alice.hides("#call");
  for (const [typed, why] of [["Łukasz, a/b", "no “/”"], ["x".repeat(129), "too long"], ["Alice", "is you"]]) {
    await alice.page.locator("#other").fill(typed);
    await alice.call(["bob"]);
    await alice.shows("#error", why);
    assert.equal(await alice.page.locator("#other").inputValue(), typed, "it stays to be mended");
  }
  assert.equal(await alice.page.locator("#people li").count(), 4, "of a list that is refused nobody is taken");
  assert.equal(await alice.times("onOutgoingCallSent"), 2);
});

story("by keyboard alone: sign in, choose, call, answer, hang up", async (stage) => {
  await stage.serve();
  const alice = await stage.person("alice");
  const bob = await (await stage.profile()).visit("bob");
  await bob.page.keyboard.press("Tab");
  await bob.page.locator("#begin-plainly:focus").waitFor();
  await bob.page.keyboard.press("Enter");
  await bob.connected();
  await alice.call(["bob"]);
  await bob.rings("Alice");
  /** @param {string} selector */
  const reach = async (selector) => {
    for (let presses = 0; presses < 40; presses += 1) {
      await bob.page.keyboard.press("Tab");
      if ((await bob.page.locator(`${selector}:focus`).count()) > 0) return;
    }
    throw new Error(`${selector} can't be reached by the keyboard`);
  };
  await reach("[data-ring] .accept");
  await bob.page.keyboard.press("Enter");
  await bob.sees("alice");
  // The focus goes on in the call, and isn't lost with the ring.
  await bob.page.locator("#call-title:focus").waitFor();
  await reach("#hang-up");
  await bob.page.keyboard.press("Space");
  await alice.heard("onCallEnded", "left");
  await bob.page.locator("#dial-title:focus").waitFor();
  await reach('#people input[data-user="alice"]');
  await bob.page.keyboard.press("Space");
  await reach("#call-video");
  await bob.page.keyboard.press("Enter");
  await alice.rings("Bob");
  // What a key took away hands the focus on: to the next missed call, to the call, and back from it.
  await bob.cancel();
  await bob.call(["alice", "carol"], { seconds: 1 });
  await alice.missed(2);
  await bob.hangUp();
  await alice.page.locator("#missed .dismiss").first().focus();
  await alice.page.keyboard.press("Enter");
  await alice.missed(1);
  await alice.page.locator("#missed .call-back:focus").waitFor();
  await alice.page.keyboard.press("Enter");
  await alice.page.locator("#call-title:focus").waitFor();
  await bob.accept();
  await alice.page.locator("#hang-up").focus();
  await bob.hangUp();
  await alice.page.locator("#dial-title:focus").waitFor();
});

story("what is said of a call says by whom, goes with the next ring, and offers nothing that can't be", async (stage) => {
  await stage.serve();
  const [alice, bob, carol] = [await stage.person("alice"), await stage.person("bob"), await stage.person("carol")];
  await alice.call(["bob"]);
  await alice.titled("Calling Bob · Ringback");
  await bob.decline();
  await alice.shows("#last", "Bob declined.");
  await alice.call(["bob"], { seconds: 1 });
  await alice.shows("#last", "Nobody answered: Bob.");
  await carol.call(["alice"]);
  await alice.rings("Carol");
  await alice.hides("#last");
  await alice.accept();
  await carol.sees("alice");
  await carol.shows("#dial-closed", "takes no more people");
  assert.ok(await carol.page.locator('#people input[data-user="bob"]').isDisabled());
  await bob.call(["carol"]);
  await bob.shows("#last", "Carol is in another call.");
  await alice.page.locator("#history .again").first().click();
  await alice.shows("#error", "You are in another call.");
  await carol.hangUp();
  await alice.shows("#last", "Carol hung up.");
  await alice.call(["bob"], { seconds: 0 });
  await alice.shows("#error", "Ring for: 1 to 600 seconds.");
  await alice.shows("#timeout[aria-invalid]:focus");

  await alice.call(["bob", "carol"], { seconds: 1 });
  await alice.shows("#call-status", "You are alone");
  await alice.hangUp();
  await alice.shows("#history li", "Group voice call, not answered");
  await carol.shows("#missed .call-back", "Call Alice");
  await carol.page.setViewportSize({ width: 390, height: 844 });
  const [what, dismiss] = [await carol.page.locator("#missed .what").first().boundingBox(), await carol.page.locator("#missed .dismiss").first().boundingBox()];
  assert.ok(what && dismiss && dismiss.y < what.y + what.height, "what dismisses is in the first row");
  await carol.page.locator("#missed .call-back").first().click();
  await alice.rings("Carol");
  await carol.cancel();

  await bob.quiet();
  await bob.page.locator("#quiet").click();
  await bob.shows("#quiet-on", "Change");
  assert.ok(await bob.page.locator('#quiet-form input[value="until"]').isChecked(), "its end is proposed");
  await bob.page.locator("#quiet-until").fill("2020-01-01T08:00");
  await bob.page.locator("#quiet-on").click();
  await bob.shows("#quiet-wrong", "Choose a time to come.");
  assert.equal(await bob.page.locator("#error").isVisible(), false);
  await usable(bob, "do-not-disturb until a time gone by");
});

// spec: R1
story("without a camera a drawing moves at the other side; what is off is said, and a reload goes on", async (stage) => {
  await stage.serve();
  const alice = await stage.person("alice", { devices: "none" });
  const bob = await stage.person("bob", { devices: "none" });
  await alice.call(["bob"], { video: true });
  await bob.accept();
  await Promise.all([alice.watches("bob"), bob.watches("alice"), bob.watches("bob")]);
  await alice.shows("#what-problem", "a drawing of you");
  await alice.shows('#call .tile[data-user="bob"] .state', "muted");
  await bob.page.locator("#camera").click();
  await alice.shows('#call .tile[data-user="bob"]:not(.pictured)');
  await bob.page.locator("#camera").click();
  await alice.watches("bob");
  await bob.page.reload();
  await bob.sees("alice");
  await Promise.all([alice.watches("bob"), bob.watches("alice")]);
  await bob.hangUp();
  await alice.hides("#call");
});

// spec: R1
story("two windows on one desk don't howl: sound is off until it is turned on, and says why", async (stage) => {
  await stage.serve();
  const alice = await stage.person("alice", { devices: "fake" });
  const bob = await stage.person("bob", { devices: "fake" });
  await alice.call(["bob"]);
  await bob.accept();
  await bob.shows("#why-silent", "both windows are on this computer");
  const muted = () => bob.page.locator('#call .tile:not(.self) video').evaluate((video) => /** @type {HTMLVideoElement} */ (video).muted);
  assert.equal(await muted(), true);
  await bob.page.locator("#turn-sound-on").click();
  await bob.hides("#call-silent");
  assert.equal(await muted(), false);
  assert.equal(await bob.page.locator('#call .tile.self video').evaluate((video) => /** @type {HTMLVideoElement} */ (video).muted), true);
  await bob.page.locator("#microphone").click();
  await bob.shows("#microphone", "Unmute");
  await alice.shows('#call .tile[data-user="bob"] .state', "muted");
});

story("on a phone long names and messages widen nothing, and who hangs up needn't scroll", async (stage) => {
  await stage.serve();
  const long = "wolfeschlegelsteinhausenbergerdo";
  const [alice, bob, other] = [await stage.person("alice"), await stage.person("bob", { devices: "fake" }), await stage.person(long)];
  const [phone, narrow] = [{ width: 390, height: 844 }, { width: 320, height: 640 }];
  await alice.page.locator("details summary").click();
  await alice.page.locator("#custom-data").fill("W".repeat(150));
  await alice.add(long);
  await alice.call(["bob", "carol", long], { video: true, seconds: 60 });
  await bob.rings("Alice");
  for (const size of [phone, narrow]) await fits(bob, "it rings", { ...size, shown: ["[data-ring] .accept", "[data-ring] .decline"] });
  await other.accept();
  await bob.accept();
  await Promise.all([bob.sees(long), bob.sees("carol", "inviting"), bob.watches("bob")]);
  const shown = ["#hang-up", "#microphone"];
  for (const size of [phone, narrow, { width: 844, height: 390 }, { width: 640, height: 400 }]) await fits(bob, "in a group", { ...size, shown });
  await other.hangUp();
  await bob.sees(long, "left");
  await bob.shows("#call-title", /^Group video call with Alice and Carol$/);
  await fits(bob, "who left", { ...phone, shown });
  await bob.hangUp();
  await bob.add(long);
  await bob.call(["alice", long], { video: true, seconds: 60 });
  await bob.hides("#error");
  await bob.page.locator("#quiet").click();
  for (const size of [phone, narrow]) await fits(bob, "do-not-disturb", size);
  await bob.page.keyboard.press("Escape");
  await bob.page.locator("#who").click();
  await fits(bob, "open as somebody else", narrow);
});

story("every state is usable by ear, by keyboard, in light and dark, and on a phone", async (stage) => {
  const { origin } = await stage.serve();
  const alice = await stage.person("alice");
  const profile = await stage.profile();
  const bob = await profile.visit("bob");
  await usable(bob, "the first click");
  await bob.connected();
  await usable(bob, "idle");
  await bob.page.locator("#quiet").click();
  await usable(bob, "do-not-disturb");
  await bob.page.keyboard.press("Escape");
  await bob.page.locator("#who").click();
  await usable(bob, "open as somebody else");
  await bob.page.keyboard.press("Escape");
  await bob.page.locator("#tab-settings").click();
  await usable(bob, "settings");
  await bob.page.locator("#tab-log").click();
  await alice.call(["bob"], { seconds: 60 });
  await bob.rings("Alice");
  await usable(bob, "it rings");
  await usable(alice, "calling");
  await bob.accept();
  await bob.sees("alice");
  await usable(bob, "in a call");
  await usable(alice, "in a call that takes no more people");
  await bob.hangUp();
  await alice.hides("#call");
  await alice.call(["bob"], { seconds: 1 });
  await bob.missed(1);
  await bob.shows("#history li");
  await usable(bob, "a missed call");
  await bob.page.goto(origin);
  await usable(bob, "who are you");
}, { seconds: 120 });

story("while the server is out of reach the page says so, calls nobody, and answers once it is back", async (stage) => {
  const server = await stage.serve();
  const [alice, bob] = [await stage.person("alice"), await stage.person("bob")];
  await alice.call(["bob"], { seconds: 60 });
  await bob.rings("Alice");
  await server.program?.stop("SIGKILL");
  await bob.shows("#offline");
  await bob.accept();
  await bob.shows("#last", "Answering when the connection is back");
  await bob.call(["carol"]);
  await bob.shows("#error", "can’t be reached");
  await usable(bob, "out of reach");
  assert.equal(await bob.page.locator("[data-ring]").count(), 0);
  await server.listen(new URL(server.origin).host);
  await bob.sees("alice");
  for (const place of ["#offline", "#error", "#last"]) await bob.hides(place);
  await alice.hides("#offline");
  const icon = await alice.page.locator("#hang-up .icon use").evaluate((use) => /** @type {SVGUseElement} */ (use).getBBox().width);
  assert.ok(icon > 0, "the icons are the page's own");
});

// spec: R1
story("who hangs up while the server is out of reach sends nothing any more, and leaves once it is back", async (stage) => {
  const server = await stage.serve();
  const alice = await stage.person("alice", { devices: "fake" });
  const bob = await stage.person("bob", { devices: "fake" });
  await alice.call(["bob"], { video: true });
  await bob.rings("Alice");
  await bob.accept();
  await alice.shows("#tiles .tile.self.pictured");
  await bob.shows('#tiles .tile[data-user="alice"].pictured');
  server.program?.child.kill("SIGSTOP");
  try {
    await alice.hangUp();
    await alice.hides("#tiles .tile.self.pictured");
    await alice.hides("#microphone");
    await bob.hides('#tiles .tile[data-user="alice"].pictured');
  } finally {
    server.program?.child.kill("SIGCONT");
  }
  await alice.hides("#call");
  await bob.hides("#call");
});
