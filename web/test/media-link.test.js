// The connection to one of the others, where nobody is: how often it is made, and what it tells.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Link } from "../media-link.js";
import { MOST_CANDIDATES } from "../media-rules.js";
import { browser, Connection, moment, Stream } from "./media-browser.js";

/** @param {import("node:test").TestContext} t @param {Partial<import("../media-link.js").LinkHost>} [host] */
function link(t, host) {
  const made = new Link({
    self: "alice", relayOnly: false, configuration: () => ({}), track: () => null, sends: () => ({ microphone: true, camera: true }),
    signal: async () => undefined, online: () => true, changed: () => undefined, ...host,
  }, "bob", /** @type {any} */ (new Stream()));
  t.after(() => made.close());
  return made;
}

/** @param {string} session @param {string | null} [to] */
const greeting = (session, to = null) => ({ session, to, sends: { microphone: true, camera: true } });

// spec: R1
test("who says again and again that they are somebody new doesn't keep this device making connections", async (t) => {
  browser();
  let now = 1_000;
  t.mock.method(performance, "now", () => now);
  const hers = link(t);
  for (let at = 0; at < 200; at += 1) {
    hers.hear(greeting(`session ${at}`));
    now += 5;
  }
  assert.ok(Connection.made.length <= 5, `${Connection.made.length} connections in a second`);
  now += 250;
  const before = Connection.made.length;
  hers.hear(greeting("the last"));
  assert.deepEqual([Connection.made.length, hers.handshake.theirs], [before + 1, "the last"]);
});

test("where the browser makes no connection, it is tried again", async (t) => {
  browser();
  t.mock.method(console, "warn", () => undefined);
  t.mock.timers.enable({ apis: ["setTimeout"] });
  Connection.check = () => {
    throw new Error("too many");
  };
  const hers = link(t);
  assert.equal(hers.pc, undefined);
  Connection.check = () => undefined;
  for (let at = 0; at < 20 && !hers.pc; at += 1) {
    t.mock.timers.tick(1_000);
    await moment();
  }
  hers.hear(greeting("theirs", hers.handshake.mine));
  await moment();
  assert.equal(hers.pc?.signalingState, "have-local-offer");
});

// spec: R1
test("a relay's candidates are told, though they come after many", async (t) => {
  browser();
  t.mock.timers.enable({ apis: ["setTimeout"] });
  /** @type {string[]} */
  const told = [];
  const hers = link(t, {
    signal: async (_, data) => {
      for (const { candidate } of /** @type {any} */ (data).candidates ?? []) told.push(candidate);
    },
  });
  hers.hear(greeting("theirs", hers.handshake.mine));
  await moment();
  const gather = (/** @type {string} */ candidate) => {
    hers.pc?.dispatchEvent(Object.assign(new Event("icecandidate"), { candidate: { candidate, sdpMid: "0", sdpMLineIndex: 0 } }));
  };
  const hosts = Array.from({ length: MOST_CANDIDATES + 8 }, (_, at) => `candidate:${at} 1 udp 1 192.0.2.1 9 typ host`);
  for (const one of hosts) gather(one);
  t.mock.timers.tick(100);
  await moment();
  assert.deepEqual(told, hosts.slice(0, MOST_CANDIDATES));
  const relays = [1, 2].map((at) => `candidate:${at} 1 udp 1 192.0.2.9 9 typ relay raddr 0.0.0.0 rport 0`);
  for (const one of relays) gather(one);
  t.mock.timers.tick(100);
  await moment();
  assert.deepEqual(told.slice(MOST_CANDIDATES), relays);
  assert.equal(hers.candidates.length, MOST_CANDIDATES);
});
