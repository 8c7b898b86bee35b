// The wire's vectors, which the Rust side runs too: the machine sends the client's frames and understands the server's.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { DeviceSession } from "../device.js";

/** @typedef {{name: string, frame: any}} Vector */

/** @param {string} name @returns {Vector[]} */
function vectors(name) {
  const file = new URL(`../../crates/protocol/vectors/${name}.json`, import.meta.url);
  return JSON.parse(readFileSync(file, "utf8")).vectors;
}

const reasons = ["no_answer", "cancelled", "busy", "do_not_disturb", "unreachable"];
const missedCall = { enabled: true, enable_dial_back: true, resource_id: null, timeout_ms: 30_000, reasons };

/** A device of Bob's, connected. */
function connected() {
  const session = new DeviceSession({ user: "bob", device: "d-1", seed: "s" });
  session.input(0, { type: "init", config: { missed_call: missedCall, clicked: false } });
  session.input(0, { type: "opened" });
  const user = { id: "bob", name: "Bob" };
  const welcome = { type: "welcome", protocol: 1, user, device_id: "d-1", ping_ms: 10_000, token_expires_in_ms: 3_600_000 };
  for (const frame of [welcome, { type: "synced" }]) session.input(0, { type: "frame", frame });
  return session;
}

/** What an app asks for so that a frame is sent. @param {any} frame */
function askFor({ id, ...ask }) {
  if (ask.type !== "dial_back") return ask;
  const { invitation_id, turn, title } = ask;
  const caller = { id: "alice", name: "Alice" };
  const missed = { invitation_id, turn, call_id: "c-1", caller, call_type: "voice", group: false };
  return { type: "dial_back", missed, title };
}

/** Sent by the machine itself, never asked of it; a hello is completed by the connection. */
const ITS_OWN = ["hello", "ping", "ringing", "click", "fetch"];

for (const { name, frame } of vectors("client")) {
  // "cancel everyone" names the revision that the machine has seen, and "in capitals" is what no machine sends.
  if (ITS_OWN.includes(frame.type) || frame.seen != null || name.includes("capitals")) continue;
  test(`sends: ${name}`, () => {
    const outputs = connected().input(1, { type: "act", id: frame.id, ask: askFor(frame) });
    const sent = outputs.filter((o) => o.type === "send").map((o) => o.frame);
    assert.deepEqual(sent, [frame]);
  });
}

for (const { name, frame } of vectors("server")) {
  test(`understands: ${name}`, () => {
    const session = connected();
    // The request that a reply answers: one whose answer goes to the app as it is.
    session.input(1, { type: "act", id: "r-1", ask: { type: "missed_calls", offset: 0 } });
    const outputs = session.input(2, { type: "frame", frame });
    if (frame.type === "call" && frame.custom_data != null) {
      assert.equal(session.call(frame.invitation_id)?.revision, frame.revision);
    } else if (frame.type === "call") {
      assert.ok(outputs.some((o) => o.type === "send" && o.frame.type === "fetch"), "what is left out is fetched (N1)");
    } else if (frame.type === "missed") {
      assert.equal(session.missed()?.total, frame.total);
    } else if (frame.type === "reply") {
      const { type, ...answer } = frame;
      assert.deepEqual(outputs.filter((o) => o.type === "reply"), [{ type: "reply", ...answer }]);
    } else if (frame.type === "bye") {
      const closed = session.input(3, { type: "closed" });
      const states = [...outputs, ...closed].filter((o) => o.name === "onConnectionStateChanged").map((o) => o.args[0]);
      const final = ["replaced", "unauthorized", "upgrade_required"].includes(frame.code);
      assert.deepEqual(states, [final ? frame.code : "disconnected"]);
    }
  });
}
