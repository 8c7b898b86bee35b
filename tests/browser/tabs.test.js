/** Bob in several tabs of one browser: one device, one connection, and no gap when the tab that holds it closes. */

import assert from "node:assert/strict";

import { app } from "./harness/app.js";
import { story } from "./harness/stage.js";

/** @typedef {import("./harness/desktop.js").Desktop} Desktop */
/** @typedef {import("./harness/person.js").Person} Person */

/**
 * Alice, and Bob in two tabs of one profile: the first is the one that leads, the second is in front.
 * @param {import("./harness/stage.js").Stage} stage
 */
async function gather(stage) {
  await stage.serve();
  const alice = await stage.person("alice");
  const first = await stage.person("bob");
  const second = await first.profile.person("bob");
  return { alice, first, second, desktop: /** @type {Desktop} */ (first.desktop) };
}

/**
 * How often a callback fired in all tabs together.
 * @param {Person[]} tabs
 * @param {string} event
 */
async function times(tabs, event) {
  const each = await Promise.all(tabs.map((tab) => tab.times(event)));
  return each.reduce((sum, one) => sum + one, 0);
}

// spec: S14, M3, M6, D7
story("two tabs of Bob's: one ring, one notification, one click, one dial-back", async (stage) => {
  const { alice, first, second, desktop } = await gather(stage);
  await alice.call(["bob"], { seconds: 3 });
  await Promise.all([first.rings("Alice"), second.rings("Alice")]);
  await Promise.all([first.silent(), second.silent()]);
  await Promise.all([first.missed(1), second.missed(1)]);
  desktop.click(await desktop.shown({ title: "Missed Call", body: "Alice Audio Call" }), "Call back");
  await alice.rings("Bob");
  await alice.accept();
  await Promise.all([first.sees("alice"), second.sees("alice"), alice.sees("bob")]);
  await Promise.all([first.missed(0), second.missed(0)]);
  const tabs = [first, second];
  assert.equal(await times(tabs, "onIncomingCallReceived"), 1);
  assert.equal(await times(tabs, "onIncomingCallTimeout"), 1);
  assert.equal(await times(tabs, "onIncomingMissedCallClicked"), 1);
  assert.equal(await times(tabs, "onOutgoingCallSent"), 1);
  assert.equal(await times(tabs, "onOutgoingCallAccepted"), 1);
  assert.equal(await alice.times("onIncomingCallReceived"), 1);
  assert.equal(desktop.notifications.length, 1);
});

// spec: L9, S14, N3
story("the tab that holds the connection closes during a call: the other goes on with it", async (stage) => {
  const { alice, first, second } = await gather(stage);
  await alice.call(["bob"]);
  await second.rings("Alice");
  await second.accept();
  await alice.sees("bob");
  await first.sees("alice");
  await first.close();
  await second.heard("onConnectionStateChanged", "reconnecting");
  await second.connected();
  await second.sees("alice");
  await second.hangUp();
  // Had the call not been claimed, Bob would have left it at the connection, and not by his button.
  await alice.heard("onCallEnded", '"left"');
  assert.equal(await second.times("onCallEnded"), 0, "who leaves isn't told that it ended");
  assert.equal(await second.times("onIncomingCallReceived"), 1, "no event comes twice");
});

// spec: S14, L3
story("the tab that holds the connection closes while it rings: the other answers", async (stage) => {
  const { alice, first, second } = await gather(stage);
  await alice.call(["bob"]);
  await Promise.all([first.rings("Alice"), second.rings("Alice")]);
  await first.close();
  await second.accept();
  await alice.sees("bob");
  await second.sees("alice");
});

// spec: D3, M4
story("a tab that came later answers for the device once it is alone", async (stage) => {
  const { alice, first, second, desktop } = await gather(stage);
  await first.close();
  await second.heard("onConnectionStateChanged", "reconnecting");
  await second.connected();
  await alice.call(["bob"], { seconds: 3 });
  await second.rings("Alice");
  await second.silent();
  desktop.click(await desktop.shown({ title: "Missed Call" }));
  await alice.rings("Bob");
  assert.equal(await second.times("onIncomingMissedCallClicked"), 1);
});

// spec: L9, N2
story("a request of one tab outlives the tab that carried it, and takes effect once", async (stage) => {
  const { alice, first, second } = await gather(stage);
  const server = stage.server?.program?.child;
  // The server hears nothing for now, so that the request is on its way when the tab that sent it closes.
  server?.kill("SIGSTOP");
  await second.call(["alice"]);
  await first.close();
  await second.heard("onConnectionStateChanged", "reconnecting");
  server?.kill("SIGCONT");
  await alice.rings("Bob");
  await alice.accept();
  await second.sees("alice");
  await alice.sees("bob");
  assert.equal(await second.times("onOutgoingCallSent"), 1);
  assert.equal(await alice.times("onIncomingCallReceived"), 1);
});

// spec: L9
story("an app started anew has left the call, unless it takes it up again", async (stage) => {
  await stage.serve();
  const alice = await stage.person("alice");
  const profile = await stage.profile();
  const bob = await app(profile, "bob", `
    const service = new CallInvitationService();
    events.onIncomingCallReceived = () => service.accept();
    service.init({ ...base, invitationEvents: events, takeUpCall: location.hash === "#again" });
  `);
  await alice.call(["bob"]);
  await alice.sees("bob");
  await bob.page.goto(`${bob.page.url()}#again`);
  await bob.page.reload();
  await bob.connected();
  await alice.sees("bob");
  await bob.page.goto(new URL("/healthz", bob.page.url()).href);
  await bob.page.goto(new URL("/as/bob/", bob.page.url()).href);
  await bob.connected();
  await alice.heard("onCallEnded");
});
