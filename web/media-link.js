// Sound and picture with one other participant: one RTCPeerConnection at a time, made again as often as it takes.

import { KINDS } from "./media-devices.js";
import {
  givesWay, Handshake, LONGEST_DESCRIPTION, offersTo, pause, relayCandidate, relayDescription, remedy,
} from "./media-rules.js";

/** @typedef {import("./media-rules.js").Kind} Kind */
/** @typedef {import("./media-rules.js").MediaSignal} MediaSignal */
/** @typedef {"connecting" | "connected" | "reconnecting" | "failed"} LinkState */

/**
 * What a link is given by the call that it is part of.
 * @typedef {object} LinkHost
 * @property {string} self user id
 * @property {boolean} relayOnly
 * @property {() => RTCConfiguration} configuration
 * @property {(kind: Kind) => MediaStreamTrack | null} track what is sent
 * @property {() => import("./media-rules.js").Sends} sends
 * @property {(to: string, data: object) => Promise<void>} signal fails with a CallError
 * @property {() => boolean} online whether signals can be sent at all
 * @property {() => void} changed
 */

/** How long candidates are gathered before they are sent together, in ms. */
const GATHER_MS = 30;
/** How long a path that broke may come back by itself, in ms. */
const BROKEN_MS = 2_000;
/** How soon after a connection was made theirs may ask for another, in ms: what is sooner counts as lost. */
const SOONEST_MS = 250;
/** Pause after a signal that could not be sent, in ms, unless the server names one. */
const UNSENT_MS = 1_000;
/** After how long they are told once more what is sent, in ms: nothing else would show that a signal was lost. */
const ONCE_MORE_MS = 3_000;
/** Candidates kept that came before their description. */
const MOST_EARLY = 64;
/** Things to do with a connection that may wait; beyond it they are dropped, and tried again. */
const MOST_WORK = 64;

export class Link {
  /**
   * @param {LinkHost} host
   * @param {string} user the other one's id
   * @param {MediaStream} stream takes what comes from them, for an element to play
   */
  constructor(host, user, stream) {
    this.host = host;
    this.user = user;
    this.offers = offersTo(host.self, user);
    this.handshake = new Handshake(() => crypto.randomUUID());
    this.stream = stream;
    /** @type {LinkState} */
    this.state = "connecting";
    /** What they say they send. */
    this.sends = { microphone: false, camera: false };
    this.met = false;
    this.closed = false;
    this.tries = 0;
    this.pumping = false;
    /** When the connection was made, in ms. */
    this.begun = 0;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.reminder = undefined;
    /** None, if the browser makes no more of them. @type {RTCPeerConnection | undefined} */
    this.pc = undefined;
    /** The number of the last offer that was made, or taken. */
    this.round = 0;
    /** Whether it was answered. */
    this.answered = false;
    /** The round after which another was asked for. @type {number | null} */
    this.asked = null;
    /** Candidates whose description hasn't come. @type {{round: number, candidate: RTCIceCandidateInit}[]} */
    this.early = [];
    /** Ours, of this round, and how many of them they were told. @type {RTCIceCandidateInit[]} */
    this.candidates = [];
    this.told = 0;
    /** What else they haven't been told. */
    this.owed = nothing();
    /** What is done to the connection is done in turn. */
    this.work = Promise.resolve();
    this.working = 0;
    this.begin();
    this.greet();
    this.watch();
  }

  /** Makes a new connection; whatever is about the last one is of the past. */
  begin() {
    this.pc?.close();
    for (const track of this.stream.getTracks()) this.stream.removeTrack(track);
    const pc = this.connection();
    this.begun = performance.now();
    [this.pc, this.answered, this.asked, this.early, this.owed] = [pc, false, null, [], nothing()];
    this.enter(0);
    // A connection that is closed may leave a thing undone for ever, so the next one doesn't wait for it.
    [this.work, this.working] = [Promise.resolve(), 0];
    if (!pc) return;
    pc.addEventListener("icecandidate", ({ candidate }) => this.gathered(candidate));
    pc.addEventListener("track", () => this.show());
    pc.addEventListener("connectionstatechange", () => this.moved(pc.connectionState));
    // Who answers finds these in the offer. Both stay, whatever is sent: to switch a camera on needs no offer.
    if (this.offers) for (const kind of KINDS) pc.addTransceiver(kind, { direction: "sendrecv" });
    this.attach();
  }

  /** @returns {RTCPeerConnection | undefined} undefined if there can't be one just now; `mend` sees to it */
  connection() {
    try {
      return new RTCPeerConnection(this.host.configuration());
    } catch (error) {
      console.warn("Ringback: no connection could be made:", error);
      return undefined;
    }
  }

  /** Ends it. */
  close() {
    this.closed = true;
    clearTimeout(this.timer);
    clearTimeout(this.reminder);
    this.pc?.close();
    for (const track of this.stream.getTracks()) this.stream.removeTrack(track);
  }

  /** What is sent is another: the tracks, and what they are told of it. */
  resend() {
    this.attach();
    this.greet();
    clearTimeout(this.reminder);
    this.reminder = setTimeout(() => this.greet(), ONCE_MORE_MS);
  }

  /** Finds the path anew, while what flows goes on flowing: the way that signals take was away. */
  renegotiate() {
    if (this.state === "failed") return this.again();
    this.tries = 0;
    this.restart();
    this.watch();
  }

  /** Tries it all again, as if for the first time. */
  again() {
    this.tries = 0;
    this.become(this.met ? "reconnecting" : "connecting");
    this.fresh();
    this.watch();
  }

  /**
   * Hears a signal of theirs.
   * @param {MediaSignal} signal
   */
  hear(signal) {
    if (this.closed) return;
    // So nobody can keep this device busy with making connections.
    if (this.handshake.renewedBy(signal) && performance.now() - this.begun < SOONEST_MS) return;
    const { fresh, take, greet } = this.handshake.hear(signal);
    if (fresh) {
      this.begin();
      if (this.state === "connected") this.become("reconnecting");
      this.watch();
    }
    if (signal.session === this.handshake.theirs) this.learn(signal.sends);
    if (take) this.take(signal);
    if (this.offers && this.handshake.theirs !== null && !this.handshake.used) this.offer();
    if (greet === "known") this.greet();
    if (greet === "unknown") {
      this.owed.unknown = true;
      this.pump();
    }
  }

  /** @param {import("./media-rules.js").Sends} sends */
  learn(sends) {
    if (sends.microphone === this.sends.microphone && sends.camera === this.sends.camera) return;
    this.sends = sends;
    this.show();
    this.host.changed();
  }

  /** @param {MediaSignal} signal */
  take({ round = 0, description, candidates, restart }) {
    if (description) {
      if (description.type !== (this.offers ? "answer" : "offer")) return;
      const { sdp = "" } = description;
      if (!this.offers) this.handshake.used = true;
      this.inTurn((pc) => (this.offers ? this.takeAnswer(pc, round, sdp) : this.takeOffer(pc, round, sdp)));
    }
    if (candidates) this.inTurn((pc) => this.takeCandidates(pc, round, candidates));
    // Only of the round that they know as the last: they may not have seen yet that there is a newer one.
    if (restart === this.round && this.offers && this.handshake.used) {
      if (this.answered) this.offer(true);
      else this.describe();
    }
  }

  /**
   * Makes an offer.
   * @param {boolean} [restart] with another path
   */
  offer(restart = false) {
    this.handshake.used = true;
    this.answered = false;
    this.inTurn(async (pc) => {
      await this.attach();
      await pc.setLocalDescription(await pc.createOffer({ iceRestart: restart }));
      this.enter(this.round + 1);
      this.describe();
    });
    this.watch();
  }

  /** What was gathered for the round before is of the past. @param {number} round */
  enter(round) {
    [this.round, this.candidates, this.told] = [round, [], 0];
  }

  /** @param {RTCPeerConnection} pc @param {number} round @param {string} sdp */
  async takeAnswer(pc, round, sdp) {
    if (round !== this.round || pc.signalingState !== "have-local-offer") return;
    await pc.setRemoteDescription({ type: "answer", sdp });
    this.answered = true;
    await this.takeEarly(pc);
  }

  /** @param {RTCPeerConnection} pc @param {number} round @param {string} sdp */
  async takeOffer(pc, round, sdp) {
    if (round < this.round) return;
    if (round > this.round) {
      await pc.setRemoteDescription({ type: "offer", sdp });
      this.enter(round);
    }
    if (pc.signalingState === "have-remote-offer") {
      for (const kind of KINDS) {
        const transceiver = this.transceiver(kind);
        if (transceiver) transceiver.direction = "sendrecv";
      }
      await this.attach();
      await pc.setLocalDescription();
      await this.takeEarly(pc);
    }
    // The same offer again means that the answer was lost.
    this.describe();
  }

  /** @param {RTCPeerConnection} pc @param {number} round @param {RTCIceCandidateInit[]} candidates */
  async takeCandidates(pc, round, candidates) {
    const room = MOST_EARLY - this.early.length;
    this.early.push(...candidates.slice(0, room).map((candidate) => ({ round, candidate })));
    await this.takeEarly(pc);
  }

  /** Takes the candidates whose description has come. @param {RTCPeerConnection} pc */
  async takeEarly(pc) {
    if (pc.signalingState !== "stable" || !pc.remoteDescription) return;
    const early = this.early;
    this.early = early.filter(({ round }) => round > this.round);
    for (const { round, candidate } of early) {
      // One that the browser can't read is one path less, and no more.
      if (round === this.round) await pc.addIceCandidate(candidate).catch(ignore);
    }
  }

  /** @param {RTCIceCandidate | null} candidate */
  gathered(candidate) {
    if (!candidate?.candidate) return;
    const text = this.host.relayOnly ? relayCandidate(candidate.candidate) : candidate.candidate;
    if (text === null) return;
    const place = givesWay(this.candidates, text);
    if (place < 0) return;
    this.candidates.splice(place, 1);
    if (place < this.told) this.told -= 1;
    this.candidates.push({ candidate: text, sdpMid: candidate.sdpMid, sdpMLineIndex: candidate.sdpMLineIndex });
    setTimeout(() => this.pump(), GATHER_MS);
  }

  /** Puts into the stream what they send: a camera that is off leaves no frozen picture behind. */
  show() {
    for (const kind of KINDS) {
      const track = this.transceiver(kind)?.receiver.track;
      if (!track) continue;
      if (kind === "audio" || this.sends.camera) this.stream.addTrack(track);
      else this.stream.removeTrack(track);
    }
  }

  /** The connection says how it stands. @param {RTCPeerConnectionState} connectionState */
  moved(connectionState) {
    if (connectionState === "connected") {
      this.tries = 0;
      this.met = true;
      this.become("connected");
      this.watch();
    } else if (connectionState === "disconnected" || connectionState === "failed") {
      if (this.state === "connected") this.become("reconnecting");
      if (this.state === "failed") return;
      // The next try is for another path: at once, or when it didn't come back by itself.
      this.tries = Math.max(this.tries, 2);
      this.watch(connectionState === "failed" ? 0 : BROKEN_MS);
    }
  }

  /** @param {LinkState} state */
  become(state) {
    if (this.state === state) return;
    this.state = state;
    this.host.changed();
  }

  /** Whether nothing is under way. */
  get settled() {
    if (this.pc?.connectionState !== "connected") return false;
    return this.offers ? this.answered : this.asked === null || this.round > this.asked;
  }

  /** Sees to it that what is under way comes to an end. @param {number} [ms] until the next look */
  watch(ms = pause(this.tries, Math.random())) {
    clearTimeout(this.timer);
    if (this.closed || this.state === "failed" || this.settled) return;
    this.timer = setTimeout(() => this.mend(), ms);
  }

  mend() {
    if (this.closed || this.settled) return;
    // Nobody can be told of anything; that is no try.
    if (!this.host.online()) return this.watch();
    this.tries += 1;
    const begun = this.offers ? this.handshake.used : this.round > 0;
    const connected = this.pc?.connectionState === "connected";
    switch (remedy({ tries: this.tries, offers: this.offers, connected, begun, answered: this.answered })) {
      case "give_up":
        // It still hears: if they come back, so does it.
        return this.become("failed");
      case "rest":
        return;
      case "fresh":
        this.fresh();
        break;
      case "restart":
        this.restart();
        break;
      case "resend":
        this.describe();
        break;
      case "greet":
        this.greet();
    }
    this.watch();
  }

  /** Another path for the connection that there is. */
  restart() {
    if (!this.offers) {
      this.asked = this.round;
      this.owed.restart = true;
      return this.pump();
    }
    if (!this.handshake.used) return this.greet();
    this.pc?.setConfiguration(this.host.configuration());
    this.offer(true);
  }

  /** Another connection. */
  fresh() {
    this.handshake.renew();
    this.begin();
    this.greet();
  }

  /** Says that we are here, and what we send. */
  greet() {
    this.owed.word = true;
    this.pump();
  }

  /** Sends our description, with the candidates that there are by then. */
  describe() {
    this.owed.description = true;
    this.pump();
  }

  /** Sends what is owed: one signal at a time, so that they stay in order and what gathers meanwhile goes together. */
  async pump() {
    if (this.pumping) return;
    this.pumping = true;
    while (!this.closed) {
      const { session, ...signal } = this.compose() ?? {};
      if (session === undefined) break;
      const { owed } = this;
      try {
        await this.host.signal(this.user, { media: 1, session, ...signal });
      } catch (/** @type {any} */ error) {
        if (error?.code !== "unavailable" && error?.code !== "rate_limited") continue; // the next try has to do
        // Still owed, and told as it stands by then.
        owed.word = true;
        owed.description ||= signal.description !== undefined || signal.candidates !== undefined;
        owed.restart ||= signal.restart !== undefined;
        await new Promise((resolve) => setTimeout(resolve, error.retryAfterMs ?? UNSENT_MS));
      }
    }
    this.pumping = false;
  }

  /** Makes a signal of all that is owed. @returns {any} null if nothing is */
  compose() {
    const { owed, pc, handshake: { mine, theirs }, host: { relayOnly } } = this;
    if (owed.unknown) {
      owed.unknown = false;
      return { session: mine, to: null, sends: this.host.sends() };
    }
    // While an offer is being answered, what there is belongs to the one before.
    const ready = theirs !== null && this.round > 0 && pc?.signalingState !== "have-remote-offer";
    const description = ready && owed.description ? pc?.localDescription : null;
    // Candidates follow their description, which brings those that there are.
    const candidates = ready ? this.candidates.slice(description ? 0 : this.told) : [];
    if (!owed.word && !description && !owed.restart && candidates.length === 0) return null;
    /** @type {any} */
    const signal = { session: mine, to: theirs, sends: this.host.sends() };
    if (description) {
      const sdp = relayOnly ? relayDescription(description.sdp) : description.sdp;
      if (sdp.length > LONGEST_DESCRIPTION) console.warn("Ringback: this browser's description is too long to be sent.");
      Object.assign(signal, { round: this.round, description: { type: description.type, sdp } });
    }
    if (candidates.length > 0) Object.assign(signal, { round: this.round, candidates });
    if (ready) this.told = this.candidates.length;
    if (owed.restart) signal.restart = this.round;
    owed.word = owed.restart = false;
    if (ready) owed.description = false;
    return signal;
  }

  /** Sends what is there to be sent, without an offer. */
  async attach() {
    await Promise.all(KINDS.map(async (kind) => {
      const sender = this.transceiver(kind)?.sender;
      const track = this.host.track(kind);
      if (sender && sender.track !== track) await sender.replaceTrack(track).catch(ignore); // closed meanwhile
    }));
  }

  /** The one for a kind: the first, whatever else an offer may have had. @param {Kind} kind */
  transceiver(kind) {
    return this.pc?.getTransceivers().find(({ receiver }) => receiver.track.kind === kind);
  }

  /**
   * Does a thing to the connection once it is done with the one before. What fails is tried again by `mend`.
   * @param {(pc: RTCPeerConnection) => Promise<void>} work
   */
  inTurn(work) {
    const { pc } = this;
    if (!pc || this.working >= MOST_WORK) return;
    this.working += 1;
    this.work = this.work.then(async () => {
      if (this.pc !== pc || this.closed) return;
      this.working -= 1;
      await work(pc).catch((error) => console.debug("Ringback: media:", error));
    });
  }
}

function nothing() {
  return { word: false, unknown: false, description: false, restart: false };
}

function ignore() {}
