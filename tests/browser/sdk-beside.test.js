/** The whole story between the Rust SDK and browsers: Bob sits at a Rust program, Alice and Carol at windows. */

import assert from "node:assert/strict";

import { Program } from "./harness/program.js";
import { story } from "./harness/stage.js";

/** @typedef {import("./harness/desktop.js").Desktop} Desktop */

/**
 * Bob's device: `crates/client/examples/by_hand.rs`, which takes a line for a request and says what happens.
 * @param {import("./harness/stage.js").Stage} stage
 */
async function bobInRust(stage) {
  const origin = stage.server?.origin ?? "";
  const answer = await fetch(`${origin}/dev/token?user=bob`, { headers: { origin } });
  const { token } = /** @type {{ token: string }} */ (await answer.json());
  const path = process.env.TEST_BY_HAND ?? "target/debug/examples/by_hand";
  const bob = stage.keep(new Program(path, [origin, "bob", token]));
  await bob.line(/state: Connected/);
  return bob;
}

// spec: S4, S9, S12, M5, D1, D4, M4
story("Bob misses Alice's window, and his click rings there", async (stage) => {
  await stage.serve();
  const alice = await stage.person("alice");
  const bob = await bobInRust(stage);
  await alice.call(["bob"], { video: true, seconds: 3 });
  await bob.line(/IncomingCallReceived .* name: "Alice" .*Video/);
  await bob.line(/IncomingCallTimeout .* name: "Alice"/);
  await bob.line(/MissedCallsChanged .* name: "Alice" .* count: 1 /);
  await bob.line(/^shown Missed Call: Alice Video Call$/);
  await alice.heard("onOutgoingCallTimeout", "Bob");
  bob.write("click");
  await alice.rings("Bob");
  await alice.accept();
  await alice.sees("bob");
  await bob.line(/OutgoingCallAccepted .* name: "Alice"/);
  await bob.line(/^withdrawn caller:alice$/);
  await bob.line(/MissedCallsChanged .* count: 0 /);
  const [sent, received] = [await alice.callID("onOutgoingCallSent"), await alice.callID("onIncomingCallReceived")];
  assert.equal(received, sent, "the call back is of the call that was missed");
  bob.write("leave");
  await alice.heard("onCallEnded", '"left"');
});

// spec: D5, M5, S10
story("Bob joins the group that two windows are in", async (stage) => {
  await stage.serve();
  const [alice, carol] = [await stage.person("alice"), await stage.person("carol")];
  const bob = await bobInRust(stage);
  await alice.call(["bob", "carol"], { seconds: 4 });
  await bob.line(/IncomingCallReceived .* name: "Alice"/);
  await carol.rings("Alice");
  await carol.accept();
  await alice.sees("carol");
  await alice.sees("bob", "timed_out");
  await bob.line(/^shown Missed Call: Alice Group Audio Call$/);
  bob.write("click");
  await alice.sees("bob");
  await carol.sees("bob");
  await bob.line(/MissedCallsChanged .* count: 0 /);
  assert.equal(await alice.times("onIncomingCallReceived"), 0, "joining rings at nobody's");
  await alice.hangUp();
  await carol.sees("alice", "left");
  await carol.hangUp();
  await bob.line(/InvitationUserStateChanged .*"Carol".* Left/);
});

// spec: S8, M1, M5, D1, D4
story("a window misses Bob, its notification calls back, and Bob answers or declines", async (stage) => {
  await stage.serve();
  const alice = await stage.person("alice");
  const bob = await bobInRust(stage);
  const desktop = /** @type {Desktop} */ (alice.desktop);
  bob.write("call alice");
  await alice.rings("Bob");
  await alice.silent();
  await alice.missed(1);
  await bob.line(/CallEnded .* TimedOut/);
  desktop.click(await desktop.shown({ title: "Missed Call", body: "Bob Audio Call" }), "Call back");
  await bob.line(/IncomingCallReceived .* name: "Alice"/);
  bob.write("accept");
  await alice.sees("bob");
  await alice.missed(0);
  await desktop.bare();
  await alice.hangUp();
  await bob.line(/CallEnded .* Left/);

  await alice.call(["bob"], { video: true });
  await bob.line(/IncomingCallReceived .*Video/);
  bob.write("decline");
  await alice.heard("onOutgoingCallDeclined", "Bob");
});
