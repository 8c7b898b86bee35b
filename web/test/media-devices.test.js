// The microphone and the camera: who is muted stays so, and what is told of devices is true.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Devices } from "../media-devices.js";
import { browser, moment, Stream, Track } from "./media-browser.js";

const BOTH = { audio: true, video: true };
const SOUND = { audio: true, video: false };

/** @param {Partial<import("../media-devices.js").DeviceOptions>} [options] */
const devices = (options) => new Devices({ audio: {}, video: {}, standIn: () => null, changed: () => undefined, ...options });

// spec: R1
test("who mutes while they are asked for the microphone is muted when they allow it", async () => {
  const { devices: desk } = browser();
  const mine = devices();
  /** @type {(value?: unknown) => void} */
  let allow = () => undefined;
  const allowed = new Promise((resolve) => (allow = resolve));
  desk.answers = () => allowed;
  const opened = mine.open(SOUND);
  await moment();
  mine.microphone(false);
  allow();
  await opened;
  assert.equal(mine.track("audio")?.enabled, false);
  await mine.microphone(true);
  assert.equal(mine.track("audio")?.enabled, true);
});

// spec: R1
test("who is muted stays so when their microphone is unplugged and another takes its place", async () => {
  browser();
  const mine = devices();
  await mine.open(SOUND);
  const first = mine.track("audio");
  mine.microphone(false);
  first?.dispatchEvent(new Event("ended"));
  await mine.turn;
  assert.notEqual(mine.track("audio"), first);
  assert.deepEqual(mine.sends, { microphone: false, camera: false });
});

// spec: R1
test("who muted what stands in is muted when the microphone takes its place", async () => {
  const { devices: desk } = browser();
  desk.kinds = [];
  const mine = devices({ standIn: () => /** @type {any} */ (new Stream([new Track("audio")])) });
  await mine.open(SOUND);
  mine.microphone(false);
  desk.kinds = ["audio"];
  await mine.again();
  assert.equal(desk.live.length, 1);
  assert.equal(mine.sends.microphone, false);
});

test("a microphone that wasn't wanted at first is on once it is", async () => {
  browser();
  const mine = devices();
  await mine.open({ audio: false, video: false });
  await mine.microphone(true);
  assert.equal(mine.sends.microphone, true);
});

test("while the user is asked, no device is said to be lacking; nor is one that they are asked for next", async () => {
  const { devices: desk } = browser();
  const mine = devices();
  /** @type {unknown[]} */
  const told = [];
  const refusals = ["NotReadableError", "NotReadableError", ""];
  desk.answers = () => {
    told.push(mine.problem);
    const name = refusals.shift();
    if (name) throw Object.assign(new Error(), { name });
  };
  await mine.open(BOTH);
  assert.deepEqual(told.slice(0, 2), [null, null]);
  assert.deepEqual(mine.lacks, { audio: "busy", video: null });
});

test("what stands in and wasn't asked for is stopped", async () => {
  const { devices: desk } = browser();
  desk.kinds = ["audio"];
  const [sound, picture] = [new Track("audio"), new Track("video")];
  const mine = devices({ standIn: () => /** @type {any} */ (new Stream([sound, picture])) });
  await mine.open(BOTH);
  assert.deepEqual([sound.readyState, picture.readyState], ["ended", "live"]);
});
