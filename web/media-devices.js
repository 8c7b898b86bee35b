// The microphone and the camera of this device while it is in a call, or what stands in for them.

import { deviceProblem, lackOf } from "./media-rules.js";

/** @typedef {import("./media-rules.js").Kind} Kind */
/** @typedef {import("./media-rules.js").Lack} Lack */

/** @type {readonly Kind[]} */
export const KINDS = ["audio", "video"];

/**
 * @typedef {object} DeviceOptions
 * @property {MediaTrackConstraints} audio
 * @property {MediaTrackConstraints} video
 * @property {(lacking: {audio: boolean, video: boolean}) => MediaStream | null | Promise<MediaStream | null>} standIn
 * @property {() => void} changed what is sent, or the problem, is another
 */

export class Devices {
  /** @param {DeviceOptions} options */
  constructor(options) {
    this.options = options;
    /** What is sent: at most one track of each kind. */
    this.stream = new MediaStream();
    this.wanted = { audio: false, video: false };
    /** Whether sound is off, whichever microphone there is, or comes yet. */
    this.muted = false;
    /** @type {{audio: Lack | null, video: Lack | null}} */
    this.lacks = { audio: null, video: null };
    this.closed = false;
    /** What is done to devices is done in turn. @type {Promise<void>} */
    this.turn = Promise.resolve();
  }

  /** @param {Kind} kind @returns {MediaStreamTrack | null} */
  track(kind) {
    return this.stream.getTracks().find((track) => track.kind === kind) ?? null;
  }

  /** What the others may see and hear now. @returns {import("./media-rules.js").Sends} */
  get sends() {
    return { microphone: this.track("audio")?.enabled ?? false, camera: this.track("video") !== null };
  }

  get problem() {
    return deviceProblem(this.lacks, this.wanted);
  }

  /**
   * Opens what is wanted; without leave, or without a device, what stands in for it, if anything does.
   * @param {{audio: boolean, video: boolean}} wanted
   * @returns {Promise<void>} settled when that is over, however it went
   */
  open(wanted) {
    this.wanted = { ...wanted };
    this.muted = !wanted.audio;
    return this.inTurn(() => this.fill());
  }

  /** Sound on or off; the microphone itself stays open, so that it is back at once. @param {boolean} on */
  microphone(on) {
    this.muted = !on;
    const track = this.track("audio");
    if (track) track.enabled = on;
    if (track || !on) return this.options.changed();
    this.wanted.audio = true;
    return this.inTurn(() => this.fill());
  }

  /** Picture on or off; off closes the camera, and its light goes out. @param {boolean} on */
  camera(on) {
    this.wanted.video = on;
    if (!on) this.drop("video");
    return this.inTurn(() => this.fill());
  }

  /** Asks again for what is wanted and isn't there. */
  again() {
    return this.inTurn(async () => {
      // What stands in gives way to the device, if it can be had now.
      for (const kind of KINDS) if (this.lacks[kind]) this.drop(kind);
      await this.fill();
    });
  }

  /** Closes everything, for good. */
  close() {
    this.closed = true;
    for (const kind of KINDS) this.drop(kind);
  }

  /** @param {() => Promise<void>} work @returns {Promise<void>} */
  inTurn(work) {
    this.turn = this.turn.then(async () => {
      if (!this.closed) await work();
    });
    return this.turn;
  }

  /** Gets what is wanted and isn't there yet. */
  async fill() {
    const kinds = KINDS.filter((kind) => this.wanted[kind] && !this.track(kind));
    if (kinds.length > 0) {
      const present = await presentKinds();
      // While the user is asked, nothing is lacking yet.
      for (const kind of kinds) this.lacks[kind] = present.has(kind) ? null : "missing";
      await this.ask(kinds.filter((kind) => present.has(kind)));
      await this.standIn(kinds.filter((kind) => this.lacks[kind]));
    }
    if (!this.closed) this.options.changed();
  }

  /**
   * Asks for devices: for all at once, so that the user is asked once; where that fails, singly.
   * @param {Kind[]} kinds
   */
  async ask(kinds) {
    if (kinds.length === 0 || this.closed) return;
    try {
      const constraints = Object.fromEntries(kinds.map((kind) => [kind, this.options[kind]]));
      const stream = await navigator.mediaDevices.getUserMedia(constraints);
      for (const track of stream.getTracks()) this.take(track, true);
    } catch (error) {
      const lack = lackOf(error);
      for (const kind of kinds) {
        // Who said no isn't asked again; but the browser may have been told before to give only one.
        const singly = kinds.length > 1 && (lack !== "denied" || (await granted(kind)));
        if (singly) await this.ask([kind]);
        else this.lacks[kind] = lack;
      }
    }
  }

  /** @param {Kind[]} kinds that are lacking */
  async standIn(kinds) {
    if (kinds.length === 0 || this.closed) return;
    try {
      const stream = await this.options.standIn({ audio: kinds.includes("audio"), video: kinds.includes("video") });
      for (const track of stream?.getTracks() ?? []) {
        if (kinds.includes(/** @type {Kind} */ (track.kind))) this.take(track, false);
        else track.stop();
      }
    } catch (error) {
      reportError(error); // the app's own mistake, which it may see
    }
  }

  /** @param {MediaStreamTrack} track @param {boolean} real of a device, and not of a stand-in */
  take(track, real) {
    const kind = /** @type {Kind} */ (track.kind);
    // It may have come too late: the call is over, or the camera was switched off meanwhile.
    if (this.closed || !this.wanted[kind] || this.track(kind)) return track.stop();
    if (real) this.lacks[kind] = null;
    if (kind === "audio") track.enabled = !this.muted;
    this.stream.addTrack(track);
    // Not our doing: unplugged, or leave was taken away. Another one may be there.
    track.addEventListener("ended", () => {
      if (this.track(kind) !== track) return;
      this.drop(kind);
      this.inTurn(() => this.fill());
    });
  }

  /** @param {Kind} kind */
  drop(kind) {
    const track = this.track(kind);
    if (!track) return;
    this.stream.removeTrack(track);
    track.stop();
  }
}

/** The kinds of which there is a device. @returns {Promise<Set<Kind>>} */
async function presentKinds() {
  try {
    const devices = await navigator.mediaDevices.enumerateDevices();
    return new Set(devices.flatMap(({ kind }) => (kind === "audioinput" ? ["audio"] : kind === "videoinput" ? ["video"] : [])));
  } catch {
    return new Set(); // no secure context, or a policy that forbids them all
  }
}

/** Whether a kind may be used without asking. @param {Kind} kind */
async function granted(kind) {
  try {
    const name = /** @type {PermissionName} */ (kind === "audio" ? "microphone" : "camera");
    return (await navigator.permissions.query({ name })).state === "granted";
  } catch {
    return false; // not every browser knows these names
  }
}
