// What media decides without touching a device or a connection: who exchanges sound and picture, which signals count, and
// what is tried next. Pure.
//
// What two sides say to each other (the `data` of a signal) is one object, in which each part may be left out but the first
// four:
//
//     { media: 1, session, to, sends: { microphone, camera },
//       round, description: { type, sdp }, candidates: [{ candidate, sdpMid, sdpMLineIndex }], restart }
//
// - `session` names the sender's connection, `to` the recipient's as far as the sender knows it (null: not yet). A signal
//   that names another one is of the past; who hears of a new session begins afresh, so that a reload, a re-join or a lost
//   signal never mixes two connections (`Handshake`).
// - Of two people the one whose user id is smaller offers, always: so offers never cross. The other asks for one by
//   `restart`: the number of the last that it has seen.
// - `round` numbers the offers of a session; an answer and the candidates of both carry the number of theirs. A description
//   that is repeated comes with all candidates so far, and a repeated offer is answered by the same answer. So everything may be sent again, and a lost signal costs a second.

/** @typedef {import("./shapes.js").CallUser} CallUser */
/** @typedef {{microphone: boolean, camera: boolean}} Sends what somebody sends now */
/** @typedef {"audio" | "video"} Kind */
/** @typedef {{code: string, message: string}} Problem */

/**
 * Of a participant of a call, what matters here.
 * @typedef {object} Member
 * @property {CallUser} user
 * @property {boolean} self
 * @property {string} state
 * @property {number} turn which time they are in it, or invited to it
 * @property {number} entered the order in which those in the call came in
 */

/**
 * One signal between two sides, checked.
 * @typedef {object} MediaSignal
 * @property {string} session
 * @property {string | null} to
 * @property {Sends} sends
 * @property {number} [round]
 * @property {RTCSessionDescriptionInit} [description]
 * @property {RTCIceCandidateInit[]} [candidates]
 * @property {number} [restart]
 */

/** How many see and hear each other at most, this user included: each sends to each of the others. */
export const MOST_IN_MESH = 4;
/** Longest description, in characters; the wire takes 32 KiB for the whole signal. */
export const LONGEST_DESCRIPTION = 28_000;
/** Candidates in one signal; of more, some are dropped. */
export const MOST_CANDIDATES = 32;
/** Tries for a connection before it is given up. */
export const MOST_TRIES = 8;
/** Longest pause between two of them, in ms. */
const LONGEST_PAUSE_MS = 8_000;
/** Longest name of a session, and longest candidate. */
const LONGEST_NAME = 64;
const LONGEST_CANDIDATE = 1_024;

/**
 * Those who exchange sound and picture: the first four, in the order in which they came in. All devices come to the same.
 * @template {Member} T
 * @param {T[]} participants
 * @returns {T[]}
 */
export function mesh(participants) {
  const inside = participants.filter((one) => one.state === "accepted");
  return inside.sort((a, b) => a.entered - b.entered).slice(0, MOST_IN_MESH);
}

/**
 * Puts together what is known of who is in a call, by what is newest of each: a view lists those who changed last, and
 * no longer lists one of whom another source may be out of date.
 * @template {Member} T
 * @param {T[]} known
 * @param {T[]} more
 * @returns {T[]}
 */
export function merge(known, more) {
  const members = new Map(known.map((one) => [one.user.id, one]));
  for (const one of more) if (one.entered >= (members.get(one.user.id)?.entered ?? 0)) members.set(one.user.id, one);
  return [...members.values()];
}

/**
 * How the user wants it in one stay in a call.
 * @typedef {object} Wish
 * @property {string} stay
 * @property {import("./shapes.js").CallType} callType
 * @property {boolean} microphone
 * @property {boolean} camera
 */

/**
 * What is to be open: what the user said in this stay, in whichever tab, or else what the options have. Where a picture is
 * sent in video calls, it ends when two who called each other at once find that it is a voice call (L10).
 * @param {string} stay
 * @param {import("./shapes.js").CallType} callType
 * @param {{microphone: boolean, camera: boolean | "video calls"}} options
 * @param {any} said the last wish, of whatever stay and from wherever
 * @returns {Wish}
 */
export function wish(stay, callType, options, said) {
  const byType = options.camera === "video calls";
  if (said?.stay !== stay || typeof said.microphone !== "boolean" || typeof said.camera !== "boolean") {
    return { stay, callType, microphone: options.microphone, camera: options.camera === true || (byType && callType === "video") };
  }
  const { microphone, camera } = said;
  const nowVoice = byType && said.callType === "video" && callType === "voice";
  return { stay, callType, microphone, camera: camera && !nowVoice };
}

/**
 * Whether `self` makes the offers to `other`: a rule that both sides come to alone.
 * @param {string} self
 * @param {string} other
 */
export function offersTo(self, other) {
  return self < other;
}

/** Which connection of ours talks with which of theirs. */
export class Handshake {
  /** @param {() => string} name makes a new, unguessable name */
  constructor(name) {
    this.name = name;
    this.mine = name();
    /** @type {string | null} */
    this.theirs = null;
    /** Whether our connection has been described to theirs, or theirs to ours: it can't be another's then. */
    this.used = false;
  }

  /** Begins afresh; they will, too, once they hear of it. */
  renew() {
    this.mine = this.name();
    this.theirs = null;
    this.used = false;
  }

  /**
   * Whether a signal of theirs takes a new connection of ours, too.
   * @param {{session: string, to: string | null}} signal
   */
  renewedBy({ session, to }) {
    return this.used && session !== this.theirs && (to === null || to === this.mine);
  }

  /**
   * Hears a signal of theirs.
   * @param {{session: string, to: string | null}} signal
   * @returns {{fresh: boolean, take: boolean, greet: "no" | "known" | "unknown"}} fresh: our connection has to be a new one;
   *   take: the rest of the signal counts; greet: they are to be told of our session, as one who knows theirs or doesn't
   */
  hear(signal) {
    const { session, to } = signal;
    // They speak to a connection that we gave up, or it took its time. What we know of them may be of the past as well, and
    // two who name what is past to each other would do so for ever.
    if (to !== null && to !== this.mine) return { fresh: false, take: false, greet: "unknown" };
    const fresh = this.renewedBy(signal);
    if (fresh) this.renew();
    this.theirs = session;
    return { fresh, take: !fresh && to !== null, greet: fresh || to === null ? "known" : "no" };
  }
}

/**
 * How a connection stands that is being made or mended.
 * @typedef {object} Standing
 * @property {number} tries how many were made, this one included
 * @property {boolean} offers whether this side makes the offers
 * @property {boolean} connected whether sound and picture flow, and only something about it is under way
 * @property {boolean} begun offers: theirs is known; else: an offer came
 * @property {boolean} answered whether the last offer was
 */

/**
 * What to try next.
 *
 * `greet`: tell them that we are here; `resend`: the offer again, with all candidates; `restart`: find another path, by a new offer; `fresh`: a
 * new connection; `wait`: it may yet come; `rest`: no more is tried, but it works; `give_up`: no more is tried.
 * @param {Standing} standing
 * @returns {"greet" | "resend" | "restart" | "fresh" | "wait" | "rest" | "give_up"}
 */
export function remedy({ tries, offers, connected, begun, answered }) {
  if (tries >= MOST_TRIES) return connected ? "rest" : "give_up";
  // What works isn't thrown away because a signal about it is lost.
  if (connected) return offers && !answered ? "resend" : "restart";
  if (tries > 1 && tries % 3 === 1) return "fresh";
  if (!begun) return "greet";
  if (offers && !answered) return "resend";
  if (tries % 3 === 0) return "restart";
  // Candidates may have been lost: the offer brings them again, and its answer the others.
  return offers ? "resend" : "wait";
}

/**
 * The pause before the next try, in ms: doubled each time, with a fifth of chance in it so that two sides part.
 * @param {number} tries how many were made
 * @param {number} chance 0 to 1
 */
export function pause(tries, chance) {
  return Math.min(500 * 2 ** tries, LONGEST_PAUSE_MS) * (0.9 + 0.2 * chance);
}

/**
 * Checks what somebody in the call sent.
 * @param {any} data
 * @returns {MediaSignal | null} null if it isn't ours, or not well formed
 */
export function readSignal(data) {
  if (data?.media !== 1 || !isName(data.session) || !(data.to === null || isName(data.to))) return null;
  const { session, to, sends, round, description, candidates, restart } = data;
  if (typeof sends?.microphone !== "boolean" || typeof sends.camera !== "boolean") return null;
  /** @type {MediaSignal} */
  const signal = { session, to, sends: { microphone: sends.microphone, camera: sends.camera } };
  if (restart !== undefined) {
    if (!isRound(restart)) return null;
    signal.restart = restart;
  }
  if (description === undefined && candidates === undefined) return signal;
  if (!isRound(round)) return null;
  signal.round = round;
  if (description !== undefined) {
    const { type, sdp } = description ?? {};
    if (type !== "offer" && type !== "answer") return null;
    if (typeof sdp !== "string" || sdp.length > LONGEST_DESCRIPTION) return null;
    signal.description = { type, sdp };
  }
  if (candidates !== undefined) {
    if (!Array.isArray(candidates) || candidates.length > MOST_CANDIDATES || !candidates.every(isCandidate)) return null;
    signal.candidates = candidates.map(({ candidate, sdpMid, sdpMLineIndex }) => ({ candidate, sdpMid, sdpMLineIndex }));
  }
  return signal;
}

/** @param {unknown} name */
function isName(name) {
  return typeof name === "string" && name !== "" && name.length <= LONGEST_NAME;
}

/** @param {unknown} round */
function isRound(round) {
  return Number.isSafeInteger(round) && Number(round) >= 0;
}

/** @param {any} one */
function isCandidate(one) {
  const { candidate, sdpMid, sdpMLineIndex } = one ?? {};
  if (typeof candidate !== "string" || candidate.length > LONGEST_CANDIDATE) return false;
  if (sdpMid === null && sdpMLineIndex === null) return false;
  return (sdpMid === null || (typeof sdpMid === "string" && sdpMid.length <= LONGEST_NAME)) &&
    (sdpMLineIndex === null || (isRound(sdpMLineIndex) && sdpMLineIndex < 256));
}

/**
 * A candidate as it may be told by who hides their address: only a relay's, without what stands behind it.
 * @param {string} candidate
 * @returns {string | null} null if it isn't a relay's
 */
export function relayCandidate(candidate) {
  if (!/ typ relay( |$)/.test(candidate)) return null;
  return candidate.replace(/ raddr \S+/, " raddr 0.0.0.0").replace(/ rport \d+/, " rport 0");
}

/**
 * A description as it may be told by who hides their address.
 * @param {string} sdp
 */
export function relayDescription(sdp) {
  return sdp.split("\r\n").flatMap((line) => {
    if (!line.startsWith("a=candidate:")) return [line];
    const candidate = relayCandidate(line);
    return candidate === null ? [] : [candidate];
  }).join("\r\n");
}

/**
 * Whether a relay is among the servers.
 * @param {RTCIceServer[]} servers
 */
export function hasRelay(servers) {
  return servers.some(({ urls }) => [urls].flat().some((url) => /^turns?:/.test(url)));
}

/**
 * The servers with the addresses that this browser takes: one that it refuses would keep it from connecting at all.
 * @param {RTCIceServer[]} servers
 * @param {(server: RTCIceServer) => boolean} takes tells of one address
 * @returns {RTCIceServer[]}
 */
export function takenServers(servers, takes) {
  return servers.flatMap((server) => {
    const urls = [server.urls].flat().filter((url) => takes({ ...server, urls: [url] }));
    return urls.length > 0 ? [{ ...server, urls }] : [];
  });
}

/**
 * Which of the candidates gives way to another, when no more can be told: to a relay's, which come last and may be the
 * only ones that lead anywhere, the last of this device's own.
 * @param {RTCIceCandidateInit[]} candidates
 * @param {string} candidate
 * @returns {number} its place; that after the last: none has to; -1: none does
 */
export function givesWay(candidates, candidate) {
  if (candidates.length < MOST_CANDIDATES) return candidates.length;
  if (!/ typ relay( |$)/.test(candidate)) return -1;
  return candidates.map((one) => / typ host( |$)/.test(one.candidate ?? "")).lastIndexOf(true);
}

/** Why a microphone or camera isn't there: there is none; the user, or the browser, said no; something else has it. */
/** @typedef {"missing" | "denied" | "busy"} Lack */

/** What a user calls them. @type {Record<Kind, string>} */
const DEVICE_NAMES = { audio: "microphone", video: "camera" };

/**
 * What to tell of devices that were wanted and aren't there.
 * @param {{audio: Lack | null, video: Lack | null}} lacks
 * @param {{audio: boolean, video: boolean}} wanted
 * @returns {Problem | null}
 */
export function deviceProblem(lacks, wanted) {
  const kinds = /** @type {Kind[]} */ (["audio", "video"]).filter((kind) => wanted[kind] && lacks[kind]);
  if (kinds.length === 0) return null;
  const lacking = (/** @type {Lack} */ lack) => kinds.filter((kind) => lacks[kind] === lack).map((kind) => DEVICE_NAMES[kind]);
  const [denied, busy, missing] = [lacking("denied"), lacking("busy"), lacking("missing")];
  if (denied.length > 0) {
    const message = `The browser may not use your ${denied.join(" and ")}. Allow it beside the page's address, and try again.`;
    return { code: "devices_denied", message };
  }
  if (busy.length > 0) {
    const message = `Your ${busy.join(" and ")} can't be opened; another program may be using ${busy.length > 1 ? "them" : "it"}.`;
    return { code: "devices_busy", message };
  }
  const all = (!wanted.audio || lacks.audio) && (!wanted.video || lacks.video);
  if (all) return { code: "no_devices", message: `No ${missing.join(" or ")} was found. You still see and hear the others.` };
  if (kinds[0] === "video") return { code: "no_camera", message: "No camera was found. The others hear you, but don't see you." };
  return { code: "no_microphone", message: "No microphone was found. The others see you, but don't hear you." };
}

/**
 * Why a device could not be had.
 * @param {any} error of getUserMedia
 * @returns {Lack}
 */
export function lackOf(error) {
  switch (error?.name) {
    case "NotAllowedError":
    case "SecurityError":
      return "denied";
    case "NotReadableError":
    case "AbortError":
      return "busy";
    default:
      return "missing";
  }
}
