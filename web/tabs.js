// The tabs of one user in one browser: one of them leads, and holds the connection for all (K9, L9).
//
// Web Locks decide who leads: whoever holds `ringback:<user>`; when that tab goes, however it goes, the browser gives the
// lock to the next. BroadcastChannel carries the rest: what the app asks for in another tab goes to the leader and is
// answered; how things stand goes to all; an event goes to one tab, the one that the user looked at last (S14: at most
// once per device). Each tab holds a lock of its own as well, so that the leader learns when it is gone.

/** Asks of this tab that may wait for an answer at a time; more are refused. */
const MOST_ASKS = 256;
/** Events that may be on their way to one tab; beyond it the oldest is taken for delivered. */
const MOST_EVENTS = 256;

/**
 * An event of the service, as device.js names it: plain data.
 * @typedef {{name: string, args: any[], invitation?: any, missed?: any}} ServiceEvent
 */

/**
 * What a tab does for the others.
 * @typedef {object} TabHandlers
 * @property {() => void} lead this tab leads from now on
 * @property {(method: string, args: unknown[]) => Promise<unknown>} ask while it leads: does what an app asked for
 * @property {(event: ServiceEvent) => void} event the app in this tab is to be told
 * @property {(state: unknown) => void} state how things stand, as the leader last said
 * @property {(shared: unknown) => void} share what another tab shared
 * @property {(signal: unknown) => void} signal what a peer's media says
 * @property {() => void} clicked the service worker keeps something for this user
 */

/** One tab among those of its user. */
export class Tabs {
  /**
   * @param {string} user
   * @param {TabHandlers} handlers
   */
  constructor(user, handlers) {
    this.user = user;
    this.handlers = handlers;
    /** Names this tab. @type {string} */
    this.id = crypto.randomUUID();
    this.leading = false;
    /** @type {string | null} */
    this.leader = null;
    /** @type {unknown} */
    this.state = undefined;
    this.closing = new AbortController();
    this.channel = new BroadcastChannel(`ringback:${user}`);
    this.channel.onmessage = (event) => this.receive(event.data);
    /** When each tab was last looked at, while this one leads. @type {Map<string, number>} */
    this.others = new Map();
    /** Events that a tab hasn't confirmed, while this one leads. @type {Map<string, Map<number, ServiceEvent>>} */
    this.unconfirmed = new Map();
    this.events = 0;
    /** @type {Map<string, {method: string, args: unknown[], resolve: (value: any) => void, reject: (error: any) => void}>} */
    this.asks = new Map();
    /** @type {(() => void) | undefined} */
    this.whenAlone = undefined;
    this.looked = visible() ? Date.now() : 0;
    this.onLook = () => {
      if (!visible()) return;
      this.looked = Date.now();
      this.post({ type: "tab", tab: this.id, looked: this.looked });
    };
  }

  /** Joins the others; leads if nobody does. */
  open() {
    globalThis.addEventListener?.("focus", this.onLook);
    globalThis.document?.addEventListener("visibilitychange", this.onLook);
    const own = this.hold(`ringback:${this.user}:tab:${this.id}`, () => {
      this.post({ type: "tab", tab: this.id, looked: this.looked });
    });
    // A tab that nobody could miss may not lead: first its own lock, then the others'.
    own.then(() => this.hold(`ringback:${this.user}`, () => this.lead()));
  }

  /** Leaves the others, for good: another leads, if there is one. */
  close() {
    globalThis.removeEventListener?.("focus", this.onLook);
    globalThis.document?.removeEventListener("visibilitychange", this.onLook);
    this.closing.abort();
    this.channel.close();
    this.leading = false;
    for (const { reject } of this.asks.values()) reject({ code: "unavailable", message: "The service was closed." });
    this.asks.clear();
  }

  /**
   * Asks the leader. If it goes before it answers, the next one is asked the same: `args` bring the request's id.
   * @param {string} method
   * @param {unknown[]} args plain data
   * @returns {Promise<any>}
   */
  ask(method, args) {
    if (this.leading) return this.handlers.ask(method, args);
    if (this.asks.size >= MOST_ASKS) {
      return Promise.reject({ code: "unavailable", message: "Too many requests wait for an answer." });
    }
    return new Promise((resolve, reject) => {
      const id = crypto.randomUUID();
      this.asks.set(id, { method, args, resolve, reject });
      this.post({ type: "ask", tab: this.id, id, method, args });
    });
  }

  /** The tab that the user looked at last. Only the leader knows. */
  front() {
    let [front, looked] = [this.id, this.looked];
    for (const [tab, when] of this.others) if (when > looked) [front, looked] = [tab, when];
    return front;
  }

  /**
   * Tells one tab's app of an event: the tab that the user looked at last. Only the leader does.
   * @param {ServiceEvent} event
   */
  emit(event) {
    const to = this.front();
    if (to === this.id) return this.handlers.event(event);
    const waiting = this.unconfirmed.get(to) ?? new Map();
    this.unconfirmed.set(to, waiting);
    waiting.set(++this.events, event);
    if (waiting.size > MOST_EVENTS) waiting.delete(waiting.keys().next().value);
    this.post({ type: "event", to, number: this.events, event });
  }

  /**
   * Tells all tabs how things stand. Only the leader does.
   * @param {unknown} state plain data
   */
  publish(state) {
    this.state = state;
    if (this.others.size > 0) this.post({ type: "state", leader: this.id, state });
    this.handlers.state(state);
  }

  /**
   * Hands what a peer's media says to all tabs: one of them has this device's. Only the leader does.
   * @param {unknown} signal plain data
   */
  signal(signal) {
    if (this.others.size > 0) this.post({ type: "signal", signal });
    this.handlers.signal(signal);
  }

  /**
   * Tells the other tabs of something that all of them keep.
   * @param {unknown} shared plain data
   */
  share(shared) {
    this.post({ type: "share", shared });
  }

  /**
   * Waits until no other tab is left. Only the leader can.
   * @param {number} longestMs
   * @returns {Promise<void>}
   */
  lastOne(longestMs) {
    if (this.others.size === 0) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, longestMs);
      this.whenAlone = () => (clearTimeout(timer), resolve());
    });
  }

  /** @param {any} message */
  receive(message) {
    switch (message?.type) {
      case "tab":
        return this.meet(message.tab, message.looked);
      case "ask":
        return this.answer(message);
      case "answer":
        return this.answered(message);
      case "event":
        return this.take(message);
      case "taken":
        return void this.unconfirmed.get(message.tab)?.delete(message.number);
      case "state":
        return this.follow(message.leader, message.state);
      case "signal":
        return this.leading ? undefined : this.handlers.signal(message.signal);
      case "share":
        return this.handlers.share(message.shared);
      case "clicked":
        // The click brought a tab to the front: what follows from it is that tab's.
        if (message.tab === this.id) this.looked = Date.now();
        else if (this.others.has(message.tab)) this.others.set(message.tab, Date.now());
        return this.handlers.clicked();
    }
  }

  lead() {
    this.leading = true;
    this.leader = this.id;
    this.handlers.lead();
    this.post({ type: "state", leader: this.id, state: this.state });
    const asks = [...this.asks.values()];
    this.asks.clear();
    for (const { method, args, resolve, reject } of asks) this.handlers.ask(method, args).then(resolve, reject);
  }

  /**
   * A tab says that it is there, or that the user looks at it.
   * @param {string} tab
   * @param {number} looked
   */
  meet(tab, looked) {
    if (!this.leading) return;
    const known = this.others.has(tab);
    this.others.set(tab, looked);
    if (known) return;
    this.post({ type: "state", leader: this.id, state: this.state });
    navigator.locks
      .request(`ringback:${this.user}:tab:${tab}`, { mode: "shared", signal: this.closing.signal }, () => this.miss(tab))
      .catch(ignoreAbort);
  }

  /**
   * A tab is gone: what it hadn't confirmed goes to another.
   * @param {string} tab
   */
  miss(tab) {
    this.others.delete(tab);
    const events = this.unconfirmed.get(tab);
    this.unconfirmed.delete(tab);
    for (const event of events?.values() ?? []) this.emit(event);
    if (this.others.size === 0) this.whenAlone?.();
  }

  /** @param {{tab: string, id: string, method: string, args: unknown[]}} message */
  answer({ tab, id, method, args }) {
    if (!this.leading) return;
    this.handlers.ask(method, args).then(
      (ok) => this.post({ type: "answer", to: tab, id, ok }),
      (error) => this.post({ type: "answer", to: tab, id, error: { ...error, message: error?.message } }),
    );
  }

  /** @param {{to: string, id: string, ok: unknown, error?: unknown}} message */
  answered({ to, id, ok, error }) {
    const ask = to === this.id ? this.asks.get(id) : undefined;
    if (!ask) return;
    this.asks.delete(id);
    if (error) ask.reject(error);
    else ask.resolve(ok);
  }

  /** @param {{to: string, number: number, event: ServiceEvent}} message */
  take({ to, number, event }) {
    if (to !== this.id) return;
    this.post({ type: "taken", tab: this.id, number });
    this.handlers.event(event);
  }

  /**
   * @param {string} leader
   * @param {unknown} state
   */
  follow(leader, state) {
    if (this.leading) return; // the last word of the leader before
    const changed = leader !== this.leader;
    this.leader = leader;
    if (state !== undefined) {
      this.state = state;
      this.handlers.state(state);
    }
    if (!changed) return;
    this.post({ type: "tab", tab: this.id, looked: this.looked });
    for (const [id, { method, args }] of this.asks) this.post({ type: "ask", tab: this.id, id, method, args });
  }

  /** @param {object} message */
  post(message) {
    if (!this.closing.signal.aborted) this.channel.postMessage(message);
  }

  /**
   * Takes a lock and keeps it until this tab closes.
   * @param {string} name
   * @param {() => void} held called once it is had
   * @returns {Promise<void>} settled once it is had
   */
  hold(name, held) {
    return new Promise((had) => {
      navigator.locks
        .request(name, { signal: this.closing.signal }, () => {
          held();
          had();
          return new Promise((release) => this.closing.signal.addEventListener("abort", () => release(undefined)));
        })
        .catch(ignoreAbort);
    });
  }
}

function visible() {
  return globalThis.document?.visibilityState !== "hidden";
}

/** @param {any} error */
function ignoreAbort(error) {
  if (error?.name !== "AbortError") throw error;
}
