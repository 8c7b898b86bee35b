// The WebSocket to the server: connecting, coming back with back-off, and when not to (N3, docs/protocol.md). Whether a
// connection that stands is dead is decided by device.js, like everything that its frames mean.

/** Shortest and longest wait before trying again, in ms. */
const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 15_000;
/** A connection that lasted this long was a good one: the next wait is short again. In ms. */
const GOOD_MS = 10_000;
/** From the attempt to `synced`, in ms; beyond it the attempt has failed. */
const HANDSHAKE_MS = 10_000;

/**
 * What a connection is made with.
 * @typedef {object} ConnectionOptions
 * @property {string} url of the WebSocket
 * @property {(fresh: boolean) => Promise<string>} token gives the token; `fresh`: the last one was refused
 * @property {(token: string) => void} onOpen the connection is open, and `send` works: hello comes first
 * @property {(frame: any) => void} onFrame is given each frame of the server
 * @property {() => void} onLost is told that a connection that had been open is gone
 * @property {(error: {code: string, message: string}) => void} onError is told what keeps a connection from coming
 */

/**
 * Gives the wait before an attempt: doubling from half a second to 15 s, of which the upper half is chance, so that the
 * clients of a server that restarts don't all come at once.
 * @param {number} failures attempts that failed so far, from 0
 * @param {() => number} [random]
 * @returns {number} ms
 */
export function backOff(failures, random = Math.random) {
  const whole = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** Math.min(failures, 16));
  return whole * (0.5 + 0.5 * random());
}

/**
 * Says what follows from a `bye`.
 * @param {string} code
 * @returns {"stop" | "token" | "again"} don't come back; come back with a new token; come back
 */
export function afterBye(code) {
  if (code === "replaced" || code === "upgrade_required") return "stop";
  return code === "unauthorized" ? "token" : "again";
}

/** Keeps one connection to the server for as long as it is wanted. */
export class Connection {
  /** @param {ConnectionOptions} options */
  constructor(options) {
    this.options = options;
    this.wanted = false;
    /** @type {WebSocket | null} */
    this.socket = null;
    /** Counts the attempts, so that what belongs to an old one is known. */
    this.attempt = 0;
    this.failures = 0;
    this.began = 0;
    this.open = false;
    this.synced = false;
    this.freshToken = false;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.waiting = undefined;
    this.onWake = () => this.wake();
  }

  /** Connects at once, anew if there is a connection, and from then on whenever it is lost. */
  start() {
    if (!this.wanted) {
      this.wanted = true;
      globalThis.addEventListener?.("online", this.onWake);
      globalThis.document?.addEventListener("visibilitychange", this.onWake);
    }
    this.drop();
    this.failures = 0;
    this.connect();
  }

  /** Closes the connection for good. */
  stop() {
    this.wanted = false;
    globalThis.removeEventListener?.("online", this.onWake);
    globalThis.document?.removeEventListener("visibilitychange", this.onWake);
    this.drop();
  }

  /**
   * Sends a frame, if there is a connection; whether it arrived only the answer tells.
   * @param {object} frame
   */
  send(frame) {
    if (this.open && this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(frame));
  }

  /** The connection is dead: goes on without it. */
  lost() {
    this.drop();
    this.again(0);
  }

  /** Called about once a second. */
  tick() {
    if (this.socket && !this.synced && Date.now() - this.began > HANDSHAKE_MS) this.lost();
  }

  async connect() {
    clearTimeout(this.waiting);
    this.waiting = undefined;
    const attempt = ++this.attempt;
    let token;
    try {
      token = await this.options.token(this.freshToken);
    } catch (error) {
      if (attempt !== this.attempt) return;
      const why = error instanceof Error ? error.message : String(error);
      this.options.onError({ code: "unauthorized", message: `No token could be had: ${why}` });
      return this.again(0);
    }
    if (attempt !== this.attempt) return;
    this.began = Date.now();
    const socket = new WebSocket(this.options.url);
    this.socket = socket;
    socket.onopen = () => {
      if (attempt !== this.attempt) return;
      this.open = true;
      this.options.onOpen(token);
    };
    socket.onmessage = (event) => {
      if (attempt === this.attempt) this.receive(event.data);
    };
    socket.onclose = () => {
      if (attempt === this.attempt) this.lost();
    };
  }

  /** @param {unknown} data */
  receive(data) {
    const frame = parse(data);
    if (!frame) return this.lost(); // not our protocol: only a new connection can cure it
    if (frame.type === "welcome") this.freshToken = false;
    if (frame.type === "synced") this.synced = true;
    const { attempt } = this;
    this.options.onFrame(frame);
    if (frame.type === "bye" && attempt === this.attempt) this.bye(frame);
  }

  /** @param {{code: string, retry_after_ms?: number}} frame */
  bye(frame) {
    const then = afterBye(frame.code);
    if (then === "stop") return this.stop();
    if (then === "token") this.freshToken = true;
    this.drop();
    this.again(frame.retry_after_ms ?? 0);
  }

  /** @param {number} waitMs what the server asked to wait */
  again(waitMs) {
    if (!this.wanted) return;
    const wait = Math.max(backOff(this.failures++), waitMs * (1 + 0.25 * Math.random()));
    this.waiting = setTimeout(() => this.connect(), wait);
  }

  /** Forgets the socket; what it still says belongs to an old attempt. */
  drop() {
    const { socket, open } = this;
    if (this.synced && Date.now() - this.began > GOOD_MS) this.failures = 0;
    clearTimeout(this.waiting);
    this.waiting = undefined;
    this.attempt++;
    this.socket = null;
    this.open = this.synced = false;
    socket?.close();
    if (open) this.options.onLost();
  }

  /** The network or the user came back: what waits goes at once. */
  wake() {
    if (this.waiting !== undefined && globalThis.document?.visibilityState !== "hidden") this.connect();
  }
}

/**
 * @param {unknown} data
 * @returns {any} null if it is no frame
 */
function parse(data) {
  try {
    const frame = JSON.parse(String(data));
    return typeof frame?.type === "string" ? frame : null;
  } catch {
    return null;
  }
}
