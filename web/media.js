// Sound and picture for the call that this device is in: WebRTC between up to four people, signalled by the service. Optional:
// an app that brings its own leaves it out.

import { ConfigError } from "./config.js";
import { inTime, MediaCall } from "./media-call.js";
import { merge, mesh, wish } from "./media-rules.js";
import { CallError } from "./shapes.js";
import { keep, recall } from "./storage.js";

/** @typedef {import("./media-rules.js").Member} Member */
/** @typedef {import("./media-rules.js").Problem} Problem */
/** @typedef {import("./shapes.js").CallUser} CallUser */

/**
 * What is used of the `CallInvitationService`.
 * @typedef {object} MediaServiceMethods
 * @property {string | null} user
 * @property {string} connectionState
 * @property {MediaServiceCall[]} calls
 * @property {(signal: {to: string, data: object, invitationID?: string}) => Promise<void>} signal
 * @property {(invitationID?: string) => Promise<{iceServers: RTCIceServer[], expiresInMs?: number}>} iceServers
 * @property {(invitationID: string, offset?: number) => Promise<MediaServiceCall>} details
 * @property {(invitationID?: string) => Promise<void>} leave
 * @property {boolean | null} [enteredHere]
 */
/** @typedef {EventTarget & MediaServiceMethods} MediaService */
/**
 * @typedef {object} MediaServiceCall
 * @property {string} invitationID
 * @property {import("./shapes.js").CallType} callType
 * @property {boolean} inCall
 * @property {Member[]} participants
 * @property {number} participantsCount
 * @property {number} inCallCount
 */

/**
 * How sound and picture are to be; whatever is left out has its default.
 * @typedef {object} MediaOptions
 * @property {boolean} [relayOnly] false; true: connects only by a TURN server that the Ringback server names, so that
 *   nobody learns this device's address. Without one, nobody is connected (problem `no_relay`)
 * @property {boolean} [microphone] true: on at the beginning of a call
 * @property {boolean | "video calls"} [camera] on at the beginning: of video calls, the default; of every call; of none
 * @property {MediaTrackConstraints} [audio] for the microphone; echo is cancelled, noise suppressed and level evened by default
 * @property {MediaTrackConstraints} [video] for the camera; 640 by 360 at 24 pictures a second by default
 * @property {(lacking: {audio: boolean, video: boolean}) => MediaStream | null | Promise<MediaStream | null>} [standIn]
 *   gives what is sent in place of devices that aren't there or may not be used: a drawn picture, say. A new stream each
 *   time; its tracks are stopped with the call
 */

/**
 * How it stands. `idle`: this device is in no call, or hung up. `starting`: devices are being opened. `on`. `full`: four others
 * are in the call before us; we get in when one of them leaves. `elsewhere`: another tab of this device has it, and
 * `takeHere` moves it here.
 * @typedef {"idle" | "starting" | "on" | "full" | "elsewhere"} MediaState
 */

/**
 * One of the others.
 * @typedef {object} MediaPeer
 * @property {CallUser} user
 * @property {MediaStream} stream what comes from them, the same object as long as they stay: give it to a `<video autoplay
 *   playsinline>`. It has a picture only while their camera is on
 * @property {"connecting" | "connected" | "reconnecting" | "failed"} state `failed`: it was tried for about a minute;
 *   `retry()` tries again, and so does the other side's
 * @property {boolean} microphone whether they say that theirs is on
 * @property {boolean} camera
 */

/** @type {MediaTrackConstraints} */
const SOUND = { echoCancellation: true, noiseSuppression: true, autoGainControl: true };
/** @type {MediaTrackConstraints} */
const PICTURE = { width: { ideal: 640 }, height: { ideal: 360 }, frameRate: { ideal: 24 }, facingMode: "user" };

const UNTOLD = "The server can't be told just now that you left; it learns of it once there is a connection.";
const FULL = "Four people see and hear each other already. You are in the call, and get in when one of them leaves.";

/** How long a tab that isn't looked at lets the others take the call, in ms. */
const UNSEEN_MS = 500;
/** How long it lets one come back that was loaded again, in ms. */
const RELOADED_MS = 2_000;
/** Connections that don't come back by themselves: to the server, and so to the others, this device is gone. */
const GONE = new Set(["replaced", "unauthorized", "upgrade_required", "disconnected"]);
/** Pages of participants fetched of a call of many; each has at most 100. */
const MOST_PAGES = 10;

/**
 * Sound and picture for whatever call this device is in. It follows the service by itself: opens devices and connects when
 * the device is in a call, and closes them after it. Fires "change" when anything of it is new: draw from it.
 *
 * Of several tabs, the one in which the app entered the call has it; the others, when that one is gone.
 *
 * The first four who came in see and hear each other; who comes later is in the call without sound and picture, is told
 * (`state` full), and gets in when one leaves.
 */
export class CallMedia extends EventTarget {
  /** @type {MediaService} */
  #service;
  #options;
  /** The stay in a call that is followed now. @type {string | null} */
  #stay = null;
  /** The stay that was hung up, and may not yet be known to be over. @type {string | null} */
  #left = null;
  /** How the user wants it in a stay, as this tab knows. @type {import("./media-rules.js").Wish | null} */
  #wish = null;
  /** @type {MediaCall | null} */
  #run = null;
  /** Gives up being the tab that has the media, or waiting for it. @type {AbortController | null} */
  #claim = null;
  #claimed = false;
  #elsewhere = false;
  /** Whether a stay's sound and picture were moved here, or away. @type {{stay: string, here: boolean} | null} */
  #moved = null;
  #full = false;
  /** Participants of a call of many, as fetched. @type {{invitationID: string, members: Member[], fresh: boolean} | null} */
  #fetched = null;
  #fetching = false;
  #connection = "";
  #telling = false;
  #following = new AbortController();

  /**
   * Begins to follow.
   * @param {MediaService} service a `CallInvitationService`, signed in or not yet
   * @param {MediaOptions} [options]
   * @throws {ConfigError} naming the option that is wrong
   */
  constructor(service, options = {}) {
    super();
    this.#service = service;
    this.#options = checkOptions(options);
    const { signal } = this.#following;
    service.addEventListener("change", () => this.#follow(), { signal });
    service.addEventListener("signal", (event) => this.#hear(/** @type {CustomEvent} */ (event).detail), { signal });
    this.#follow();
  }

  /** @returns {MediaState} */
  get state() {
    if (this.#stay === null || this.#stay === this.#left) return "idle";
    if (this.#elsewhere) return "elsewhere";
    if (this.#full) return "full";
    return this.#run?.opened ? "on" : "starting";
  }

  /** What this device sends: for a small picture of oneself, muted. @returns {MediaStream | null} */
  get local() {
    return this.#run?.devices.stream ?? null;
  }

  /** The others who are seen and heard, or will be, in the order in which they came in. @returns {MediaPeer[]} */
  get peers() {
    const run = this.#run;
    return (run?.others ?? []).map(({ member: { user }, stream, link }) => {
      const state = link?.state ?? (run?.noRelay ? "failed" : "connecting");
      const { microphone, camera } = link?.sends ?? { microphone: false, camera: false };
      return { user, stream, state, microphone, camera };
    });
  }

  /** Whether sound is sent now. */
  get microphone() {
    return this.#run?.devices.sends.microphone ?? false;
  }

  /** Whether a picture is sent now. */
  get camera() {
    return this.#run?.devices.sends.camera ?? false;
  }

  /**
   * What keeps it from being as it should, to show to the user. Codes: `full`, `no_relay`, `devices_denied`, `devices_busy`,
   * `no_devices`, `no_microphone`, `no_camera`.
   * @returns {Problem | null}
   */
  get problem() {
    if (this.state === "full") return { code: "full", message: FULL };
    return this.#run?.problem ?? null;
  }

  /**
   * Mutes the microphone, or not: for as long as this device is in the call, in whichever tab that goes on; outside a call,
   * for those to come.
   * @param {boolean} on
   */
  async setMicrophone(on) {
    this.#say({ microphone: on });
    await this.#run?.devices.microphone(on);
  }

  /**
   * Closes the camera, or opens it, in a voice call too; for as long as the microphone's.
   * @param {boolean} on
   */
  async setCamera(on) {
    this.#say({ camera: on });
    await this.#run?.devices.camera(on);
  }

  /** Asks again for devices that weren't to be had, and tries those again who could not be reached. */
  async retry() {
    await this.#run?.again();
  }

  /** Moves sound and picture here from the tab that has them (`elsewhere`). */
  takeHere() {
    if (this.state !== "elsewhere") return;
    this.#moved = { stay: this.#stay ?? "", here: true };
    this.#release();
    this.#changed();
    this.#follow();
  }

  /**
   * What the browser counts of the connection to one of the others.
   * @param {string} user id
   * @returns {Promise<RTCStatsReport | null>} null without one
   */
  async stats(user) {
    return (await this.#run?.other(user)?.link?.pc?.getStats()) ?? null;
  }

  /**
   * Stops sound and picture at once, and leaves the call.
   * @throws {CallError} if that could not be; what was stopped stays so. `unavailable`: the server could not be told for ten
   *   seconds, and is once there is a connection
   */
  async hangUp() {
    const call = this.#service.calls.find((one) => one.inCall);
    this.#left = (call && stayIn(call)) ?? this.#stay;
    // The tab keeps the call until it is over, or another tab would go on with it.
    this.#end();
    this.#changed();
    if (call) await inTime(this.#service.leave(call.invitationID), new CallError({ code: "unavailable", message: UNTOLD }));
  }

  /** Stops following, and closes everything, for good. The call itself goes on. */
  close() {
    this.#following.abort();
    this.#stay = null;
    this.#stop();
    this.#release();
    this.#changed();
  }

  /** The call that is to have sound and picture. @returns {MediaServiceCall | undefined} */
  get #call() {
    const { connectionState, calls } = this.#service;
    return GONE.has(connectionState) ? undefined : calls.find((one) => one.inCall && stayIn(one) !== null);
  }

  /** Looks at how the service stands. */
  #follow() {
    if (this.#following.signal.aborted) return;
    const { connectionState } = this.#service;
    const call = this.#call;
    const stay = call ? stayIn(call) : null;
    if (stay !== this.#stay) {
      this.#stop();
      this.#stay = stay;
      // From one call to the next the tab stays the one that has the media, unless another one entered it.
      if (stay === null || this.#here === !this.#claimed) this.#release();
      this.#changed();
    }
    if (!call || stay === this.#left) return;
    if (!this.#claim) this.#take();
    if (this.#claimed) this.#join(call);
    const back = this.#connection !== connectionState && connectionState === "connected";
    this.#connection = connectionState;
    if (back) this.#run?.reconnected();
  }

  /** Whether this tab is the one to have the media of this stay; null: the others may as well. @returns {boolean | null} */
  get #here() {
    return this.#moved?.stay === this.#stay ? (this.#moved?.here ?? null) : (this.#service.enteredHere ?? null);
  }

  /**
   * Has this tab have the sound and picture: if it is the one to have them, whoever else has; else if no other has, or as
   * soon as that one is gone.
   */
  async #take() {
    const claim = new AbortController();
    this.#claim = claim;
    const here = this.#here;
    this.#elsewhere = here === false;
    const name = `ringback:${this.#service.user}:media`;
    /** @param {Lock | null} lock */
    const had = (lock) => {
      if (claim.signal.aborted) return;
      this.#elsewhere = lock === null;
      this.#claimed = lock !== null;
      this.#changed();
      if (!lock) return;
      queueMicrotask(() => this.#follow());
      return new Promise((release) => claim.signal.addEventListener("abort", () => release(undefined)));
    };
    // The tab that the user looks at goes first; if that is loaded again, the lock comes here, and has to go back.
    const inTurn = (/** @type {Lock | null} */ lock) => (unseen() ? undefined : had(lock));
    /** @param {LockOptions} options @param {(lock: Lock | null) => unknown} work */
    const request = async (options, work) => {
      await navigator.locks.request(name, options, work).catch(ignoreAbort);
      if (!claim.signal.aborted && this.#claimed) this.#lose();
    };
    if (here) await request({ steal: true }, had);
    for (let ms = UNSEEN_MS; ; ms = RELOADED_MS) {
      // The one in which the call was entered goes before one that is looked at.
      if (unseen() || (here === false && ms === UNSEEN_MS)) await seen(ms);
      if (claim.signal.aborted) return;
      await request({ ifAvailable: true }, had);
      if (claim.signal.aborted) return;
      await request({ signal: claim.signal }, inTurn);
    }
  }

  /** Another tab took the sound and picture. */
  #lose() {
    this.#moved = { stay: this.#stay ?? "", here: false };
    this.#claimed = false;
    this.#elsewhere = true;
    this.#end();
    this.#changed();
  }

  /** Opens what is to be open for this call, as it stands. @param {MediaServiceCall} call */
  #join(call) {
    const members = this.#members(call);
    if (!members) return; // it isn't known yet who is in it
    const first = mesh(members);
    const inside = first.some((one) => one.self);
    if (this.#full === inside) {
      this.#full = !inside;
      this.#changed();
    }
    if (!inside) return this.#end();
    if (!this.#run) {
      this.#run = this.#begin(call);
    } else if (this.#wish?.callType !== call.callType) {
      const { camera } = this.#want(call);
      if (!camera) this.#run.devices.camera(false);
    }
    this.#run.meet(first.filter((one) => !one.self));
  }

  /** @param {MediaServiceCall} call */
  #begin(call) {
    const { relayOnly, audio, video, standIn } = this.#options;
    const { microphone, camera } = this.#want(call);
    this.#connection = this.#service.connectionState;
    return new MediaCall({
      service: this.#service,
      self: this.#service.user ?? "",
      invitationID: call.invitationID,
      relayOnly,
      wanted: { audio: microphone, video: camera },
      devices: { audio, video, standIn },
      changed: () => this.#changed(),
    });
  }

  /**
   * Keeps what the user says about this stay; outside a call, about those to come.
   * @param {{microphone?: boolean, camera?: boolean}} said
   */
  #say(said) {
    this.#follow(); // it is about the call as it is now
    const call = this.#call;
    if (!call || this.state === "idle") Object.assign(this.#options, said);
    else this.#want(call, said);
  }

  /**
   * How the user wants it in this stay. It is kept where the other tabs, and this page loaded again, find it: who is muted
   * stays so.
   * @param {MediaServiceCall} call
   * @param {{microphone?: boolean, camera?: boolean}} [said] what is new
   */
  #want({ callType }, said) {
    const [user, stay] = [this.#service.user ?? "", this.#stay ?? ""];
    const kept = this.#run ? null : recall(user, "media"); // the tab that has the media knows best
    this.#wish = { ...wish(stay, callType, this.#options, kept?.stay === stay ? kept : this.#wish), ...said };
    keep(user, this.#wish, "media");
    return this.#wish;
  }

  /**
   * Everyone in a call. Of many the service lists those who changed last; the rest is fetched.
   * @param {MediaServiceCall} call
   * @returns {Member[] | null} null until they were
   */
  #members(call) {
    const { invitationID, participants, inCallCount } = call;
    const fetched = this.#fetchedOf(invitationID);
    const members = merge(fetched?.members ?? [], participants);
    // Who left is listed only until twenty others have changed since; it isn't said again.
    if (fetched) fetched.members = members;
    if (members.filter((one) => one.state === "accepted").length === inCallCount) return members;
    if (!fetched?.fresh) this.#fetch(call);
    if (fetched) fetched.fresh = false;
    return fetched && members;
  }

  /** @param {string} invitationID */
  #fetchedOf(invitationID) {
    return this.#fetched?.invitationID === invitationID ? this.#fetched : null;
  }

  /** @param {MediaServiceCall} call */
  async #fetch({ invitationID, participantsCount }) {
    if (this.#fetching) return;
    this.#fetching = true;
    /** @type {Member[]} */
    let members = [];
    try {
      for (let page = 0; page < MOST_PAGES && members.length < participantsCount; page += 1) {
        const { participants } = await this.#service.details(invitationID, Math.max(0, members.length - 1));
        members = merge(members, participants);
      }
      // Views that came meanwhile may know better.
      const known = this.#fetchedOf(invitationID)?.members ?? [];
      this.#fetched = { invitationID, members: merge(members, known), fresh: true };
      this.#follow();
    } catch {
      // Whatever it was, the call's next change asks again.
    } finally {
      this.#fetching = false;
    }
  }

  /** @param {{invitationID: string, from: {user: string, device: string}, data: unknown}} heard */
  #hear(heard) {
    if (this.#run && heard.invitationID === this.#run.options.invitationID) this.#run.hear(heard);
  }

  /** Closes what is open for this call; the tab keeps it. */
  #end() {
    this.#run?.close();
    this.#run = null;
  }

  /** Is done with this stay. */
  #stop() {
    this.#end();
    this.#fetched = null;
    this.#full = false;
  }

  /** Leaves the sound and picture of what comes to whichever tab takes it. */
  #release() {
    this.#claim?.abort();
    this.#claim = null;
    this.#claimed = this.#elsewhere = false;
  }

  /** Tells the app, once for all that changes together. */
  #changed() {
    if (this.#telling) return;
    this.#telling = true;
    queueMicrotask(() => {
      this.#telling = false;
      this.dispatchEvent(new Event("change"));
    });
  }
}

/** @param {MediaOptions} options */
function checkOptions(options) {
  const {
    relayOnly = false, microphone = true, camera = "video calls", audio = {}, video = {}, standIn = () => null, ...rest
  } = options;
  for (const name of Object.keys(rest)) throw new ConfigError(name, "is unknown to CallMedia");
  for (const [name, value] of Object.entries({ relayOnly, microphone })) {
    if (typeof value !== "boolean") throw new ConfigError(name, "must be true or false");
  }
  if (typeof camera !== "boolean" && camera !== "video calls") {
    throw new ConfigError("camera", 'must be true, false or "video calls"');
  }
  for (const [name, value] of Object.entries({ audio, video })) {
    if (typeof value !== "object" || value === null) throw new ConfigError(name, "must be an object of constraints");
  }
  if (typeof standIn !== "function") throw new ConfigError("standIn", "must be a function that gives a MediaStream, or null");
  return { relayOnly, microphone, camera, audio: { ...SOUND, ...audio }, video: { ...PICTURE, ...video }, standIn };
}

/**
 * This user's stay in a call, by a name that no other stay has: who leaves and comes again has another turn.
 * @param {MediaServiceCall} call
 * @returns {string | null} null if they aren't in it
 */
function stayIn({ invitationID, participants }) {
  const self = participants.find((one) => one.self);
  return self?.state === "accepted" ? `${invitationID} ${self.turn}` : null;
}

/** Whether the user looks at something else. */
function unseen() {
  return globalThis.document?.visibilityState === "hidden";
}

/** Waits until the user may look here, but not for long. @param {number} ms @returns {Promise<unknown>} */
function seen(ms) {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
    globalThis.document?.addEventListener("visibilitychange", resolve, { once: true });
  });
}

/** @param {any} error */
function ignoreAbort(error) {
  if (error?.name !== "AbortError") throw error;
}
