import assert from "node:assert/strict";
import { test } from "node:test";
import { ConfigError, checkConfig, wireConfig } from "../config.js";

// spec: C1 C2 C3 C4 C5 C6 C7 C8 C9 C10 C11
test("what is left out has the spec's default", () => {
  const all = ["no_answer", "cancelled", "busy", "do_not_disturb", "unreachable"];
  for (const nothing of [undefined, null, {}, { missedCall: {}, inCalling: {} }]) {
    assert.deepEqual(checkConfig(nothing), {
      endCallWhenInitiatorLeave: false,
      missedCall: {
        enabled: true, enableDialBack: true, resourceID: null, notificationTitle: null, notificationMessage: null,
        timeoutSeconds: 30, reasons: all,
      },
      inCalling: { canInvitingInCalling: false, onlyInitiatorCanInvite: false },
      callWaiting: false,
    });
  }
});

test("what is given is kept", () => {
  const title = () => "Missed";
  const config = checkConfig({
    endCallWhenInitiatorLeave: true, callWaiting: true,
    missedCall: { enabled: false, enableDialBack: false, resourceID: "r", notificationTitle: title, timeoutSeconds: 600, reasons: ["busy", "busy"] },
    inCalling: { canInvitingInCalling: true, onlyInitiatorCanInvite: true },
  });
  assert.equal(config.missedCall.notificationTitle, title);
  assert.deepEqual(config.missedCall.reasons, ["busy"]);
  assert.deepEqual(wireConfig(config), {
    missed_call: { enabled: false, enable_dial_back: false, resource_id: "r", reasons: ["busy"] },
    in_calling: { can_inviting_in_calling: true, only_initiator_can_invite: true },
    end_call_when_initiator_leave: true,
    call_waiting: true,
  });
});

// spec: C13
test("a wrong value is refused by the parameter's name, and none is clamped", () => {
  const missed = (part) => ({ missedCall: part });
  const wrong = [
    ["config", 7], ["config", []],
    ["config.endCallWhenInitiatorLeave", { endCallWhenInitiatorLeave: "yes" }],
    ["config.callWaiting", { callWaiting: null }],
    ["config.missedCall", missed(true)],
    ["config.missedCall.enabled", missed({ enabled: 1 })],
    ["config.missedCall.enableDialBack", missed({ enableDialBack: "" })],
    ["config.missedCall.resourceID", missed({ resourceID: "" })],
    ["config.missedCall.resourceID", missed({ resourceID: "x".repeat(129) })],
    ["config.missedCall.resourceID", missed({ resourceID: "a\nb" })],
    ["config.missedCall.notificationTitle", missed({ notificationTitle: "Missed" })],
    ["config.missedCall.notificationMessage", missed({ notificationMessage: {} })],
    ["config.missedCall.timeoutSeconds", missed({ timeoutSeconds: 0 })],
    ["config.missedCall.timeoutSeconds", missed({ timeoutSeconds: 601 })],
    ["config.missedCall.timeoutSeconds", missed({ timeoutSeconds: 1.5 })],
    ["config.missedCall.timeoutSeconds", missed({ timeoutSeconds: "30" })],
    ["config.missedCall.reasons", missed({ reasons: ["declined"] })],
    ["config.missedCall.reasons", missed({ reasons: "busy" })],
    ["config.missedCall.enableDialback", missed({ enableDialback: true })],
    ["config.inCalling", { inCalling: 1 }],
    ["config.inCalling.canInvitingInCalling", { inCalling: { canInvitingInCalling: 1 } }],
    ["config.inCalling.onlyInitiatorCanInvite", { inCalling: { onlyInitiatorCanInvite: 1 } }],
  ];
  for (const [parameter, given] of wrong) {
    assert.throws(() => checkConfig(given), (error) => {
      assert.ok(error instanceof ConfigError);
      assert.equal(error.parameter, parameter);
      assert.ok(error.message.startsWith(`${parameter} `), error.message);
      return true;
    });
  }
});
