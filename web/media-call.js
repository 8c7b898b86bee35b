// One stay in one call: its devices, its ICE servers, and a link to each of the others in the mesh.

import { Devices } from "./media-devices.js";
import { Link } from "./media-link.js";
import { hasRelay, readSignal, takenServers } from "./media-rules.js";

/** @typedef {import("./media.js").MediaService} MediaService */
/** @typedef {import("./media-rules.js").Member} Member */
/** @typedef {import("./media-rules.js").Problem} Problem */

/** How long the devices may take, the user's leave above all, before connections are made without them, in ms. */
const DEVICES_MS = 3_000;
/** How long a request may take before it counts as lost, in ms. */
const REQUEST_MS = 10_000;
/** Pause before a request is tried again, in ms, unless the server names one. */
const AGAIN_MS = 1_000;
/** How long the servers that are known do, when new ones are refused, in ms. */
const REFUSED_MS = 60_000;
/** Of the time that a relay's password holds, how much passes before a new one is fetched. */
const RENEWED_AFTER = 0.8;
/** Longest that a timer of the browser can be set, in ms. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/**
 * @typedef {object} MediaCallOptions
 * @property {MediaService} service
 * @property {string} self user id
 * @property {string} invitationID
 * @property {boolean} relayOnly
 * @property {{audio: boolean, video: boolean}} wanted
 * @property {Omit<import("./media-devices.js").DeviceOptions, "changed">} devices
 * @property {() => void} changed
 */

/**
 * One of the others. Who leaves and comes again is another.
 * @typedef {object} Other
 * @property {Member} member
 * @property {MediaStream} stream what comes from them
 * @property {Link | null} link null until all is there for it
 */

export class MediaCall {
  /** @param {MediaCallOptions} options */
  constructor(options) {
    this.options = options;
    this.devices = new Devices({ ...options.devices, changed: () => this.resend() });
    /** The others in the mesh, in the order in which they came in. @type {Other[]} */
    this.others = [];
    /** @type {RTCIceServer[] | null} */
    this.iceServers = null;
    this.opened = false;
    this.ready = false;
    this.noRelay = false;
    this.closed = false;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.renewal = undefined;
    this.start();
  }

  async start() {
    const opened = this.devices.open(this.options.wanted).then(() => {
      this.opened = true;
      this.options.changed();
    });
    await Promise.all([this.fetchServers(), Promise.race([opened, sleep(DEVICES_MS)])]);
    if (this.closed) return;
    this.ready = true;
    this.linkUp();
  }

  /**
   * Takes in who is in the mesh now, besides this user: with nobody else there is a connection.
   * @param {Member[]} members
   */
  meet(members) {
    const others = members.map((member) => {
      const same = this.others.find((one) => one.member.user.id === member.user.id && one.member.turn === member.turn);
      return same ?? { member, stream: new MediaStream(), link: null };
    });
    const gone = this.others.filter((one) => !others.includes(one));
    for (const { link } of gone) link?.close();
    if (gone.length === 0 && others.length === this.others.length) return;
    this.others = others;
    this.linkUp();
  }

  linkUp() {
    if (this.ready && !this.closed && !this.noRelay) {
      for (const other of this.others) other.link ??= new Link(this.host, other.member.user.id, other.stream);
    }
    this.options.changed();
  }

  /** @returns {import("./media-link.js").LinkHost} */
  get host() {
    const { self, relayOnly, service, invitationID, changed } = this.options;
    return {
      self,
      relayOnly,
      changed,
      configuration: () => ({
        iceServers: this.iceServers ?? [],
        iceTransportPolicy: relayOnly ? "relay" : "all",
        bundlePolicy: "max-bundle",
      }),
      track: (kind) => this.devices.track(kind),
      sends: () => this.devices.sends,
      signal: (to, data) => inTime(service.signal({ to, data, invitationID })),
      online: () => service.connectionState === "connected",
    };
  }

  /** @param {string} user */
  other(user) {
    return this.others.find((one) => one.member.user.id === user);
  }

  /** @returns {Link[]} */
  get links() {
    return this.others.flatMap(({ link }) => (link ? [link] : []));
  }

  /**
   * Hears a signal; what isn't from one of the others in the mesh, or isn't well formed, is nothing to us.
   * @param {{from: {user: string}, data: unknown}} heard
   */
  hear({ from, data }) {
    const link = this.other(from.user)?.link;
    const signal = link && readSignal(data);
    if (signal) link.hear(signal);
  }

  /** The service was away and is back: everybody finds the path anew. */
  reconnected() {
    for (const link of this.links) link.renegotiate();
  }

  /** Asks for lacking devices once more, and tries those again who could not be reached. */
  async again() {
    if (this.noRelay) {
      await this.fetchServers();
      this.linkUp();
    }
    for (const link of this.links) if (link.state === "failed") link.again();
    await this.devices.again();
  }

  /** @returns {Problem | null} */
  get problem() {
    if (this.noRelay) {
      return { code: "no_relay", message: "Your address is to stay hidden, and the server names no relay. Nobody is connected." };
    }
    return this.opened ? this.devices.problem : null;
  }

  resend() {
    for (const link of this.links) link.resend();
    this.options.changed();
  }

  close() {
    this.closed = true;
    clearTimeout(this.renewal);
    for (const link of this.links) link.close();
    this.others = [];
    this.devices.close();
  }

  /** @param {number} ms until the ICE servers are asked for again */
  renewIn(ms) {
    clearTimeout(this.renewal);
    if (this.closed) return;
    this.renewal = setTimeout(() => this.fetchServers(), Math.min(Math.max(ms, AGAIN_MS), LONGEST_TIMER_MS));
  }

  /** Asks for the ICE servers until there is an answer, and again before their passwords expire. */
  async fetchServers() {
    const { service, invitationID, relayOnly } = this.options;
    while (!this.closed) {
      try {
        const { iceServers, expiresInMs } = await inTime(service.iceServers(invitationID));
        if (this.closed) return;
        this.iceServers = takenServers(iceServers, takes);
        if (expiresInMs !== undefined) this.renewIn(expiresInMs * RENEWED_AFTER);
        break;
      } catch (/** @type {any} */ error) {
        if (error?.code !== "unavailable" && error?.code !== "rate_limited") {
          // There are none to be had; but who had some may be given some again.
          if (this.iceServers) this.renewIn(REFUSED_MS);
          break;
        }
        await sleep(error.retryAfterMs ?? AGAIN_MS);
      }
    }
    if (this.closed) return;
    this.noRelay = relayOnly && !hasRelay(this.iceServers ?? []);
    for (const link of this.links) link.pc?.setConfiguration(this.host.configuration());
    this.options.changed();
  }
}

/** Whether this browser takes an ICE server, of one address. @param {RTCIceServer} server */
function takes(server) {
  try {
    new RTCPeerConnection({ iceServers: [server] }).close();
    return true;
  } catch (error) {
    console.warn(`Ringback: this browser takes no ICE server ${server.urls}:`, error);
    return false;
  }
}

/** @param {number} ms @returns {Promise<void>} */
function sleep(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/**
 * A request's answer, or its being lost.
 * @template T
 * @param {Promise<T>} request
 * @param {{code?: string}} [error] what it fails with then
 * @returns {Promise<T>}
 */
export function inTime(request, error = { code: "unavailable" }) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  /** @type {Promise<never>} */
  const lost = new Promise((_, refuse) => (timer = setTimeout(() => refuse(error), REQUEST_MS)));
  return Promise.race([request, lost]).finally(() => clearTimeout(timer));
}
