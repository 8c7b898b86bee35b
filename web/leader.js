// What the leading tab does for all tabs of its user: it drives device.js, which decides, and holds the connection.

import { clock } from "./clock.js";
import { wireConfig } from "./config.js";
import { Connection } from "./connection.js";
import { DeviceSession } from "./device.js";
import { Notifications } from "./notifications.js";
import { deviceID, forget, keep, recall } from "./storage.js";
import { texts } from "./texts.js";
import { VERSION } from "./version.js";

/** How long `uninit` waits for the server to say that it knows, in ms. */
const GOODBYE_MS = 3_000;
/** Answers kept for a tab that has yet to ask for them again, after this tab took over. */
const MOST_EARLY = 64;
/** Requests of the connection alone that may wait for their answer. */
const MOST_PASSING = 64;
/** Longest that a timer of the browser can be set, in ms. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/**
 * How a connection stands, as `onConnectionStateChanged` is told (S13). `reconnecting` comes back by itself. `replaced`
 * (another browser connected as this device), `unauthorized` (a new token is needed), `upgrade_required` and
 * `disconnected` (after `uninit`) don't.
 * @typedef {"connecting" | "connected" | "reconnecting" | "replaced" | "unauthorized" | "upgrade_required" | "disconnected"} ConnectionState
 */

/**
 * A turn that rings, until a moment by this browser's clock.
 * @typedef {{invitation_id: string, turn: number, deadline: number}} Ring
 */

/**
 * What the leader tells all tabs: how things stand, and what the next leader needs to go on.
 * @typedef {object} LeaderState
 * @property {ConnectionState} connection
 * @property {string} device its id
 * @property {any[]} calls views as device.js holds them
 * @property {string | null} inCall the call that this device is in, unless the app has asked for its end
 * @property {{calls: any[], total: number}} missed
 * @property {Ring[]} rings
 * @property {string[]} blocked whom this user blocked, as the server said last
 * @property {{until: number, letThrough: string[]} | null} doNotDisturb likewise; `until` by this browser's clock
 * @property {unknown} snapshot opaque
 * @property {string[]} acts requests without an answer
 */

/**
 * @typedef {object} LeaderOptions
 * @property {string} user
 * @property {string} url of the WebSocket
 * @property {(fresh: boolean) => Promise<string>} token
 * @property {boolean} renews whether a fresh token can be had without the app's doing
 * @property {import("./config.js").CheckedConfig} config
 * @property {boolean} clicked whether the app set `onIncomingMissedCallClicked`
 * @property {boolean} takeUpCall
 * @property {import("./notifications.js").ServiceWorkerOptions | undefined} serviceWorker
 * @property {LeaderState | undefined} inherited what the leader before said last
 * @property {(event: import("./tabs.js").ServiceEvent) => void} emit
 * @property {(state: LeaderState) => void} publish
 * @property {(signal: any) => void} signal what a peer's media says, in the wire's spelling
 * @property {() => void} entering a call is entered for the tab that the user looked at last
 */

/** The one tab of a user that acts for the device. */
export class Leader {
  /** @param {LeaderOptions} options */
  constructor(options) {
    this.options = options;
    this.device = deviceID(options.user);
    const { inherited } = options;
    this.session = new DeviceSession({
      user: options.user,
      device: this.device,
      seed: crypto.randomUUID(),
      persisted: inherited?.snapshot ? undefined : recall(options.user),
      snapshot: inherited?.snapshot,
    });
    /** @type {ConnectionState} */
    this.state = inherited ? "reconnecting" : "connecting";
    /** Outputs that wait for their turn. @type {any[]} */
    this.outputs = [];
    this.performing = false;
    /** @type {Map<string, {resolve: (ok: any) => void, reject: (error: any) => void, promise: Promise<any>}>} */
    this.acts = new Map();
    /** Requests that the leader before had begun. */
    this.begun = new Set(inherited?.acts ?? []);
    /** Their answers, until the tab that asked asks again. @type {Map<string, any>} */
    this.early = new Map();
    /** @type {Map<string, Ring>} */
    this.rings = new Map((inherited?.rings ?? []).map((ring) => [ringKey(ring), ring]));
    /** Requests that end with their connection: never repeated, never kept. @type {Map<string, {resolve: (ok: any) => void, reject: (error: any) => void}>} */
    this.passing = new Map();
    this.blocked = inherited?.blocked ?? [];
    this.doNotDisturb = inherited?.doNotDisturb ?? null;
    this.taking = false;
    this.takeAgain = false;
    /** What the worker keeps and this tab has taken, should the worker not have heard. @type {Set<number>} */
    this.took = new Set();
    this.stopped = false;
    this.token = "";
    this.refusedToken = false;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
    /** @type {(() => void) | undefined} */
    this.stopClock = undefined;
    this.notifications = new Notifications(options.user, options.serviceWorker);
    this.connection = new Connection({
      url: options.url,
      token: options.token,
      onOpen: (token) => this.open(token),
      onFrame: (frame) => this.frame(frame),
      onLost: () => this.lost(),
      onError: (error) => this.tokenRefused(error),
    });
  }

  /** Begins; from here on the device is connected whenever it can be. */
  start() {
    this.notifications.registration.catch((error) => {
      this.error({ code: "notifications_denied", message: `The service worker could not be started: ${error.message}` });
    });
    this.stopClock = clock(() => this.tick());
    this.init(this.options.takeUpCall);
    this.publish();
    this.connection.start();
    this.takeClicks();
  }

  /** Stops at once, and says nothing to anybody. */
  stop() {
    this.stopped = true;
    this.stopClock?.();
    clearTimeout(this.timer);
    this.connection.stop();
    for (const { reject } of this.acts.values()) reject({ code: "unavailable", message: "The service was closed." });
    this.acts.clear();
    this.dropPassing();
  }

  /**
   * Does what an app asked for.
   * @param {string} id the request's id: the same again is the same request (N2)
   * @param {object} ask as device.js takes it
   * @returns {Promise<any>}
   */
  act(id, ask) {
    const running = this.acts.get(id);
    if (running) return running.promise;
    const early = this.early.get(id);
    if (early) {
      this.early.delete(id);
      return early.error ? Promise.reject(early.error) : Promise.resolve(early.ok);
    }
    /** @type {any} */
    const act = {};
    act.promise = new Promise((resolve, reject) => Object.assign(act, { resolve, reject }));
    this.acts.set(id, act);
    if (!this.begun.delete(id)) this.input({ type: "act", id, ask });
    return act.promise;
  }

  /**
   * Asks what is of this connection alone, such as a signal of the media: it isn't repeated when the connection is lost.
   * @param {object} frame
   * @returns {Promise<any>}
   */
  pass(frame) {
    if (this.state !== "connected") return Promise.reject(away("There is no connection just now."));
    if (this.passing.size >= MOST_PASSING) return Promise.reject(away("Too many requests wait for an answer."));
    return new Promise((resolve, reject) => {
      const id = crypto.randomUUID();
      this.passing.set(id, { resolve, reject });
      this.connection.send({ ...frame, id });
    });
  }

  dropPassing() {
    for (const { reject } of this.passing.values()) reject(away("The connection was lost."));
    this.passing.clear();
  }

  /** @param {any} frame of the server */
  frame(frame) {
    const waiting = frame.type === "reply" ? this.passing.get(frame.id) : undefined;
    if (waiting) {
      this.passing.delete(frame.id);
      if (frame.error) waiting.reject(frame.error);
      else waiting.resolve(frame.ok ?? {});
      // To the machine it is a sign of life.
      return this.input({ type: "frame", frame: { type: "pong" } });
    }
    if (frame.type === "settings") {
      const { blocked, do_not_disturb: quiet } = frame;
      this.blocked = blocked;
      this.doNotDisturb = quiet ? { until: Date.now() + quiet.remaining_ms, letThrough: quiet.let_through } : null;
    }
    this.input({ type: "frame", frame });
    if (frame.type === "signal" && !this.stopped) this.options.signal(frame);
  }

  lost() {
    this.input({ type: "closed" });
    this.dropPassing();
  }

  /**
   * Goes on with another configuration, of which the server is told by a new hello.
   * @param {import("./config.js").CheckedConfig} config
   * @param {boolean} clicked
   */
  configure(config, clicked) {
    const changed = JSON.stringify(this.options.config) !== JSON.stringify(config);
    Object.assign(this.options, { config, clicked });
    this.init(true);
    if (changed) this.connection.start();
  }

  /**
   * There is another token: connects, if the last one was refused.
   * @returns {boolean} whether it did
   */
  retoken() {
    if (this.state !== "unauthorized") return false;
    this.setState("reconnecting");
    this.connection.start();
    return true;
  }

  /** Signs the device off (S15): leaves the call, withdraws what shows, forgets what is kept. */
  async uninit() {
    const told = this.act(crypto.randomUUID(), { type: "uninit" }).catch(() => undefined);
    await Promise.race([told, new Promise((resolve) => setTimeout(resolve, GOODBYE_MS))]);
    await this.notifications.withdrawAll();
    this.setState("disconnected");
    this.stop();
    forget(this.options.user);
  }

  /** Takes the clicks that the service worker keeps, each once. */
  async takeClicks() {
    this.takeAgain = true;
    if (this.taking) return;
    this.taking = true;
    while (this.takeAgain) {
      this.takeAgain = false;
      const kept = await this.notifications.clicks();
      if (this.stopped) return;
      for (const { id, kind, user, at, click } of kept) {
        if (this.took.has(id)) continue;
        this.took.add(id);
        if (kind === "click") this.input({ type: "click", missed: click, user, at });
        else this.input({ type: "dismissed", missed: click, user });
      }
      if (kept.length > 0) await this.notifications.taken(kept.map(({ id }) => id));
    }
    this.taking = false;
  }

  /** @param {boolean} takeUp */
  init(takeUp) {
    const { config, clicked } = this.options;
    const missed_call = { ...wireConfig(config).missed_call, timeout_ms: config.missedCall.timeoutSeconds * 1000 };
    this.input({ type: "init", config: { missed_call, clicked }, take_up: takeUp });
  }

  /** @param {string} token */
  open(token) {
    this.token = token;
    this.refusedToken = false;
    this.input({ type: "opened" });
  }

  tick() {
    this.connection.tick();
    const due = this.session.pollTimeout();
    if (due !== null && due <= Date.now()) this.input({ type: "tick" });
  }

  /**
   * Gives the machine an input and does what comes out.
   * @param {any} message
   */
  input(message) {
    if (this.stopped) return;
    const outputs = this.session.input(Date.now(), message);
    // What the machine is now comes first: whatever becomes of the outputs, the next leader knows that they came.
    for (const output of outputs) this.note(output);
    const changesNothing = message.type === "tick" || ["pong", "signal"].includes(message.frame?.type);
    if (outputs.length > 0 || !changesNothing) this.publish();
    this.outputs.push(...outputs);
    this.performAll();
    clearTimeout(this.timer);
    const due = this.session.pollTimeout();
    if (due === null || this.stopped) return;
    this.timer = setTimeout(() => this.tick(), Math.min(Math.max(0, due - Date.now()), LONGEST_TIMER_MS));
  }

  /** In order, even when one of them makes the app ask for something at once. */
  performAll() {
    if (this.performing) return;
    this.performing = true;
    for (let output; (output = this.outputs.shift()); ) this.perform(output);
    this.performing = false;
  }

  /** @param {any} output */
  note(output) {
    if (output.type === "persist") keep(this.options.user, output.state);
    else if (output.type === "ring") this.rings.set(ringKey(output), output);
    else if (output.type === "unring") this.rings.delete(ringKey(output));
  }

  /** @param {any} output */
  perform(output) {
    switch (output.type) {
      case "hello":
        return this.connection.send({
          ...output,
          token: this.token,
          protocol: 1,
          device: { id: this.device, platform: "web", sdk: VERSION },
          config: wireConfig(this.options.config),
        });
      case "send":
        return this.connection.send(output.frame);
      case "close":
        return this.connection.lost();
      case "reply":
        return this.reply(output);
      case "event":
        return this.event(output);
      case "show":
        return void this.show(output);
      case "withdraw":
        return void this.notifications.withdraw(output.key);
      case "default_action":
        return void this.dialBack(output.missed);
    }
  }

  /** @param {{id: string, ok?: any, error?: any}} reply */
  reply({ id, ok, error }) {
    const act = this.acts.get(id);
    this.acts.delete(id);
    if (!act) {
      if (this.begun.delete(id) && this.early.size < MOST_EARLY) this.early.set(id, { ok, error });
    } else if (error) {
      act.reject(error);
    } else {
      act.resolve(ok ?? {});
    }
  }

  /** @param {import("./tabs.js").ServiceEvent} event */
  event({ name, args, invitation, missed }) {
    if (name === "onConnectionStateChanged") return this.stateChanged(String(args[0]));
    this.options.emit({ name, args, invitation, missed });
    if (name === "onTokenWillExpire" && this.options.renews) this.renew();
  }

  /** @param {string} state as device.js names it */
  stateChanged(state) {
    const comesBack = state === "disconnected" || (state === "unauthorized" && this.options.renews);
    if (!comesBack) {
      if (state !== "connected") this.connection.stop();
      this.setState(/** @type {ConnectionState} */ (state));
    } else if (this.connection.wanted && this.state === "connected") {
      this.setState("reconnecting");
    }
  }

  /** Has a new token before the old one expires. */
  async renew() {
    try {
      const token = await this.options.token(true);
      await this.act(crypto.randomUUID(), { type: "update_token", token });
    } catch (error) {
      this.error(/** @type {any} */ (error));
    }
  }

  /**
   * Says once, and not at each attempt, that no token can be had.
   * @param {{code: string, message: string}} error
   */
  tokenRefused(error) {
    if (!this.refusedToken) this.error(error);
    this.refusedToken = true;
  }

  /** @param {ConnectionState} state */
  setState(state) {
    if (state === this.state) return;
    this.state = state;
    this.publish();
  }

  /** @param {any} show */
  async show(show) {
    const own = show.missed ? texts(this.options.config, "missed_call", show.missed, show.count) : null;
    const shown = await this.notifications.show({
      ...show,
      title: own?.title ?? show.title,
      body: own?.message ?? show.body,
    });
    if (!shown) this.input({ type: "denied" });
  }

  /** @param {any} missed the default action of a click on it, where the app left it to us (D1) */
  async dialBack(missed) {
    const { title, message } = texts(this.options.config, "dial_back", missed, 1);
    const ask = { type: "dial_back", missed, default: true, ...(title && { title }), ...(message && { message }) };
    this.options.entering();
    // A failure has its own event (S3).
    await this.act(crypto.randomUUID(), ask).catch(() => undefined);
  }

  /** @param {{code: string, message: string}} error */
  error({ code, message }) {
    this.options.emit({ name: "onError", args: [{ code, message }] });
  }

  publish() {
    const { session } = this;
    const here = session.inCall();
    this.options.publish({
      connection: this.state,
      device: this.device,
      calls: session.calls(),
      inCall: here !== null && session.endAsked(here) ? null : here,
      missed: session.missed(),
      rings: [...this.rings.values()],
      blocked: this.blocked,
      doNotDisturb: this.doNotDisturb,
      acts: [...this.acts.keys(), ...this.begun],
      // Copies all that the machine knows: made when it is sent to another tab, and not for a tab alone.
      get snapshot() {
        return session.snapshot();
      },
    });
  }
}

/** @param {string} message */
function away(message) {
  return { code: "unavailable", message, retry_after_ms: 1_000 };
}

/** @param {Ring} ring */
function ringKey({ invitation_id, turn }) {
  return `${invitation_id} ${turn}`;
}
