/** Sound and picture, with `web/media.js` in real browsers: who sees and hears whom, and who doesn't. */

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";

import { app } from "./harness/app.js";
import { caller, flows, mark, press, stands } from "./harness/media.js";
import { story } from "./harness/stage.js";
import { Wires } from "./harness/wires.js";

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

// spec: R1
story("the example of web/README.md is an app with sound and picture", async (stage) => {
  const page = await readFile("web/README.md", "utf8");
  const example = page.split("```").find((block) => block.includes("new CallMedia(service)")) ?? "";
  await stage.serve();
  const bob = await app(await stage.profile(undefined, { devices: "fake" }), "bob", `
    const add = (kind, id) => document.body.appendChild(Object.assign(document.createElement(kind), { id, autoplay: true }));
    const [mine, notice] = [add("video", "mine"), add("p", "notice")];
    const [mute, hangUp] = [add("button", "mute"), add("button", "hang")];
    const videoOf = (user) => document.getElementById(user) ?? add("video", user);
    mine.muted = true;
    mute.textContent = hangUp.textContent = "a button";
    for (const video of [mine, videoOf("alice")]) video.onresize = () => seen("pictures", video.id, video.videoWidth);
    const service = new CallInvitationService();
    const { CallMedia } = await import("/web/media.js");
    ${example.slice(example.indexOf("const media"))}
    events.onIncomingCallReceived = () => service.accept();
    service.init({ ...base, invitationEvents: events });
  `);
  const alice = await caller(await stage.profile(undefined, { devices: "fake" }), "alice", { calls: ["bob"] });
  await press(alice, "call");
  await flows(alice, ["bob"]);
  await bob.heard("pictures", '"mine"');
  await bob.heard("pictures", '"alice",160');
  await bob.page.locator("video#alice[title*=connected]").waitFor();
  await press(bob, "mute");
  await alice.shows('#media li[data-user="bob"][data-microphone="false"]');
  await press(bob, "hang");
  await stands(alice, "idle");
});

// spec: R1
story("four windows see and hear each other; the fifth is told, is in the call, and gets in when one leaves", async (stage) => {
  await stage.serve();
  // One browser, so that five pages fit on a small machine; each is a device of its own all the same.
  const profile = await stage.profile(undefined, { devices: "fake" });
  const rest = ["bob", "carol", "dave"];
  const people = [await caller(profile, "alice", { calls: [...rest, "erin"] })];
  for (const name of rest) people.push(await caller(profile, name));
  const [alice, bob] = people;
  const erin = await caller(profile, "erin", { accepts: false });
  await press(alice, "call");
  /** @param {Person[]} inside everyone sees and hears everyone else */
  const all = (inside) => Promise.all(inside.map((one) => (
    flows(one, inside.filter((other) => other !== one).map((other) => other.name))
  )));
  await all(people);
  await erin.heard("rings");
  await press(erin, "accept");
  await stands(erin, "full", "full");
  await erin.page.locator('#media[data-devices="0"]:not(:has(li))').waitFor({ state: "attached" });
  for (const person of people) await mark(person);
  await all(people);
  for (const person of people) {
    assert.equal(await person.page.locator("#media li").count(), 3, `${person.name} has three others`);
    assert.equal(await person.page.locator('#media li[data-mended="true"]').count(), 0, `${person.name}'s connections are the same`);
  }
  await press(bob, "leave");
  await stands(erin, "on");
  const [, , carol, dave] = people;
  for (const person of [alice, carol, dave]) await mark(person);
  await all([alice, carol, dave, erin]);
  assert.equal(await alice.page.locator('#media li[data-user="bob"]').count(), 0);
}, { seconds: 120 });

// spec: R1, S16
story("in a crowd, of whom a view lists twenty, everyone knows the same first four", async (stage) => {
  await stage.serve();
  const profile = await stage.profile(undefined, { devices: "fake" });
  const wires = await Wires.open(stage, profile);
  const crowd = Array.from({ length: 23 }, (_, at) => `guest-${at + 10}`);
  const guests = await Promise.all(crowd.map((name) => wires.connect(name)));
  const bob = await caller(profile, "bob");
  const erin = await caller(profile, "erin", { accepts: false });
  const alice = await caller(profile, "alice", { calls: ["bob", "erin", ...crowd] });
  await press(alice, "call");
  await Promise.all([flows(alice, ["bob"]), flows(bob, ["alice"])]);
  await Promise.all([mark(alice), mark(bob)]);
  for (const guest of guests) {
    const { invitation_id, own } = await guest.call();
    const { ok } = await guest.ask({ type: "accept", invitation_id, turn: own[0].no });
    assert.ok(ok);
  }
  await erin.heard("rings");
  await press(erin, "accept");
  await stands(erin, "full", "full");
  for (const [one, other] of [[alice, bob], [bob, alice]]) {
    await one.shows('#media li[data-user="guest-11"]');
    const others = one.page.locator("#media li");
    const known = await others.evaluateAll((items) => items.map((item) => /** @type {HTMLElement} */ (item).dataset.user));
    assert.deepEqual(known, [other.name, "guest-10", "guest-11"]);
  }
  await Promise.all([flows(alice, ["bob"]), flows(bob, ["alice"])]);
  assert.equal(await alice.page.locator('#media li[data-user="bob"][data-mended="true"]').count(), 0);
});

// spec: R1
story("an offer of who isn't in the call, or not on that device, reaches nobody", async (stage) => {
  await stage.serve();
  const profile = await stage.profile(undefined, { devices: "fake" });
  const wires = await Wires.open(stage, profile);
  const carol = await wires.connect("carol");
  const dave = await wires.connect("dave");
  const mallory = await wires.connect("mallory");
  const other = await wires.connect("alice", "alice-tablet");
  const bob = await caller(profile, "bob");
  const alice = await caller(profile, "alice", { calls: ["bob", "carol", "dave"] });
  await press(alice, "call");
  await Promise.all([flows(alice, ["bob"]), flows(bob, ["alice"])]);
  const { invitation_id, own } = await carol.call();
  // Dave was in it, and has left; Carol rings.
  await dave.call();
  const { ok } = await dave.ask({ type: "accept", invitation_id, turn: own[0].no });
  assert.ok(ok);
  await alice.shows('#media li[data-user="dave"]');
  await dave.ask({ type: "leave", invitation_id });
  await alice.page.locator("#media:not(:has([data-user=dave]))").waitFor({ state: "attached" });
  await carol.ask({ type: "ringing", invitation_id, turn: own[0].no });

  const data = { media: 1, session: "s", to: null, sends: { microphone: true, camera: true }, round: 1, description: { type: "offer", sdp: "v=0" } };
  const codes = [];
  for (const [name, one] of Object.entries({ mallory, carol, dave, other })) {
    const { error: ice } = await one.ask({ type: "ice_servers", invitation_id });
    codes.push([name, "", ice?.code]);
    for (const to of ["alice", "bob"]) {
      if (one === other && to === "alice") continue; // herself
      const { error } = await one.ask({ type: "signal", invitation_id, to, data });
      codes.push([name, to, error?.code]);
    }
  }
  assert.deepEqual(codes, [
    ["mallory", "", "not_found"], ["mallory", "alice", "not_found"], ["mallory", "bob", "not_found"],
    ["carol", "", "forbidden"], ["carol", "alice", "forbidden"], ["carol", "bob", "forbidden"],
    ["dave", "", "forbidden"], ["dave", "alice", "forbidden"], ["dave", "bob", "forbidden"],
    ["other", "", "forbidden"], ["other", "bob", "forbidden"],
  ]);
  // What is said after it comes, so what was said before would have come, too.
  for (const [one, another] of [[alice, bob], [bob, alice]]) {
    const before = await another.times("signal");
    await press(one, "microphone");
    await another.page.locator('#log li[data-event="signal"]').nth(before).waitFor({ state: "attached" });
    const heard = await another.page.locator('#log li[data-event="signal"]').allTextContents();
    assert.deepEqual(new Set(heard.map((text) => JSON.parse(text)[0])), new Set([one.name]));
  }
  for (const one of [mallory, carol, other]) assert.equal(await one.signals(), 0);
});

// spec: R1, L9
story("the server is killed and starts again: sound and picture go on, and both sides find the path anew", async (stage) => {
  const { alice, bob } = await pair(stage);
  await Promise.all([flows(alice, ["bob"]), flows(bob, ["alice"])]);
  await Promise.all([mark(alice), mark(bob)]);
  await stage.server?.restart("SIGKILL");
  await Promise.all([alice.shows('#media li[data-mended="true"]'), bob.shows('#media li[data-mended="true"]')]);
  await alice.page.locator('#log li[data-event="signal"]', { hasText: '"answer"' }).nth(1).waitFor({ state: "attached" });
  await Promise.all([mark(alice), mark(bob)]);
  await Promise.all([flows(alice, ["bob"]), flows(bob, ["alice"])]);
});

// spec: R1, L9
story("a page that is loaded again in a call gets sound and picture back", async (stage) => {
  const { alice, bob } = await pair(stage, { init: "takeUpCall: true" });
  for (const [one, other] of [[alice, bob], [bob, alice]]) {
    await Promise.all([flows(alice, ["bob"]), flows(bob, ["alice"])]);
    await mark(other);
    await one.page.reload();
    await other.shows('#media li[data-mended="true"]');
  }
  await Promise.all([flows(alice, ["bob"]), flows(bob, ["alice"])]);
});

// spec: R1
story("without devices both are connected, and are told; what stands in is seen", async (stage) => {
  const { alice, bob } = await pair(stage, { bob: "none" });
  await stands(bob, "on", "no_devices");
  await flows(bob, ["alice"]);
  await alice.shows('#media li[data-user="bob"][data-state="connected"][data-camera="false"]');
  await press(bob, "leave");
  await stands(alice, "idle");
  const media = `standIn: ({ audio, video }) => {
    const context = new AudioContext();
    const tone = new OscillatorNode(context);
    const sound = context.createMediaStreamDestination();
    tone.connect(sound);
    tone.start();
    const canvas = document.createElement("canvas");
    const pen = canvas.getContext("2d");
    setInterval(() => { pen.fillStyle = "hsl(" + performance.now() % 360 + " 50% 50%)"; pen.fillRect(0, 0, 160, 120); }, 100);
    return new MediaStream([...(audio ? sound.stream.getTracks() : []), ...(video ? canvas.captureStream(10).getTracks() : [])]);
  }`;
  const carol = await caller(bob.profile, "carol", { calls: ["alice"], media });
  await press(carol, "call");
  await Promise.all([flows(alice, ["carol"]), flows(carol, ["alice"])]);
  await stands(carol, "on", "no_devices");
});

// spec: R1
story("who hasn't said yet whether the devices may be used sees the others meanwhile; one that is unplugged is replaced", async (stage) => {
  await stage.serve();
  const profile = await stage.profile(undefined, { devices: "fake" });
  const bob = await caller(profile, "bob", { before: `
    const ask = navigator.mediaDevices.getUserMedia;
    const allowed = new Promise((allow) => press("allow", allow));
    navigator.mediaDevices.getUserMedia = async (devices) => {
      await allowed;
      return ask(devices);
    };
    // What the browser does to the track of a camera that is pulled out.
    press("unplug", () => {
      const [picture] = media.local.getVideoTracks();
      picture.stop();
      picture.dispatchEvent(new Event("ended"));
    });
  ` });
  const alice = await caller(profile, "alice", { calls: ["bob"] });
  await press(alice, "call");
  await flows(bob, ["alice"]);
  await stands(bob, "starting");
  await alice.shows('#media li[data-user="bob"][data-state="connected"][data-camera="false"][data-microphone="false"]');
  await press(bob, "allow");
  await stands(bob, "on");
  await flows(alice, ["bob"]);
  await press(bob, "unplug");
  await mark(alice);
  await flows(alice, ["bob"]);
  await stands(bob, "on");
  await bob.shows('#media[data-devices="2"]');
});

// spec: R1
story("signals that are lost are made up for: of each side the first of every kind is", async (stage) => {
  await stage.serve();
  const before = `
    const send = service.signal.bind(service);
    const lost = new Set();
    service.signal = async (signal) => {
      const { description, candidates } = signal.data;
      const kind = description?.type ?? (candidates ? "candidates" : "greeting");
      if (lost.has(kind)) return send(signal);
      lost.add(kind);
      seen("lost", kind);
    };
  `;
  const profile = await stage.profile(undefined, { devices: "fake" });
  const bob = await caller(profile, "bob", { before });
  const alice = await caller(profile, "alice", { calls: ["bob"], before });
  await press(alice, "call");
  await Promise.all([flows(alice, ["bob"]), flows(bob, ["alice"])]);
  await Promise.all([alice.heard("lost", "greeting"), bob.heard("lost", "greeting")]);
  await Promise.all([alice.heard("lost", "offer"), bob.heard("lost", "answer")]);
});

// spec: R1
story("who doesn't answer is given up, tried again when asked to, and connected once they are there", async (stage) => {
  await stage.serve();
  const profile = await stage.profile(undefined, { devices: "fake" });
  // Bob answers the call, and has no media in it until he loads the page again.
  const bob = await caller(profile, "bob", { init: "takeUpCall: true", before: `
    if (performance.getEntriesByType("navigation")[0].type !== "reload") {
      events.onIncomingCallReceived = () => service.accept();
      await service.init({ ...base, invitationEvents: events });
      throw new Error("no media");
    }
  ` });
  // The tries take about a minute; for Alice time flies.
  const alice = await caller(profile, "alice", { calls: ["bob"], before: `
    const wait = globalThis.setTimeout;
    globalThis.setTimeout = (work, ms) => wait(work, ms / 10);
  ` });
  await press(alice, "call");
  await alice.shows('#media li[data-user="bob"][data-state="failed"]');
  await press(alice, "retry");
  await alice.shows('#media li[data-user="bob"][data-state="connecting"]');
  await alice.shows('#media li[data-user="bob"][data-state="failed"]');
  await bob.page.reload();
  await Promise.all([flows(alice, ["bob"]), flows(bob, ["alice"])]);
});

// spec: R1, L9
story("of two tabs one has sound and picture; when it goes, the other takes them over", async (stage) => {
  const { alice, bob } = await pair(stage);
  await Promise.all([flows(alice, ["bob"]), flows(bob, ["alice"])]);
  const second = await caller(bob.profile, "bob");
  await stands(second, "elsewhere");
  await mark(alice);
  await bob.close();
  await stands(second, "on");
  await alice.shows('#media li[data-mended="true"]');
  await Promise.all([flows(alice, ["bob"]), flows(second, ["alice"])]);
});

// spec: R1, L9
story("the tab in which the user answers or calls has sound and picture, until they are moved to another one", async (stage) => {
  await stage.serve();
  const profile = await stage.profile(undefined, { devices: "fake" });
  const alice = await caller(profile, "alice", { calls: ["bob"] });
  // The first one leads, so it is the first to hear that there is a call.
  const first = await caller(profile, "bob", { accepts: false, calls: ["alice"] });
  const second = await caller(profile, "bob", { accepts: false, calls: ["alice"] });
  /** @param {Person} here @param {Person} there */
  const has = async (here, there) => {
    await Promise.all([stands(here, "on"), stands(there, "elsewhere")]);
    await there.page.locator('#media[data-devices="0"]').waitFor({ state: "attached" });
    await Promise.all([flows(here, ["alice"]), flows(alice, ["bob"])]);
  };
  await press(alice, "call");
  await second.page.locator('#media[data-rings="true"]').waitFor({ state: "attached" });
  await press(second, "accept");
  await has(second, first);
  await press(alice, "leave");
  await Promise.all([alice, first, second].map((person) => stands(person, "idle")));
  await press(second, "call");
  await has(second, first);
  await mark(alice);
  await press(first, "here");
  await alice.shows('#media li[data-mended="true"]');
  await has(first, second);
  await first.close();
  await stands(second, "on");
});

/**
 * Sees to it that Bob, who is connected anew, sends neither sound nor picture until he says so.
 * @param {Person} alice
 * @param {Person} bob
 */
async function staysMuted(alice, bob) {
  await stands(bob, "on");
  await alice.shows('#media li[data-user="bob"][data-state="connected"][data-mended="true"][data-microphone="false"][data-camera="false"]');
  await bob.page.locator('#media[data-devices="0"]').waitFor({ state: "attached" });
  await flows(bob, ["alice"]);
  await press(bob, "camera");
  // Two seconds of pictures come, and not a sound.
  await alice.page.waitForFunction(() => Number(document.querySelector("#media li")?.getAttribute("data-frames")) >= 20);
  assert.equal(await alice.page.locator("#media li").getAttribute("data-energy"), "0");
  await press(bob, "microphone");
  await flows(alice, ["bob"]);
}

// spec: R1, L9
story("who is muted and has closed the camera stays so in the tab that takes over", async (stage) => {
  const { alice, bob } = await pair(stage);
  await Promise.all([flows(alice, ["bob"]), flows(bob, ["alice"])]);
  await press(bob, "microphone");
  await press(bob, "camera");
  const second = await caller(bob.profile, "bob");
  await stands(second, "elsewhere");
  await mark(alice);
  await bob.close();
  await staysMuted(alice, second);
});

// spec: R1, L9
story("who is muted and has closed the camera stays so when the page is loaded again", async (stage) => {
  const { alice, bob } = await pair(stage, { init: "takeUpCall: true" });
  await Promise.all([flows(alice, ["bob"]), flows(bob, ["alice"])]);
  await press(bob, "microphone");
  await press(bob, "camera");
  await mark(alice);
  await bob.page.reload();
  await staysMuted(alice, bob);
});

// spec: R1, L9
story("sound and picture stay in the tab that is loaded again, and don't go to one that nobody looks at", async (stage) => {
  const { alice, bob } = await pair(stage);
  await Promise.all([flows(alice, ["bob"]), flows(bob, ["alice"])]);
  const second = await caller(bob.profile, "bob");
  await stands(second, "elsewhere");
  await second.background();
  await mark(alice);
  await bob.page.reload();
  await stands(bob, "on");
  await alice.shows('#media li[data-user="bob"][data-state="connected"][data-mended="true"]');
  await Promise.all([flows(alice, ["bob"]), flows(bob, ["alice"])]);
  await stands(second, "elsewhere");
});

// spec: R1, L10
story("who calls by video, and is called by voice at once, is in a voice call: the camera is closed, and may be opened", async (stage) => {
  await stage.serve();
  const profile = await stage.profile(undefined, { devices: "fake" });
  const bob = await caller(profile, "bob", { accepts: false, before: 'press("voice", () => service.send({ invitees: ["alice"] }));' });
  const alice = await caller(profile, "alice", { calls: ["bob"] });
  await press(alice, "call");
  const devices = (/** @type {number} */ count) => alice.page.locator(`#media[data-devices="${count}"]`).waitFor({ state: "attached" });
  await devices(2);
  await bob.heard("rings");
  await press(bob, "voice");
  await bob.shows('#media li[data-user="alice"][data-state="connected"][data-microphone="true"][data-camera="false"][data-picture="0"]');
  await devices(1);
  await press(alice, "camera");
  await bob.shows('#media li[data-user="alice"][data-camera="true"][data-picture="1"]');
});
