/** What an app of one's own can rely on, in a real browser. */

import assert from "node:assert/strict";

import { app, parameters } from "./harness/app.js";
import { story } from "./harness/stage.js";

/** @typedef {import("./harness/desktop.js").Desktop} Desktop */

// spec: C5, C6, C12, M5
story("the app's own texts, which are told what they are for", async (stage) => {
  await stage.serve();
  const alice = await stage.person("alice");
  const bob = await app(await stage.profile(), "bob", `
    const text = (what) => (context) => { seen(what, context); return what === "title" ? "You missed one" : undefined; };
    new CallInvitationService().init({ ...base, invitationEvents: events,
      config: { missedCall: { notificationTitle: text("title"), notificationMessage: text("message") } } });
  `);
  await alice.call(["bob"], { seconds: 2 });
  const note = await /** @type {Desktop} */ (bob.desktop).shown({ title: "You missed one" });
  assert.equal(note.body, "Alice Audio Call", "nothing returned is the default");
  for (const what of ["title", "message"]) {
    const [{ kind, missedCall, count }] = await parameters(bob, what);
    assert.deepEqual([kind, count, missedCall.caller], ["missed_call", 1, { id: "alice", name: "Alice" }]);
  }
});

// spec: M8
story("without the permission to notify the event and the list still come, and the app is told once", async (stage) => {
  await stage.serve();
  const alice = await stage.person("alice");
  const profile = await stage.profile();
  await profile.context.grantPermissions(["geolocation"]); // and none else
  const bob = await profile.person("bob");
  for (const count of [1, 2]) {
    await alice.call(["bob"], { seconds: 2 });
    await bob.missed(count);
  }
  await bob.heard("onIncomingCallTimeout");
  await bob.heard("onError", "notifications_denied");
  assert.equal(await bob.times("onError"), 1);
  assert.deepEqual(/** @type {Desktop} */ (bob.desktop).notifications, []);
});

// spec: D1, M4
story("an app that doesn't run the default action: the click handles the call, and nobody is dialled", async (stage) => {
  await stage.serve();
  const alice = await stage.person("alice");
  const bob = await app(await stage.profile(), "bob", `
    events.onIncomingMissedCallClicked = (...parameters) => seen("onIncomingMissedCallClicked", ...parameters);
    new CallInvitationService().init({ ...base, invitationEvents: events });
  `);
  const desktop = /** @type {Desktop} */ (bob.desktop);
  await alice.call(["bob"], { seconds: 2 });
  desktop.click(await desktop.shown({ title: "Missed Call" }), "Call back");
  await bob.heard("onIncomingMissedCallClicked", "a function");
  await bob.missed(0);
  await desktop.bare();
  // A whole second call later, Alice's has not rung.
  await alice.call(["bob"], { seconds: 2 });
  await bob.missed(1);
  assert.equal(await alice.times("onIncomingCallReceived"), 0);
});

// spec: S15
story("uninit signs off in all tabs, and withdraws what shows", async (stage) => {
  await stage.serve();
  const alice = await stage.person("alice");
  const profile = await stage.profile();
  const first = await app(profile, "bob", `
    const service = new CallInvitationService();
    service.init({ ...base, invitationEvents: events });
    press("sign-off", () => service.uninit().then(() => seen("signed off")));
  `);
  const second = await profile.person("bob");
  const desktop = /** @type {Desktop} */ (profile.desktop);
  await alice.call(["bob"], { seconds: 2 });
  await desktop.shown({ title: "Missed Call" });
  await second.page.locator("#sign-off").click();
  await second.heard("signed off");
  await Promise.all([first, second].map((tab) => tab.shows("#connection", /^disconnected$/)));
  await desktop.bare();
});

// spec: C13
story("a wrong parameter is refused by its name", async (stage) => {
  await stage.serve();
  const bob = await app(await stage.profile(), "bob", `
    const service = new CallInvitationService();
    const wrong = { ...base, config: { missedCall: { timeoutSeconds: 0 } } };
    service.init(wrong).catch((error) => seen("refused", error.parameter, error.message));
    service.init({ ...base, invitationEvents: events });
  `);
  const [parameter, message] = await parameters(bob, "refused");
  assert.equal(parameter, "config.missedCall.timeoutSeconds");
  assert.match(message, /^config\.missedCall\.timeoutSeconds must be /);
});

// spec: N3, S13
story("a connection that is dead is noticed within 30 s, in a tab in the background too", async (stage) => {
  const server = await stage.serve();
  const bob = await stage.person("bob");
  await (await bob.profile.context.newPage()).bringToFront();
  const began = Date.now();
  server.program?.child.kill("SIGSTOP");
  try {
    await bob.shows("#connection", /^reconnecting$/);
    assert.ok(Date.now() - began < 30_000, `it took ${Date.now() - began} ms`);
  } finally {
    server.program?.child.kill("SIGCONT");
  }
  await bob.connected();
});

// spec: R1, C9
story("what a peer's media says comes to every tab, and what is asked in one is answered there", async (stage) => {
  await stage.serve();
  const script = `
    const service = new CallInvitationService();
    service.addEventListener("signal", ({ detail }) => seen("signal", detail.from.user, detail.from.device, detail.data));
    const press_ = (name, work) => press(name, () => work().catch((error) => seen("refused", error.code, error.field)));
    press_("signal", () => service.signal({ to: "alice", data: { description: { sdp: "v=0" }, none: null } }));
    press_("signal-carol", () => service.signal({ to: "carol", data: {} }));
    press_("ice", () => service.iceServers().then(({ iceServers }) => seen("ice", iceServers)));
    press_("accept", () => service.accept().then(() => seen("in")));
    events.onIncomingCallReceived = () => seen("rings");
    service.init({ ...base, invitationEvents: events });
  `;
  const [alices, bobs] = [await stage.profile(), await stage.profile()];
  const [alice, other] = [await app(alices, "alice", script + `
    press_("ring-bob", () => service.send({ invitees: ["bob"] }));
  `), await alices.person("alice")];
  const bob = await app(bobs, "bob", script);
  await alice.page.locator("#ring-bob").click();
  await bob.heard("rings");
  await bob.page.locator("#accept").click();
  await bob.heard("in");
  await bob.page.locator("#signal").click();
  for (const tab of [alice, other]) {
    const [user, device, data] = await parameters(tab, "signal");
    assert.deepEqual([user, data], ["bob", { description: { sdp: "v=0" }, none: null }]);
    assert.ok(device.length > 8);
  }
  await bob.page.locator("#signal-carol").click();
  assert.deepEqual(await parameters(bob, "refused"), ["not_found", "to"]);
  await other.page.locator("#ice").click();
  assert.deepEqual(await parameters(other, "ice"), [[]]);
});

// spec: L13
story("who is blocked, and until when nobody disturbs, is known in every tab and after a reload", async (stage) => {
  await stage.serve();
  const script = `
    const service = new CallInvitationService();
    service.addEventListener("change", () => {
      const quiet = service.doNotDisturb;
      const standing = JSON.stringify([service.blocked, quiet && quiet.letThrough]);
      if (standing !== globalThis.stood) seen("stands", ...JSON.parse(globalThis.stood = standing));
    });
    press("set", async () => {
      await service.block("eve");
      await service.setDoNotDisturb(Date.now() + 60_000, ["carol"]);
    });
    service.init({ ...base, invitationEvents: events });
  `;
  const profile = await stage.profile();
  const [first, second] = [await app(profile, "bob", script), await profile.person("bob")];
  await second.page.locator("#set").click();
  for (const tab of [first, second]) await tab.heard("stands", '[["eve"],["carol"]]');
  await first.close();
  await second.page.reload();
  await second.heard("stands", '[["eve"],["carol"]]');
});

// spec: S7, L5
story("a call that was just made is in the list, and can be called off at once", async (stage) => {
  await stage.serve();
  const bob = await stage.person("bob");
  const alice = await app(await stage.profile(), "alice", `
    const service = new CallInvitationService();
    press("ring-bob", async () => {
      const { invitationID } = await service.send({ invitees: ["bob"] });
      seen("made", service.calls.some((call) => call.invitationID === invitationID));
      await service.cancel().then(() => seen("called off"), (error) => seen("refused", error.message));
    });
    service.init({ ...base, invitationEvents: events });
  `);
  await alice.page.locator("#ring-bob").click();
  assert.deepEqual(await parameters(alice, "made"), [true]);
  await alice.heard("called off");
  await bob.missed(1);
});

/**
 * An app with a button for each thing, whose page says how its newest call stands for it: `here`, `elsewhere`, `rings` or `none`, and
 * how many are in it.
 * @param {import("./harness/browser.js").Profile} profile
 * @param {string} user
 */
async function buttons(profile, user) {
  return app(profile, user, `
    const service = new CallInvitationService();
    service.addEventListener("change", () => {
      const call = service.calls.at(-1);
      const how = call?.inCall ? "here" : call?.elsewhere ? "elsewhere" : call?.ringing ? "rings" : "none";
      document.body.dataset.call = how + " " + (call?.inCallCount ?? 0);
    });
    const does = (name, work) => press(name, () => work().then(() => seen("done", name), (error) => seen("refused", name, error.code)));
    does("call-one", () => service.send({ invitees: ["bob"] }));
    does("call-both", () => service.send({ invitees: ["bob", "carol"] }));
    for (const name of ["accept", "leave", "end", "cancel"]) does(name, () => service[name]());
    events.onCallEnded = (callID, reason) => seen("ended", reason);
    service.init({ ...base, invitationEvents: events });
  `);
}

// spec: S11, L5, L9, N2
story("who leaves, ends or cancels while the server is away is out of the call at once, and it is no error that it is over when it is back", async (stage) => {
  const server = await stage.serve();
  const profile = await stage.profile();
  const [alice, bob, carol] = [await buttons(profile, "alice"), await buttons(profile, "bob"), await buttons(profile, "carol")];
  const click = (/** @type {import("./harness/person.js").Person} */ person, /** @type {string} */ button) => person.page.locator(`body > #${button}`).click();
  const stands = (/** @type {import("./harness/person.js").Person} */ person, /** @type {string} */ how) => person.shows(`body[data-call^="${how}"]`);
  for (const [dials, others, asks] of /** @type {const} */ ([["call-one", [bob], "leave"], ["call-both", [bob, carol], "end"], ["call-one", [bob], "cancel"]])) {
    await click(alice, dials);
    for (const other of others) {
      await stands(other, "rings");
      if (asks !== "cancel") await click(other, "accept");
    }
    await stands(alice, `here ${asks === "cancel" ? 1 : others.length + 1}`);
    await server.program?.stop("SIGKILL");
    await click(alice, asks);
    await stands(alice, "none");
    // One who isn't there for the server any more when he says that he leaves.
    if (asks === "end") await click(bob, "leave");
    await server.listen(new URL(server.origin).host);
    await alice.heard("done", asks);
    for (const other of others) await stands(other, "none");
  }
  await Promise.all([bob.heard("ended", "left"), bob.heard("done", "leave"), carol.heard("ended")]);
  for (const person of [alice, bob, carol]) assert.equal(await person.times("refused"), 0);
  assert.equal(await alice.times("ended"), 2, "who leaves isn't told that it ended");
});
