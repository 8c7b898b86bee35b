/** Alice calls Bob, who doesn't pick up; his missed call calls her back. */

import assert from "node:assert/strict";

import { story } from "./harness/stage.js";

/** @typedef {import("./harness/desktop.js").Desktop} Desktop */

/**
 * Alice calls, and it rings at Bob's until he has missed it.
 * @param {import("./harness/person.js").Person} alice
 * @param {import("./harness/person.js").Person} bob
 * @param {{ video?: boolean }} [options]
 */
async function misses(alice, bob, { video = false } = {}) {
  await alice.call(["bob"], { video, seconds: 3 });
  await bob.rings("Alice");
  await bob.silent();
  await bob.missed(1);
}

/**
 * The one who is called back answers, and each sees the other in the call.
 * @param {import("./harness/person.js").Person} alice
 * @param {import("./harness/person.js").Person} bob
 */
async function meet(alice, bob) {
  await alice.rings("Bob");
  await alice.accept();
  await alice.sees("bob");
  await bob.sees("alice");
  await bob.missed(0);
}

// spec: M1, M5, D1, D2, D4, S1, S4, S9
story("Bob's screen shows the missed call, he clicks it with his mouse, Alice answers", async (stage) => {
  await stage.serve();
  const screen = await stage.screen();
  const alice = await stage.person("alice");
  const bob = await stage.person("bob", { desktop: screen });
  await misses(alice, bob, { video: true });
  await bob.heard("onIncomingCallTimeout", "Alice");
  await alice.heard("onOutgoingCallTimeout");
  const note = await screen.shown({ title: "Missed Call" });
  assert.equal(note.body, "Alice Video Call");
  assert.deepEqual(note.actions, ["Call back"]);
  await screen.click();
  await meet(alice, bob);
  const [sent, received] = [await alice.callID("onOutgoingCallSent"), await alice.callID("onIncomingCallReceived")];
  assert.equal(received, sent, "the call back is of the call that was missed");
  assert.deepEqual([await alice.times("onIncomingCallReceived"), await bob.times("onIncomingCallReceived")], [1, 1]);
});

// spec: M5, M6, D2, D4
story("the button of the notification calls back, from a tab in the background", async (stage) => {
  await stage.serve();
  const alice = await stage.person("alice");
  const bob = await stage.person("bob");
  const desktop = /** @type {Desktop} */ (bob.desktop);
  await bob.background();
  await misses(alice, bob);
  const note = await desktop.shown({ title: "Missed Call" });
  assert.equal(note.body, "Alice Audio Call");
  assert.deepEqual(note.actions, ["Call back"]);
  desktop.click(note, "Call back");
  await meet(alice, bob);
  await desktop.bare();
  assert.equal(desktop.notifications.length, 1, "one missed call, shown once");
});

// spec: D3, L9
story("a click when Bob's page is closed opens it, and calls back once", async (stage) => {
  await stage.serve();
  const alice = await stage.person("alice");
  const bob = await stage.person("bob");
  const desktop = /** @type {Desktop} */ (bob.desktop);
  await misses(alice, bob);
  const note = await desktop.shown({ title: "Missed Call" });
  await bob.close();
  const back = await bob.profile.opened("bob", () => desktop.click(note));
  assert.equal(new URL(back.page.url()).pathname, "/as/bob/");
  await meet(alice, back);
  assert.equal(await alice.times("onIncomingCallReceived"), 1);
});

// spec: M4, M6
story("Alice and Bob in two windows of one profile", async (stage) => {
  await stage.serve();
  const profile = await stage.profile();
  const desktop = /** @type {Desktop} */ (profile.desktop);
  const alice = await profile.person("alice");
  const bob = await profile.person("bob");
  await misses(alice, bob);
  const note = await desktop.shown({ title: "Missed Call", body: "Alice Audio Call" });
  desktop.click(note, "Call back");
  await meet(alice, bob);
  assert.equal(await alice.times("onIncomingMissedCallClicked"), 0, "it was shown to Bob");
  await desktop.bare();
});

// spec: D10, M1, M4, M5, S5
story("calling back from the list can be missed in turn; once they talk, nothing is missed", async (stage) => {
  await stage.serve();
  const alice = await stage.person("alice");
  const bob = await stage.person("bob");
  const [hers, his] = [alice, bob].map((person) => /** @type {Desktop} */ (person.desktop));
  await alice.call(["bob"], { seconds: 30 });
  await bob.rings("Alice");
  await alice.cancel();
  await bob.silent();
  await bob.heard("onIncomingCallCanceled", "Alice");
  await his.shown({ title: "Missed Call", body: "Alice Audio Call" });
  await bob.callBack();
  await alice.rings("Bob");
  await bob.missed(0);
  await his.bare();
  await bob.cancel();
  await alice.missed(1);
  hers.click(await hers.shown({ title: "Missed Call", body: "Bob Audio Call" }), "Call back");
  await bob.rings("Alice");
  await bob.accept();
  await bob.sees("alice");
  await alice.sees("bob");
  await alice.missed(0);
  await hers.bare();
});

// spec: M4, S12
story("a dismissed notification is a handled missed call", async (stage) => {
  await stage.serve();
  const alice = await stage.person("alice");
  const bob = await stage.person("bob");
  const desktop = /** @type {Desktop} */ (bob.desktop);
  await misses(alice, bob);
  desktop.dismiss(await desktop.shown({ title: "Missed Call" }));
  await bob.missed(0);
});

// spec: M2, N1, N3, S13
story("the missed call outlives the server, and so do the open windows", async (stage) => {
  const server = await stage.serve();
  const alice = await stage.person("alice");
  const bob = await stage.person("bob");
  const desktop = /** @type {Desktop} */ (bob.desktop);
  await misses(alice, bob);
  const note = await desktop.shown({ title: "Missed Call" });
  await server.restart("SIGKILL");
  await alice.connected();
  await bob.connected();
  await bob.missed(1);
  desktop.click(note, "Call back");
  await meet(alice, bob);
  assert.equal(desktop.notifications.length, 1, "shown once, also across a restart");
});
