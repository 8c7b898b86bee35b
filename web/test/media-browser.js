// What of a browser the tests of media need: tracks, streams, devices, locks and connections that do as they are told.

export class Track extends EventTarget {
  /** @param {string} kind */
  constructor(kind) {
    super();
    this.kind = kind;
    this.enabled = true;
    this.readyState = "live";
  }

  stop() {
    this.readyState = "ended";
  }
}

export class Stream {
  /** @param {Track[]} [tracks] */
  constructor(tracks = []) {
    this.tracks = new Set(tracks);
  }

  getTracks() {
    return [...this.tracks];
  }

  /** @param {Track} track */
  addTrack(track) {
    this.tracks.add(track);
  }

  /** @param {Track} track */
  removeTrack(track) {
    this.tracks.delete(track);
  }
}

/** A microphone and a camera, and a user who is asked for them. */
export class Desk {
  constructor() {
    /** The kinds that there are. @type {string[]} */
    this.kinds = ["audio", "video"];
    /** What the user says; a promise: they are thinking. @type {() => unknown} */
    this.answers = () => undefined;
    /** All tracks that were opened. @type {Track[]} */
    this.opened = [];
  }

  async enumerateDevices() {
    return this.kinds.map((kind) => ({ kind: `${kind}input` }));
  }

  /** @param {object} constraints */
  async getUserMedia(constraints) {
    await this.answers();
    const tracks = Object.keys(constraints).map((kind) => new Track(kind));
    this.opened.push(...tracks);
    return new Stream(tracks);
  }

  get live() {
    return this.opened.filter((track) => track.readyState === "live").map((track) => track.kind);
  }
}

/** Web Locks of one browser; as there, a lock that is given up is free only a moment later. */
export class Locks {
  constructor() {
    /** By name, what takes each from who has it. @type {Map<string, (error: Error) => void>} */
    this.held = new Map();
    /** @type {{name: string, grant: () => void}[]} */
    this.queue = [];
  }

  /** @param {string} name @param {{ifAvailable?: boolean, signal?: AbortSignal, steal?: boolean}} options @param {(lock: object | null) => unknown} work */
  async request(name, { ifAvailable, signal, steal }, work) {
    await moment();
    if (steal) {
      this.held.get(name)?.(new DOMException("taken", "AbortError"));
    } else if (this.held.has(name)) {
      if (ifAvailable) return work(null);
      await new Promise((grant, refuse) => {
        this.queue.push({ name, grant: () => grant(undefined) });
        signal?.addEventListener("abort", () => refuse(new DOMException("given up", "AbortError")));
      });
    }
    /** @type {(error: Error) => void} */
    let take = () => undefined;
    const taken = new Promise((_, refuse) => (take = refuse));
    this.held.set(name, take);
    try {
      return await Promise.race([work({ name }), taken]);
    } finally {
      moment().then(() => {
        if (this.held.get(name) !== take) return;
        this.held.delete(name);
        const at = this.queue.findIndex((one) => one.name === name);
        if (at >= 0) this.queue.splice(at, 1)[0].grant();
      });
    }
  }
}

/** A connection that goes nowhere. */
export class Connection extends EventTarget {
  /** All that were made. @type {Connection[]} */
  static made = [];
  /** What is wrong with a configuration, if anything. @type {(configuration: RTCConfiguration) => void} */
  static check = () => undefined;

  /** @param {RTCConfiguration} configuration */
  constructor(configuration) {
    super();
    Connection.check(configuration);
    this.configuration = configuration;
    this.connectionState = "new";
    this.signalingState = "stable";
    /** @type {object[]} */
    this.transceivers = [];
    Connection.made.push(this);
  }

  /** @param {string} kind */
  addTransceiver(kind) {
    this.transceivers.push({ receiver: { track: new Track(kind) }, sender: { track: null, replaceTrack: async () => undefined } });
  }

  getTransceivers() {
    return this.transceivers;
  }

  /** @param {RTCConfiguration} configuration */
  setConfiguration(configuration) {
    this.configuration = configuration;
  }

  getConfiguration() {
    return this.configuration;
  }

  async createOffer() {
    return { type: "offer", sdp: "v=0" };
  }

  async setLocalDescription() {
    this.signalingState = "have-local-offer";
  }

  close() {
    this.connectionState = "closed";
  }
}

/** Puts a browser's objects where media looks for them: of one browser, however many tabs are played in it. */
export function browser() {
  /** @type {Map<string, string>} */
  const kept = new Map();
  const localStorage = {
    getItem: (/** @type {string} */ name) => kept.get(name) ?? null,
    setItem: (/** @type {string} */ name, /** @type {string} */ value) => kept.set(name, value),
    removeItem: (/** @type {string} */ name) => kept.delete(name),
  };
  const [devices, locks] = [new Desk(), new Locks()];
  const permissions = { query: async () => ({ state: "granted" }) };
  Object.defineProperty(globalThis, "navigator", { value: { mediaDevices: devices, locks, permissions }, configurable: true });
  Connection.made = [];
  Connection.check = () => undefined;
  Object.assign(globalThis, { localStorage, MediaStream: Stream, RTCPeerConnection: Connection, reportError: console.error });
  return { devices, locks };
}

/** Lets everything happen that is about to. @returns {Promise<void>} */
export function moment() {
  return new Promise((resolve) => setImmediate(resolve));
}
