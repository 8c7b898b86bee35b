/** The seed page's three code examples, run as they stand but for the class prefix and the language's own syntax. */

import assert from "node:assert/strict";

import { examples, toJavaScript } from "../../web/test/seed.mjs";
import { story } from "./harness/stage.js";

/** @typedef {import("./harness/desktop.js").Desktop} Desktop */

/**
 * A page of Bob's whose script is an example. What the page leaves out (`...`) is who Bob is, and a log to look at.
 * @param {import("./harness/stage.js").Stage} stage
 * @param {string} example
 */
async function bobRuns(stage, example) {
  const profile = await stage.profile();
  await profile.context.route("**/as/bob/demo.js", (route) => route.fulfill({ contentType: "text/javascript", body: `
    import {
      RingbackCallInvitationConfig, RingbackCallInvitationMissedCallConfig, RingbackUIKitPrebuiltCallInvitationEvents,
      RingbackUIKitPrebuiltCallInvitationService,
    } from "/web/ringback.js";
    const seen = (name, ...parameters) => {
      const item = document.createElement("li");
      item.dataset.event = name;
      item.textContent = JSON.stringify(parameters, (_, value) => typeof value === "function" ? "a function" : value);
      document.getElementById("log").append(item);
    };
    const say = (place) => (text) => { document.getElementById(place).textContent = text; };
    const events = {
      onConnectionStateChanged: say("connection"),
      onMissedCallsChanged: (calls, count) => say("missed-count")(count),
      onIncomingCallCanceled: (...parameters) => seen("onIncomingCallCanceled", ...parameters),
    };
    const base = {
      user: "bob",
      tokenProvider: async () => (await (await fetch("/dev/token?user=bob")).json()).token,
      serviceWorker: { url: "sw.js", scope: "./" },
    };
    ${example.includes("invitationEvents") ? "" : `base.invitationEvents = { ...events,
      onIncomingCallTimeout: (...parameters) => seen("onIncomingCallTimeout", ...parameters) };`}
    ${toJavaScript(example)}
  ` }));
  return profile.person("bob");
}

/**
 * The parameters of a callback, once it has fired.
 * @param {import("./harness/person.js").Person} person
 * @param {string} event
 * @returns {Promise<unknown[]>}
 */
async function parameters(person, event) {
  await person.heard(event);
  return JSON.parse((await person.page.locator(`#log li[data-event="${event}"]`).first().textContent()) ?? "null");
}

// spec: C1, C2, S1
story("the first: no notification, but the event", async (stage) => {
  await stage.serve();
  const alice = await stage.person("alice");
  const bob = await bobRuns(stage, examples()[0]);
  await alice.call(["bob"], { seconds: 2 });
  await bob.heard("onIncomingCallTimeout", '{"id":"alice","name":"Alice"}');
  await bob.missed(1);
  // A whole second call later, nothing of the first has come up.
  await alice.call(["bob"]);
  await alice.sees("bob", "ringing");
  await alice.cancel();
  await bob.heard("onIncomingCallCanceled");
  await bob.missed(2);
  assert.deepEqual(/** @type {Desktop} */ (bob.desktop).notifications, []);
});

// spec: C3, D2
story("the second: a click that does not dial", async (stage) => {
  await stage.serve();
  const alice = await stage.person("alice");
  const bob = await bobRuns(stage, examples()[1]);
  const desktop = /** @type {Desktop} */ (bob.desktop);
  await alice.call(["bob"], { seconds: 2 });
  const note = await desktop.shown({ title: "Missed Call", body: "Alice Audio Call" });
  assert.deepEqual(note.actions, [], "there is no Call back");
  desktop.click(note);
  await bob.missed(0);
  // A whole second call later, Alice's has not rung.
  await alice.call(["bob"], { seconds: 2 });
  await bob.missed(1);
  assert.equal(await alice.times("onIncomingCallReceived"), 0);
});

// spec: S1, S2, D1, D2, D4
story("the third: the callbacks by position, with every parameter, and the default action dials back", async (stage) => {
  await stage.serve();
  const alice = await stage.person("alice");
  const bob = await bobRuns(stage, examples()[2]);
  const desktop = /** @type {Desktop} */ (bob.desktop);
  await alice.call(["bob"], { video: true, seconds: 2 });
  const [callID, ...timeout] = await parameters(bob, "onIncomingCallTimeout");
  assert.equal(typeof callID, "string");
  assert.deepEqual(timeout, [{ id: "alice", name: "Alice" }]);
  desktop.click(await desktop.shown({ title: "Missed Call", body: "Alice Video Call" }));
  assert.deepEqual(await parameters(bob, "onIncomingMissedCallClicked"), [
    callID, { id: "alice", name: "Alice" }, "video", [{ id: "bob", name: "Bob" }], "", "a function",
  ]);
  await alice.rings("Bob");
  assert.equal(await bob.times("onIncomingMissedCallDialBackFailed"), 0);
});

// spec: S3, D6
story("the third: a dial-back that fails says so, and nothing else happens", async (stage) => {
  await stage.serve();
  const [alice, carol] = [await stage.person("alice"), await stage.person("carol")];
  const bob = await bobRuns(stage, examples()[2]);
  const desktop = /** @type {Desktop} */ (bob.desktop);
  await alice.call(["bob", "carol"], { seconds: 3 });
  await carol.rings("Alice");
  await carol.accept();
  await bob.missed(1);
  await desktop.shown({ title: "Missed Call", body: "Alice Group Audio Call" });
  await carol.hangUp();
  await alice.hangUp();
  const note = await desktop.until("the notification without its button", () =>
    [...desktop.showing.values()].find((one) => one.actions.length === 0),
  );
  desktop.click(note);
  assert.deepEqual(await parameters(bob, "onIncomingMissedCallDialBackFailed"), []);
  assert.equal(await alice.times("onIncomingCallReceived"), 0);
});
