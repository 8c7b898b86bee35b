/** Sound and picture, with `web/media.js` in real browsers: who sees and hears whom, and who doesn't. */

import assert from "node:assert/strict";

import { parameters } from "./harness/app.js";
import { caller, flows, mark, press, stands } from "./harness/media.js";
import { story } from "./harness/stage.js";

/** @typedef {import("./harness/person.js").Person} Person */

/**
 * Alice and Bob in a video call, each in a browser of their own.
 * @param {import("./harness/stage.js").Stage} stage
 * @param {{ alice?: import("./harness/browser.js").Devices, bob?: import("./harness/browser.js").Devices, init?: string, media?: string }} [how]
 */
async function pair(stage, { alice: hers = "fake", bob: his = "fake", init, media } = {}) {
  await stage.serve();
  const bob = await caller(await stage.profile(undefined, { devices: his }), "bob", { init, media });
  const alice = await caller(await stage.profile(undefined, { devices: hers }), "alice", { calls: ["bob"], init, media });
  await press(alice, "call");
  return { alice, bob };
}

// spec: R1
story("two windows see and hear each other; who hangs up stops both sides' devices", async (stage) => {
  const { alice, bob } = await pair(stage);
  await Promise.all([flows(alice, ["bob"]), flows(bob, ["alice"])]);
  await Promise.all([stands(alice, "on"), stands(bob, "on")]);
  for (const person of [alice, bob]) await person.shows('#media[data-devices="2"]');
  await press(bob, "camera");
  await alice.shows('#media li[data-user="bob"][data-camera="false"][data-picture="0"]');
  await bob.shows('#media[data-devices="1"]');
  await press(bob, "camera");
  await alice.shows('#media li[data-user="bob"][data-camera="true"][data-picture="1"]');
  await Promise.all([mark(alice), mark(bob)]);
  await Promise.all([flows(alice, ["bob"]), flows(bob, ["alice"])]);
  await press(bob, "leave");
  for (const person of [alice, bob]) {
    await stands(person, "idle");
    await person.page.locator('#media[data-devices="0"]:not(:has(li))').waitFor({ state: "attached" });
  }
});
