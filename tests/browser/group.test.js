/** Alice calls Bob and Carol; Carol answers, Bob joins late. */

import assert from "node:assert/strict";

import { story } from "./harness/stage.js";

/** @typedef {import("./harness/desktop.js").Desktop} Desktop */

/**
 * Carol is in the call with Alice, and Bob has missed it.
 * @param {import("./harness/stage.js").Stage} stage
 */
async function gather(stage) {
  await stage.serve();
  const [alice, bob, carol] = [await stage.person("alice"), await stage.person("bob"), await stage.person("carol")];
  await alice.call(["bob", "carol"], { video: true, seconds: 5 });
  await bob.rings("Alice");
  await carol.rings("Alice");
  await carol.accept();
  await alice.sees("carol");
  await carol.sees("alice");
  await bob.silent();
  await bob.missed(1);
  await alice.sees("bob", "timed_out");
  const note = await /** @type {Desktop} */ (bob.desktop).shown({ title: "Missed Call" });
  assert.equal(note.body, "Alice Group Video Call");
  assert.deepEqual(note.actions, ["Join"]);
  return { alice, bob, carol, note, desktop: /** @type {Desktop} */ (bob.desktop) };
}

// spec: D5, M1, M5, S10
story("Bob joins the running call from his notification, and all see him", async (stage) => {
  const { alice, bob, carol, note, desktop } = await gather(stage);
  desktop.click(note, "Join");
  await bob.sees("alice");
  await bob.sees("carol");
  await alice.sees("bob");
  await carol.sees("bob");
  await bob.missed(0);
  await desktop.bare();
  assert.equal(await alice.times("onIncomingCallReceived"), 0, "joining rings at nobody's");
});

// spec: D6, M5, S3
story("when the group has ended its notification has no Join, and a click fails as the app is told", async (stage) => {
  const { alice, bob, carol, desktop } = await gather(stage);
  await carol.hangUp();
  await alice.sees("carol", "left");
  await alice.hangUp();
  const note = await desktop.until("the notification without its button", () =>
    [...desktop.showing.values()].find((note) => note.actions.length === 0),
  );
  assert.equal(note.body, "Alice Group Video Call");
  assert.equal(note.silent, true);
  desktop.click(note);
  await bob.heard("onIncomingMissedCallDialBackFailed");
  await bob.missed(0);
});
