// What follows the service: which stay in a call it is for, who is in it, and how the user wants it.

import assert from "node:assert/strict";
import { test } from "node:test";

import { CallMedia } from "../media.js";
import { forget, keep, recall } from "../storage.js";
import { browser, moment } from "./media-browser.js";

/**
 * @param {string} id
 * @param {string} state
 * @param {number} entered
 */
const member = (id, state, entered, turn = 1) => ({ user: { id, name: id }, self: id === "alice", state, turn, entered });
const HERSELF = member("alice", "accepted", 1);
const BOB = member("bob", "accepted", 2);

/** @param {import("../media-rules.js").Member[]} participants @param {Partial<import("../media.js").MediaServiceCall>} [more] */
function call(participants, more) {
  const inCallCount = participants.filter((one) => one.state === "accepted").length;
  /** @type {import("../media.js").MediaServiceCall} */
  const made = { invitationID: "i", callType: "video", inCall: true, participants, participantsCount: participants.length, inCallCount };
  return { ...made, ...more };
}

/** Alice's service, as one tab has it; the test says how it stands. */
class Service extends EventTarget {
  user = "alice";
  connectionState = "connected";
  /** @type {import("../media.js").MediaServiceCall[]} */
  calls = [];
  /** What `details` has. @type {import("../media.js").MediaServiceCall | null} */
  fetched = null;
  signal = async () => undefined;
  iceServers = async () => ({ iceServers: [] });
  details = async () => this.fetched ?? Promise.reject(new Error("nothing to fetch"));
  leave = async () => undefined;
  /** @type {boolean | null} */
  enteredHere = null;

  /** @param {import("../media.js").MediaServiceCall[]} calls */
  async say(...calls) {
    this.calls = calls;
    this.dispatchEvent(new Event("change"));
    for (let at = 0; at < 5; at += 1) await moment();
  }

  /** @param {string} connectionState */
  async stands(connectionState) {
    this.connectionState = connectionState;
    await this.say(...this.calls);
  }
}

/**
 * A tab of Alice's.
 * @param {import("node:test").TestContext} t
 * @param {import("../media.js").MediaOptions} [options]
 */
function tab(t, options) {
  const service = new Service();
  const media = new CallMedia(service, options);
  t.after(() => media.close());
  return { service, media };
}

/** @param {CallMedia} media */
const peers = (media) => media.peers.map(({ user }) => user.id);

// spec: R1
test("who is muted, and whose camera is off, stays so in the tab that takes over, and in a page that is loaded again", async (t) => {
  const { devices } = browser();
  const first = tab(t);
  await first.service.say(call([HERSELF, BOB]));
  assert.deepEqual([first.media.microphone, first.media.camera], [true, true]);
  await first.media.setMicrophone(false);
  await first.media.setCamera(false);
  const second = tab(t);
  await second.service.say(call([HERSELF, BOB]));
  assert.equal(second.media.state, "elsewhere");
  first.media.close();
  await second.service.say(call([HERSELF, BOB]));
  assert.equal(second.media.state, "on");
  assert.deepEqual([second.media.microphone, second.media.camera, devices.live], [false, false, []]);
  await second.media.setMicrophone(true);
  assert.equal(second.media.microphone, true);
  // The next call is as the options have it.
  await second.service.say();
  await second.service.say(call([HERSELF, BOB], { invitationID: "next" }));
  assert.deepEqual([second.media.microphone, second.media.camera], [true, true]);
});

// spec: R1, L9
test("the tab that entered the call has sound and picture, whoever was first, and gives them up where they are moved", async (t) => {
  const { devices } = browser();
  const [first, second] = [tab(t), tab(t)];
  const states = () => [first.media.state, second.media.state];
  // The one that entered it hears of it last; the other one waits, and if it couldn't, gives way.
  for (const [id, waits] of /** @type {const} */ ([["i", true], ["j", false]])) {
    [first.service.enteredHere, second.service.enteredHere] = [waits ? false : null, true];
    await first.service.say(call([HERSELF, BOB], { invitationID: id }));
    assert.equal(first.media.state, waits ? "elsewhere" : "on");
    if (!waits) await first.media.setMicrophone(false);
    await second.service.say(call([HERSELF, BOB], { invitationID: id }));
    await first.service.say(...first.service.calls);
    assert.deepEqual(states(), ["elsewhere", "on"]);
    assert.equal(second.media.microphone, waits, "who is muted stays so");
    await Promise.all([first.service.say(), second.service.say()]);
    assert.deepEqual([states(), devices.live], [["idle", "idle"], []]);
  }
  for (const { service } of [first, second]) await service.say(call([HERSELF, BOB], { invitationID: "k" }));
  for (const { service } of [first, second]) await service.say(...service.calls);
  assert.deepEqual(states(), ["elsewhere", "on"]);
  first.media.takeHere();
  for (const { service } of [first, second, first]) await service.say(...service.calls);
  assert.deepEqual([states(), devices.live.length], [["on", "elsewhere"], 2]);
  // It stays where it was moved to, also when the token had expired.
  for (const { service } of [first, second]) await service.stands("unauthorized");
  for (const { service } of [first, second]) await service.stands("connected");
  assert.deepEqual(states(), ["on", "elsewhere"]);
  // Gone at once, before the other one asked for it: that one doesn't wait for ever.
  first.media.close();
  while (second.media.state !== "on") await new Promise((changed) => second.media.addEventListener("change", changed, { once: true }));
});

// spec: R1
test("what was said before a call holds in the tab that takes the call over, too", async (t) => {
  browser();
  const first = tab(t);
  await first.media.setMicrophone(false);
  await first.service.say(call([HERSELF, BOB]));
  first.media.close();
  const second = tab(t);
  await second.service.say(call([HERSELF, BOB]));
  assert.deepEqual([second.media.state, second.media.microphone, second.media.camera], ["on", false, true]);
});

// spec: R1, S15
test("who signs off leaves nothing behind of how they wanted it; what isn't ours counts for nothing", async (t) => {
  browser();
  const { service, media } = tab(t);
  await service.say(call([HERSELF, BOB]));
  await media.setMicrophone(false);
  assert.equal(recall("alice", "media").microphone, false);
  media.close();
  forget("alice");
  assert.equal(recall("alice", "media"), undefined);
  for (const strange of [7, null, { stay: "i 1" }, { stay: "i 1", microphone: "no", camera: 1 }]) {
    keep("alice", strange, "media");
    const next = tab(t);
    await next.service.say(call([HERSELF, BOB]));
    assert.deepEqual([next.media.microphone, next.media.camera], [true, true]);
    next.media.close();
    await moment();
  }
});

// spec: R1
test("without storage, who is muted in a call is so in that call, though they were out of its four; and not in the next", async (t) => {
  browser();
  Object.defineProperty(globalThis, "localStorage", { get: () => { throw new Error("forbidden"); }, configurable: true });
  t.after(() => Object.defineProperty(globalThis, "localStorage", { value: undefined, writable: true, configurable: true }));
  const { service, media } = tab(t);
  const late = member("alice", "accepted", 9);
  const four = ["b", "c", "d", "e"].map((id, at) => member(id, "accepted", at + 2));
  await service.say(call([late, ...four]));
  assert.equal(media.state, "full");
  await media.setMicrophone(false);
  await service.say(call([late, ...four.slice(1)]));
  assert.deepEqual([media.state, media.microphone, media.camera], ["on", false, true]);
  await service.say();
  await service.say(call([{ ...late, turn: 2 }, BOB]));
  assert.equal(media.microphone, true);
});

// spec: R1, S16
test("who left a call of many is out of it for good, though a view lists only the twenty who changed last", async (t) => {
  browser();
  const { service, media } = tab(t);
  const guests = Array.from({ length: 25 }, (_, at) => member(`guest-${at}`, "ringing", at + 10));
  const [bob, xaver, carol, dave] = ["bob", "xaver", "carol", "dave"].map((id, at) => member(id, "accepted", at + 2));
  const everyone = [HERSELF, bob, xaver, carol, dave, ...guests];
  const more = { participantsCount: everyone.length };
  service.fetched = call(everyone, more);
  await service.say(call([HERSELF, ...guests.slice(5)], { ...more, inCallCount: 5 }));
  assert.deepEqual(peers(media), ["bob", "xaver", "carol"]);
  await service.say(call([HERSELF, member("xaver", "left", 40), ...guests.slice(6)], { ...more, inCallCount: 4 }));
  assert.deepEqual(peers(media), ["bob", "carol", "dave"]);
  const out = guests.map(({ user: { id } }, at) => member(id, "timed_out", at + 50));
  await service.say(call([HERSELF, ...out.slice(5)], { ...more, inCallCount: 4 }));
  assert.deepEqual(peers(media), ["bob", "carol", "dave"]);
});

// spec: R1, S13
test("a device that is gone for the server sends nothing; back in the call, it does again", async (t) => {
  const { devices } = browser();
  const { service, media } = tab(t);
  for (const state of ["replaced", "unauthorized", "upgrade_required", "disconnected"]) {
    await service.say(call([HERSELF, BOB]));
    assert.deepEqual([media.state, devices.live.length], ["on", 2]);
    await service.stands(state);
    assert.deepEqual([media.state, devices.live], ["idle", []], state);
    await service.stands("connected");
  }
  assert.equal(media.state, "on");
  await service.stands("reconnecting");
  assert.deepEqual([media.state, devices.live.length], ["on", 2]);
});

// spec: R1
test("who hangs up while the server isn't to be reached is told, and doesn't come back with it", async (t) => {
  const { devices } = browser();
  const { service, media } = tab(t);
  await service.say(call([HERSELF, BOB]));
  await service.stands("unauthorized");
  service.leave = () => new Promise(() => undefined);
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const hungUp = media.hangUp();
  t.mock.timers.tick(10_000);
  await assert.rejects(hungUp, { name: "CallError", code: "unavailable" });
  t.mock.timers.reset();
  await service.stands("connected");
  assert.deepEqual([media.state, devices.live], ["idle", []]);
});

// spec: R1, L10
test("where two who call each other find that it is a voice call, the camera is closed, unless it is for every call", async (t) => {
  browser();
  for (const [camera, open] of /** @type {const} */ ([["video calls", false], [true, true]])) {
    const { service, media } = tab(t, { camera });
    await service.say(call([HERSELF, { ...BOB, state: "ringing" }], { invitationID: `${camera}` }));
    assert.equal(media.camera, true);
    await service.say(call([HERSELF, BOB], { invitationID: `${camera}`, callType: "voice" }));
    assert.deepEqual([media.microphone, media.camera], [true, open]);
    await media.setCamera(true);
    await service.say(call([HERSELF, BOB], { invitationID: `${camera}`, callType: "voice" }));
    assert.equal(media.camera, true, "who opens it in a voice call has it open");
    media.close();
    await moment();
  }
});

// spec: R1, L10
test("what the user says is about the call as it is, though the media have not heard of that yet", async (t) => {
  browser();
  const { service, media } = tab(t);
  await service.say(call([HERSELF, BOB]));
  service.calls = [call([HERSELF, BOB], { callType: "voice" })];
  await media.setMicrophone(false);
  assert.deepEqual([media.microphone, media.camera], [false, false]);
});

// spec: R1
test("who comes into a call again, or goes from one to the next, is neither told that it is full nor that it is elsewhere", async (t) => {
  browser();
  const { service, media } = tab(t);
  const states = new Set();
  media.addEventListener("change", () => states.add(media.state));
  await service.say(call([member("alice", "left", 5), BOB]));
  await service.say(call([member("alice", "accepted", 7, 2), BOB]));
  assert.equal(media.state, "on");
  await service.say(call([member("alice", "accepted", 9, 3), BOB]));
  assert.equal(media.state, "on");
  await service.say(call([HERSELF, BOB], { invitationID: "next" }));
  assert.equal(media.state, "on");
  assert.deepEqual(states, new Set(["starting", "on"]));
});
