import assert from "node:assert/strict";
import { test } from "node:test";
import { afterBye, backOff } from "../connection.js";

// spec: N3
test("the wait doubles to its bound, and half of it is chance", () => {
  const [none, all] = [() => 0, () => 1];
  assert.deepEqual([0, 1, 2, 3, 4].map((n) => backOff(n, all)), [500, 1000, 2000, 4000, 8000]);
  for (const attempt of [5, 6, 50, 5000]) {
    assert.equal(backOff(attempt, all), 15000);
    assert.equal(backOff(attempt, none), 7500);
  }
});

test("who was replaced, or is too old, stays away; all others come back", () => {
  assert.equal(afterBye("replaced"), "stop");
  assert.equal(afterBye("upgrade_required"), "stop");
  assert.equal(afterBye("unauthorized"), "token");
  for (const code of ["slow", "shutting_down", "unavailable", "bad_request", "something_new"]) {
    assert.equal(afterBye(code), "again");
  }
});
