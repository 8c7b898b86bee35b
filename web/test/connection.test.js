import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";
import { Connection, afterBye, backOff } from "../connection.js";

/** Every socket that was opened, the newest last. */
let sockets = [];

class FakeSocket {
  static OPEN = 1;
  readyState = 0;
  sent = [];
  closed = false;
  constructor(url) {
    this.url = url;
    sockets.push(this);
  }
  send(text) {
    this.sent.push(JSON.parse(text));
  }
  close() {
    this.closed = true;
  }
  open() {
    this.readyState = 1;
    this.onopen();
  }
  say(frame) {
    this.onmessage({ data: typeof frame === "string" ? frame : JSON.stringify(frame) });
  }
}

/** A connection of which all that happens is written down. */
function connection(token = async () => "t") {
  const told = [];
  const made = new Connection({
    url: "ws://here/ws",
    token: (fresh) => (told.push(fresh ? "fresh token" : "token"), token()),
    onOpen: () => (told.push("open"), made.send({ type: "hello" })),
    onFrame: (frame) => told.push(frame.type),
    onLost: () => told.push("lost"),
    onError: (error) => told.push(error.message),
  });
  return { made, told };
}

/** Lets promises that are settled go on. */
const settle = () => new Promise((done) => setImmediate(done));

beforeEach(() => {
  sockets = [];
  globalThis.WebSocket = FakeSocket;
  mock.timers.enable({ apis: ["setTimeout", "Date"] });
});
afterEach(() => mock.timers.reset());

// spec: N3
test("the wait doubles to its bound, and half of it is chance", () => {
  const [none, all] = [() => 0, () => 1];
  assert.deepEqual([0, 1, 2, 3, 4].map((n) => backOff(n, all)), [500, 1000, 2000, 4000, 8000]);
  for (const failures of [5, 6, 50, 5000]) {
    assert.equal(backOff(failures, all), 15000);
    assert.equal(backOff(failures, none), 7500);
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

// spec: N3
test("it comes back by itself, sooner after a connection that was good", async () => {
  const { made, told } = connection();
  made.start();
  await settle();
  sockets[0].open();
  assert.deepEqual(sockets[0].sent, [{ type: "hello" }]);
  sockets[0].say({ type: "synced" });
  for (let failures = 0; failures < 6; failures += 1) {
    sockets.at(-1).onclose();
    mock.timers.tick(15_000);
    await settle();
    assert.equal(sockets.length, failures + 2);
  }
  sockets.at(-1).open();
  sockets.at(-1).say({ type: "synced" });
  mock.timers.tick(11_000);
  sockets.at(-1).onclose();
  mock.timers.tick(500);
  await settle();
  assert.equal(sockets.length, 8);
  assert.equal(told.filter((what) => what === "lost").length, 2, "what was never open can't be lost");
  made.stop();
});

test("a handshake that takes too long is given up, and what an old socket says counts no more", async () => {
  const { made, told } = connection();
  made.start();
  await settle();
  sockets[0].open();
  mock.timers.tick(9_000);
  made.tick();
  assert.equal(sockets[0].closed, false);
  mock.timers.tick(2_000);
  made.tick();
  assert.equal(sockets[0].closed, true);
  sockets[0].say({ type: "welcome" });
  assert.deepEqual(told, ["token", "open", "lost"]);
  made.stop();
});

test("a token that was refused is asked for anew", async () => {
  const { made, told } = connection();
  made.start();
  await settle();
  sockets[0].open();
  sockets[0].say({ type: "bye", code: "unauthorized" });
  mock.timers.tick(500);
  await settle();
  assert.deepEqual(told, ["token", "open", "bye", "lost", "fresh token"]);
  made.stop();
});

test("a token that can't be had is an error, and is tried for again", async () => {
  const { made, told } = connection(() => Promise.reject(new Error("no")));
  made.start();
  await settle();
  mock.timers.tick(500);
  await settle();
  assert.deepEqual(told, ["token", "No token could be had: no", "token", "No token could be had: no"]);
  made.stop();
});

test("replaced, it doesn't come back", async () => {
  const { made } = connection();
  made.start();
  await settle();
  sockets[0].open();
  sockets[0].say({ type: "bye", code: "replaced" });
  mock.timers.tick(100_000);
  await settle();
  assert.equal(sockets.length, 1);
  assert.equal(made.wanted, false);
});

test("the server's wait is kept to", async () => {
  const { made } = connection();
  made.start();
  await settle();
  sockets[0].open();
  sockets[0].say({ type: "bye", code: "unavailable", retry_after_ms: 60_000 });
  mock.timers.tick(59_999);
  await settle();
  assert.equal(sockets.length, 1);
  mock.timers.tick(15_001);
  await settle();
  assert.equal(sockets.length, 2);
  made.stop();
});

test("what is no frame ends the connection, and nothing else", async () => {
  for (const nonsense of ["{", "null", "7", "{}", '{"type":7}']) {
    sockets = [];
    const { made, told } = connection();
    made.start();
    await settle();
    sockets[0].open();
    sockets[0].say(nonsense);
    assert.equal(sockets[0].closed, true);
    assert.deepEqual(told, ["token", "open", "lost"]);
    made.stop();
  }
});
