// One stay in one call: the ICE servers that it has, and gets again.

import assert from "node:assert/strict";
import { test } from "node:test";

import { MediaCall } from "../media-call.js";
import { browser, Connection, moment } from "./media-browser.js";

/**
 * @param {import("node:test").TestContext} t
 * @param {() => Promise<{iceServers: RTCIceServer[], expiresInMs?: number}>} iceServers
 */
function stay(t, iceServers) {
  browser();
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const service = Object.assign(new EventTarget(), {
    user: "alice", connectionState: "connected", calls: [], iceServers,
    signal: async () => undefined, details: () => Promise.reject(new Error()), leave: async () => undefined,
  });
  const made = new MediaCall({
    service, self: "alice", invitationID: "i", relayOnly: false, wanted: { audio: false, video: false },
    devices: { audio: {}, video: {}, standIn: () => null }, changed: () => undefined,
  });
  t.after(() => made.close());
  return made;
}

// spec: R1
test("an ICE server that this browser refuses keeps nobody from being connected", async (t) => {
  const warn = t.mock.method(console, "warn", () => undefined);
  const made = stay(t, async () => ({ iceServers: [{ urls: ["stun:", "stun:a.example"] }] }));
  Connection.check = ({ iceServers }) => {
    if (iceServers?.some(({ urls }) => urls.includes("stun:"))) throw new SyntaxError("no such address");
  };
  made.meet([{ user: { id: "bob", name: "" }, self: false, state: "accepted", turn: 1, entered: 2 }]);
  await moment();
  await moment();
  assert.deepEqual(made.links[0]?.pc?.getConfiguration().iceServers, [{ urls: ["stun:a.example"] }]);
  assert.equal(warn.mock.callCount(), 1);
});

test("who is refused new ICE servers asks again; who has hung up doesn't", async (t) => {
  /** @type {(() => Promise<{iceServers: RTCIceServer[], expiresInMs?: number}>)[]} */
  const answers = [
    async () => ({ iceServers: [], expiresInMs: 10_000 }),
    () => Promise.reject({ code: "internal" }),
    async () => ({ iceServers: [{ urls: "stun:a.example" }] }),
  ];
  const made = stay(t, () => answers.shift()?.() ?? Promise.reject(new Error("asked too often")));
  await moment();
  t.mock.timers.tick(8_000);
  await moment();
  assert.equal(answers.length, 1);
  t.mock.timers.tick(60_000);
  await moment();
  assert.deepEqual(made.iceServers, [{ urls: ["stun:a.example"] }]);

  let asked = 0;
  /** @type {(answer: {iceServers: RTCIceServer[], expiresInMs: number}) => void} */
  let answer = () => undefined;
  t.mock.timers.reset();
  const brief = stay(t, () => {
    asked += 1;
    return new Promise((resolve) => (answer = resolve));
  });
  brief.close();
  answer({ iceServers: [], expiresInMs: 1_000_000 });
  await moment();
  t.mock.timers.tick(1_000_000);
  assert.deepEqual([asked, brief.renewal], [1, undefined]);
});
