// What media decides: who is in the mesh, whose session counts, what is tried next, and what is told of oneself.

import assert from "node:assert/strict";
import { test } from "node:test";

import {
  deviceProblem, givesWay, Handshake, hasRelay, lackOf, LONGEST_DESCRIPTION, mesh, MOST_CANDIDATES, MOST_TRIES, offersTo, pause,
  readSignal, relayCandidate, relayDescription, remedy, takenServers,
} from "../media-rules.js";

/** @param {string} id @param {number} entered @param {string} [state] */
const member = (id, entered, state = "accepted") => ({ user: { id, name: "" }, self: false, state, turn: 1, entered });

// spec: R1
test("the first four who came in are in the mesh, on whichever device it is worked out", () => {
  const five = [member("e", 4), member("a", 9), member("d", 7), member("b", 5), member("c", 6)];
  const all = [...five, member("f", 3, "ringing"), member("g", 1, "left"), member("h", 2, "declined")];
  for (const shown of [all, [...all].reverse()]) {
    assert.deepEqual(mesh(shown).map((one) => one.user.id), ["e", "b", "c", "d"]);
  }
  const fewer = all.filter((one) => one.user.id !== "b");
  assert.deepEqual(mesh(fewer).map((one) => one.user.id), ["e", "c", "d", "a"], "when one leaves, the fifth moves up");
});

test("of two people exactly one offers", () => {
  for (const [one, other] of [["alice", "bob"], ["a", "A"], ["é", "e"], ["1", "10"]]) {
    assert.notEqual(offersTo(one, other), offersTo(other, one));
  }
});

/** Two sides of a handshake over a way that loses and delays; a number makes its chance. */
class Pair {
  /** @param {number} seed */
  constructor(seed) {
    this.seed = seed;
    let names = 0;
    this.sides = [0, 1].map(() => new Handshake(() => `s${(names += 1)}`));
    /** @type {{to: number, signal: {session: string, to: string | null}}[]} */
    this.onTheWay = [];
    this.sent = 0;
  }

  chance() {
    this.seed = (Math.imul(this.seed, 1664525) + 1013904223) >>> 0;
    return this.seed / 2 ** 32;
  }

  /** @param {number} from @param {number} loss @param {boolean} [unknown] */
  greet(from, loss, unknown = false) {
    this.sent += 1;
    const { mine, theirs } = this.sides[from];
    if (this.chance() >= loss) this.onTheWay.push({ to: 1 - from, signal: { session: mine, to: unknown ? null : theirs } });
  }

  /** Delivers one: the oldest, or while some are lost any. @param {number} loss */
  deliver(loss) {
    const [one] = this.onTheWay.splice(loss > 0 ? Math.floor(this.chance() * this.onTheWay.length) : 0, 1);
    const side = this.sides[one.to];
    const { take, greet } = side.hear(one.signal);
    // As a link does: side 0 offers as soon as it knows theirs; side 1 takes what is for it.
    if (one.to === 0 && side.theirs !== null && !side.used) {
      side.used = true;
      this.greet(0, loss);
    }
    if (one.to === 1 && take) side.used = true;
    if (greet !== "no") this.greet(one.to, loss, greet === "unknown");
  }

  get met() {
    const [a, b] = this.sides;
    return a.theirs === b.mine && b.theirs === a.mine;
  }
}

test("two sides come to the same two sessions, whatever was lost and whoever began afresh", () => {
  let most = 0;
  for (let seed = 1; seed <= 2_000; seed += 1) {
    const pair = new Pair(seed);
    for (let step = 0; step < 60; step += 1) {
      const side = pair.chance() < 0.5 ? 0 : 1;
      if (pair.onTheWay.length > 0 && pair.chance() < 0.7) pair.deliver(0.4);
      else if (pair.chance() < 0.2) pair.sides[side].renew();
      else pair.greet(side, 0.4);
    }
    // From here on nothing is lost. Each says once that it is there, and no more is needed; nor do they greet for ever.
    const late = pair.onTheWay.length;
    pair.sent = 0;
    for (const side of [0, 1]) pair.greet(side, 0);
    while (pair.onTheWay.length > 0 && pair.sent < 1_000) pair.deliver(0);
    assert.ok(pair.met, `seed ${seed}: ${JSON.stringify(pair.sides)}`);
    most = Math.max(most, pair.sent - late);
  }
  assert.ok(most < 50, `up to ${most} greetings`);
});

test("a signal for a connection that was given up is not taken, nor one of a session that is new", () => {
  const one = new Handshake(() => "one");
  assert.deepEqual(one.hear({ session: "x", to: null }), { fresh: false, take: false, greet: "known" });
  assert.deepEqual(one.hear({ session: "x", to: "one" }), { fresh: false, take: true, greet: "no" });
  assert.deepEqual(one.hear({ session: "x", to: "earlier" }), { fresh: false, take: false, greet: "unknown" });
  one.used = true;
  assert.deepEqual(one.hear({ session: "y", to: "one" }), { fresh: true, take: false, greet: "known" });
  assert.deepEqual([one.theirs, one.used], ["y", false]);
});

test("what is tried, try by try", () => {
  /** @param {Partial<import("../media-rules.js").Standing>} standing */
  const tried = (standing) => [...Array(MOST_TRIES)].map((_, at) => (
    remedy({ tries: at + 1, offers: true, connected: false, begun: true, answered: true, ...standing })
  ));
  assert.deepEqual(tried({ begun: false, answered: false }),
    ["greet", "greet", "greet", "fresh", "greet", "greet", "fresh", "give_up"]);
  assert.deepEqual(tried({ answered: false }),
    ["resend", "resend", "resend", "fresh", "resend", "resend", "fresh", "give_up"]);
  assert.deepEqual(tried({}), ["resend", "resend", "restart", "fresh", "resend", "restart", "fresh", "give_up"]);
  assert.deepEqual(tried({ offers: false, answered: false }),
    ["wait", "wait", "restart", "fresh", "wait", "restart", "fresh", "give_up"]);
  // What works is never thrown away.
  assert.deepEqual(new Set(tried({ connected: true, answered: false })), new Set(["resend", "rest"]));
  assert.deepEqual(new Set(tried({ connected: true, offers: false })), new Set(["restart", "rest"]));
});

test("all tries together take less than a minute, and no pause is long", () => {
  const pauses = [...Array(MOST_TRIES).keys()].map((tries) => pause(tries, 0.5));
  assert.deepEqual(pauses, [500, 1_000, 2_000, 4_000, 8_000, 8_000, 8_000, 8_000]);
  assert.ok(pause(5, 0) < pause(5, 1));
});

/** @param {object} [more] */
const signal = (more) => ({ media: 1, session: "s", to: "t", sends: { microphone: true, camera: false }, ...more });
const candidate = { candidate: "candidate:1 1 udp 1 127.0.0.1 9 typ host", sdpMid: "0", sdpMLineIndex: 0 };

// spec: R1
test("only what is well formed is read, and nothing besides it", () => {
  const { media, ...bare } = signal();
  assert.deepEqual(readSignal(signal({ surprise: 1 })), bare);
  const full = { restart: 2, round: 3, description: { type: "offer", sdp: "v=0" }, candidates: [candidate] };
  assert.deepEqual(readSignal(signal(full)), { ...bare, ...full });
  const wrong = [
    null, 7, "offer", [], {}, signal({ media: 2 }), signal({ session: "" }), signal({ session: "s".repeat(65) }), signal({ session: 1 }),
    signal({ to: undefined }), signal({ to: {} }), signal({ sends: null }), signal({ sends: { microphone: 1, camera: true } }),
    signal({ restart: -1 }), signal({ restart: "1" }), signal({ description: full.description }), signal({ round: 0.5, candidates: [] }),
    signal({ round: 1, description: null }), signal({ round: 1, description: { type: "rollback", sdp: "" } }),
    signal({ round: 1, description: { type: "offer", sdp: "x".repeat(LONGEST_DESCRIPTION + 1) } }),
    signal({ round: 1, candidates: Array(MOST_CANDIDATES + 1).fill(candidate) }),
    signal({ round: 1, candidates: [{ ...candidate, candidate: "x".repeat(2_000) }] }),
    signal({ round: 1, candidates: [{ ...candidate, sdpMid: null, sdpMLineIndex: null }] }),
    signal({ round: 1, candidates: [null] }), signal({ round: 1, candidates: { length: 0 } }),
  ];
  for (const one of wrong) assert.equal(readSignal(one), null, JSON.stringify(one)?.slice(0, 200));
});

// spec: R1
test("who hides their address tells of relays alone, and not of what stands behind them", () => {
  const relay = "candidate:1 1 udp 41885439 192.0.2.1 49160 typ relay raddr 203.0.113.7 rport 50000 generation 0 ufrag x";
  const host = "candidate:2 1 udp 2122260223 203.0.113.7 50000 typ host generation 0";
  const reflexive = "candidate:3 1 udp 1686052607 203.0.113.7 50000 typ srflx raddr 10.0.0.2 rport 50000";
  assert.equal(relayCandidate(host), null);
  assert.equal(relayCandidate(reflexive), null);
  assert.equal(relayCandidate(relay), "candidate:1 1 udp 41885439 192.0.2.1 49160 typ relay raddr 0.0.0.0 rport 0 generation 0 ufrag x");
  const sdp = ["v=0", "m=audio 9 UDP/TLS/RTP/SAVPF 111", `a=${host}`, `a=${relay}`, `a=${reflexive}`, "a=mid:0", ""].join("\r\n");
  const told = relayDescription(sdp);
  assert.doesNotMatch(told, /203\.0\.113\.7|10\.0\.0\.2/);
  assert.match(told, /\r\na=candidate:1 .* typ relay raddr 0\.0\.0\.0 rport 0 .*\r\na=mid:0\r\n$/);
});

test("a relay is known by its address", () => {
  assert.ok(!hasRelay([]));
  assert.ok(!hasRelay([{ urls: ["stun:stun.example:3478"] }, { urls: "stun:turn.example" }]));
  assert.ok(hasRelay([{ urls: "stun:a.example" }, { urls: ["stun:b.example", "turns:b.example:5349"] }]));
  assert.ok(hasRelay([{ urls: "turn:b.example" }]));
});

test("what is told of devices that are lacking", () => {
  const both = { audio: true, video: true };
  const sound = { audio: true, video: false };
  /** @type {[any, any, string | undefined][]} */
  const cases = [
    [{ audio: null, video: null }, both, undefined],
    [{ audio: null, video: "missing" }, sound, undefined],
    [{ audio: "missing", video: null }, sound, "no_devices"],
    [{ audio: "missing", video: "missing" }, both, "no_devices"],
    [{ audio: null, video: "missing" }, both, "no_camera"],
    [{ audio: "missing", video: null }, both, "no_microphone"],
    [{ audio: "denied", video: "missing" }, both, "devices_denied"],
    [{ audio: null, video: "denied" }, both, "devices_denied"],
    [{ audio: null, video: "busy" }, both, "devices_busy"],
  ];
  for (const [lacks, wanted, code] of cases) assert.equal(deviceProblem(lacks, wanted)?.code, code, JSON.stringify(lacks));
  assert.match(deviceProblem({ audio: "denied", video: "missing" }, both)?.message ?? "", /your microphone\./);
  assert.match(deviceProblem({ audio: "denied", video: "denied" }, both)?.message ?? "", /your microphone and camera\./);
  assert.match(deviceProblem({ audio: "missing", video: "busy" }, both)?.message ?? "", /Your camera .* using it\./);
  const names = ["NotAllowedError", "SecurityError", "NotReadableError", "NotFoundError", "OverconstrainedError"];
  assert.deepEqual(names.map((name) => lackOf({ name })), ["denied", "denied", "busy", "missing", "missing"]);
});

test("an address that the browser refuses takes no other with it", () => {
  const servers = [
    { urls: ["turn:a.example", "turn:a.example?transport=sctp"], username: "u", credential: "c" },
    { urls: "stun:b.example" }, { urls: ["stun:"] },
  ];
  const takes = (/** @type {RTCIceServer} */ { urls }) => /^\w+:[a-z.]+$/.test(String(urls));
  assert.deepEqual(takenServers(servers, takes), [
    { urls: ["turn:a.example"], username: "u", credential: "c" }, { urls: ["stun:b.example"] },
  ]);
});

test("of too many candidates, this device's own give way to a relay's", () => {
  /** @param {string} type */
  const of = (type) => ({ candidate: `candidate:1 1 udp 1 192.0.2.1 9 typ ${type}` });
  const some = [of("host"), of("srflx")];
  assert.equal(givesWay(some, of("host").candidate), 2, "there is room");
  const all = [of("srflx"), ...Array(MOST_CANDIDATES - 2).fill(of("host")), of("relay")];
  assert.equal(givesWay(all, of("relay").candidate), MOST_CANDIDATES - 2);
  assert.equal(givesWay(all, of("srflx").candidate), -1);
  assert.equal(givesWay(Array(MOST_CANDIDATES).fill(of("relay")), of("relay").candidate), -1);
});
