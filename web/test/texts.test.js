import assert from "node:assert/strict";
import { test } from "node:test";

import { texts } from "../texts.js";

const MISSED = {
  invitation_id: "i-1", turn: 1, call_id: "c-1", caller: { id: "alice", name: "Alice" }, call_type: "video", group: false,
  reason: "no_answer", cancelled: false, at: 1, missed_at: 2, silent: false, can_join: false, returned: false, of: 2, existed: true,
};

/** @param {Record<string, unknown>} functions */
const asked = (functions, kind = /** @type {"missed_call" | "dial_back"} */ ("missed_call")) =>
  texts(/** @type {any} */ ({ missedCall: { notificationTitle: null, notificationMessage: null, ...functions } }), kind, MISSED, 2);

// spec: C5, C6, C12
test("the same two functions serve the pop-up and the push of the dial-back, and are told which is asked for", () => {
  const notificationTitle = (/** @type {any} */ context) => `${context.kind} of ${context.missedCall.caller.name}`;
  const notificationMessage = (/** @type {any} */ context) => `${context.count} times`;
  const functions = { notificationTitle, notificationMessage };
  assert.deepEqual(asked(functions), { title: "missed_call of Alice", message: "2 times" });
  assert.deepEqual(asked(functions, "dial_back"), { title: "dial_back of Alice", message: "2 times" });
});

// spec: C12
test("a function without parameters will do", () => {
  assert.deepEqual(asked({ notificationTitle: () => "Oh" }), { title: "Oh", message: null });
});

// spec: C5, C6
test("nothing returned means the default, and so does a function that fails", (t) => {
  assert.deepEqual(asked({}), { title: null, message: null });
  assert.deepEqual(asked({ notificationTitle: () => undefined }), { title: null, message: null });
  // Browsers have it, node has not.
  const reported = t.mock.fn();
  globalThis.reportError = reported;
  t.after(() => Reflect.deleteProperty(globalThis, "reportError"));
  const failing = () => { throw new Error("the app's own"); };
  assert.deepEqual(asked({ notificationTitle: failing, notificationMessage: () => "still" }), { title: null, message: "still" });
  assert.equal(reported.mock.callCount(), 1);
});
