/** The seed page's three code examples, run as they stand but for the class prefix and the language's own syntax. */

import assert from "node:assert/strict";

import { examples, toJavaScript } from "../../web/test/seed.mjs";
import { app, parameters } from "./harness/app.js";
import { story } from "./harness/stage.js";

/** @typedef {import("./harness/desktop.js").Desktop} Desktop */

/**
 * A page of Bob's whose script is an example. What the seed page leaves out (`...`) is who Bob is, and a log to look at.
 * @param {import("./harness/stage.js").Stage} stage
 * @param {string} example
 */
async function bobRuns(stage, example) {
  const log = `
    for (const name of ["onIncomingCallTimeout", "onIncomingCallCanceled"]) {
      events[name] = (...parameters) => seen(name, ...parameters);
    }`;
  // Where the example has events of its own, they are what is looked at.
  const before = example.includes("invitationEvents") ? "" : `${log} base.invitationEvents = events;`;
  return app(await stage.profile(), "bob", before + toJavaScript(example));
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
