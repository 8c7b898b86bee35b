/** Sound and picture by way of a real TURN server, with the credentials that the Ringback server makes. */

import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { caller, flows, press, stands } from "./harness/media.js";
import { story } from "./harness/stage.js";
import { Turn } from "./harness/turn.js";

/** @typedef {import("./harness/person.js").Person} Person */

const SECRET = "what-coturn-and-ringback-share";

/**
 * Starts coturn, and the server that names it.
 * @param {import("./harness/stage.js").Stage} stage
 * @param {string} [secret] that the server believes it shares
 */
async function relay(stage, secret = SECRET) {
  const folder = stage.place("turn");
  await mkdir(folder, { recursive: true });
  const turn = stage.keep(await Turn.start(folder, SECRET));
  const config = join(folder, "ringback.toml");
  await writeFile(config, `ice_servers = [${JSON.stringify(turn.url)}]\nturn_secret = ${JSON.stringify(secret)}\n`);
  await stage.serve(["--config", config]);
  return turn;
}

/**
 * Each candidate that came to somebody, by whichever way.
 * @param {Person} person
 * @returns {Promise<string[]>}
 */
async function candidates(person) {
  const heard = await person.page.locator('#log li[data-event="signal"]').allTextContents();
  return heard.flatMap((text) => JSON.parse(text)[2]);
}

// spec: R1
story("who hides their address is connected by the relay alone, and tells of nothing else", async (stage) => {
  await relay(stage);
  const profile = await stage.profile(undefined, { devices: "fake" });
  const bob = await caller(profile, "bob", { media: "relayOnly: true" });
  const alice = await caller(profile, "alice", { calls: ["bob"], media: "relayOnly: true" });
  await press(alice, "call");
  await Promise.all([flows(alice, ["bob"]), flows(bob, ["alice"])]);
  for (const person of [alice, bob]) {
    await person.shows('#media li[data-path="relay relay"]');
    const told = await candidates(person);
    assert.notEqual(told.length, 0);
    for (const one of told) assert.match(one, / typ relay raddr 0\.0\.0\.0 rport 0( |$)/);
  }
});

// spec: R1
story("of two, the one who hides their address is reached by the relay, and the other as they please", async (stage) => {
  await relay(stage);
  const profile = await stage.profile(undefined, { devices: "fake" });
  const bob = await caller(profile, "bob", { media: "relayOnly: true" });
  const alice = await caller(profile, "alice", { calls: ["bob"] });
  await press(alice, "call");
  await Promise.all([flows(alice, ["bob"]), flows(bob, ["alice"])]);
  await bob.shows('#media li[data-path^="relay "]');
  for (const one of await candidates(alice)) assert.match(one, / typ relay raddr 0\.0\.0\.0 rport 0( |$)/);
  assert.ok((await candidates(bob)).some((one) => / typ host( |$)/.test(one)));
});

// spec: R1
story("a relay that takes no credential of ours connects nobody who hides their address", async (stage) => {
  const turn = await relay(stage, "something-else");
  const profile = await stage.profile(undefined, { devices: "fake" });
  const bob = await caller(profile, "bob", { media: "relayOnly: true" });
  const alice = await caller(profile, "alice", { calls: ["bob"], media: "relayOnly: true" });
  await press(alice, "call");
  // Both asked, by a name and a password, and were sent away.
  for (const session of [1, 2]) await turn.program.line(new RegExp(`session 0*${session}: .* user <\\d+:.+>: .* error 401`));
  for (const person of [alice, bob]) {
    await person.shows('#media li[data-state="connecting"][data-path=""]');
    assert.deepEqual(await candidates(person), []);
  }
});

// spec: R1
story("where the server names no relay, who hides their address is told, and nothing is tried", async (stage) => {
  await stage.serve();
  const profile = await stage.profile(undefined, { devices: "fake" });
  const bob = await caller(profile, "bob", { media: "relayOnly: true" });
  const alice = await caller(profile, "alice", { calls: ["bob"] });
  await press(alice, "call");
  await stands(bob, "on", "no_relay");
  await bob.shows('#media li[data-user="alice"][data-state="failed"]');
  await bob.heard("signal"); // Alice tries
  assert.equal(await alice.times("signal"), 0);
});

// spec: R1
story("without leave to use the devices one still sees and hears the others", async (stage) => {
  // By the relay: a browser without that leave doesn't tell its own address.
  await relay(stage);
  const bob = await caller(await stage.profile(undefined, { devices: "refused" }), "bob");
  const alice = await caller(await stage.profile(undefined, { devices: "fake" }), "alice", { calls: ["bob"] });
  await press(alice, "call");
  await stands(bob, "on", "devices_denied");
  await flows(bob, ["alice"]);
  await alice.shows('#media li[data-user="bob"][data-state="connected"][data-camera="false"]');
});
