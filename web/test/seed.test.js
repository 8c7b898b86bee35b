import assert from "node:assert/strict";
import { test } from "node:test";
import { examples, examplesOfThePage, toJavaScript } from "./seed.mjs";

test("the examples are the seed page's own", { skip: examplesOfThePage() === null && "the page isn't at hand" }, () => {
  assert.deepEqual(examples(), examplesOfThePage());
});

/** Runs an example with classes that only keep what they are given. */
function run(example) {
  const kept = (name) => class {
    constructor(given) {
      Object.assign(this, given, { made: name });
    }
  };
  const inits = [];
  class Service {
    init(given) {
      inits.push(given);
    }
  }
  const seen = [];
  new Function(
    "RingbackUIKitPrebuiltCallInvitationService", "RingbackCallInvitationConfig",
    "RingbackCallInvitationMissedCallConfig", "RingbackUIKitPrebuiltCallInvitationEvents", "base", "events", "seen",
    toJavaScript(example),
  )(
    Service, kept("config"), kept("missed"), kept("events"),
    { user: "bob" }, { onError: () => {} }, (...args) => seen.push(args),
  );
  assert.equal(inits.length, 1);
  return { given: inits[0], seen };
}

test("the first hides the notification and keeps all else", () => {
  const { given } = run(examples()[0]);
  assert.equal(given.user, "bob");
  assert.equal(given.config.made, "config");
  assert.equal(given.config.endCallWhenInitiatorLeave, true);
  assert.deepEqual({ ...given.config.missedCall }, { enabled: false, made: "missed" });
});

test("the second turns dialling back off", () => {
  const { given } = run(examples()[1]);
  assert.deepEqual({ ...given.config.missedCall }, { enableDialBack: false, made: "missed" });
});

test("the third gets every parameter by its position, and runs the default action", async () => {
  const { given, seen } = run(examples()[2]);
  const events = given.invitationEvents;
  assert.equal(events.made, "events");
  assert.equal(typeof events.onError, "function");
  let dialled = 0;
  events.onIncomingCallTimeout("c-1", "alice", "extra");
  const action = () => void dialled++;
  await events.onIncomingMissedCallClicked("c-1", "alice", "video", ["bob"], "data", action, "extra");
  events.onIncomingMissedCallDialBackFailed();
  assert.deepEqual(seen, [
    ["onIncomingCallTimeout", "c-1", "alice"],
    ["onIncomingMissedCallClicked", "c-1", "alice", "video", ["bob"], "data", action],
    ["onIncomingMissedCallDialBackFailed"],
  ]);
  assert.equal(dialled, 1);
});
