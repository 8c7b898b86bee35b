// The public face: `CallInvitationService` (spec §3).

import { checkConfig, checkId, checkResource, checkTimeout, ConfigError } from "./config.js";
import { Leader } from "./leader.js";
import { call, CallError, historyEntry, invitation, missedCall, missedRef, signal } from "./shapes.js";
import { Tabs } from "./tabs.js";
import { texts } from "./texts.js";

/** @typedef {import("./config.js").CallInvitationConfig} CallInvitationConfig */
/** @typedef {import("./config.js").CheckedConfig} CheckedConfig */
/** @typedef {import("./events.js").CallInvitationEvents} CallInvitationEvents */
/** @typedef {import("./leader.js").ConnectionState} ConnectionState */
/** @typedef {import("./notifications.js").ServiceWorkerOptions} ServiceWorkerOptions */
/** @typedef {import("./shapes.js").Call} Call */
/** @typedef {import("./shapes.js").HistoryEntry} HistoryEntry */
/** @typedef {import("./shapes.js").MissedCall} MissedCall */

/**
 * What `init` takes. Either `token` or `tokenProvider` is needed.
 * @typedef {object} InitOptions
 * @property {string} user id of the user, as the token has it
 * @property {string} [token] signed by the app's back end
 * @property {(refused: boolean) => string | Promise<string>} [tokenProvider] gives a token whenever a new one is needed;
 *   `refused`: the last one was refused, or is about to expire
 * @property {string | URL} [url] of the server's WebSocket; `/ws` where the page came from, if left out
 * @property {ServiceWorkerOptions} [serviceWorker] without it no notification can be shown
 * @property {CallInvitationConfig} [config]
 * @property {CallInvitationEvents} [invitationEvents]
 * @property {boolean} [takeUpCall] true: goes on with the call that this browser was in when its last tab went, if that
 *   wasn't longer ago than the server waits (L9); false, the default: it has left that call
 */

/**
 * Whom to invite and how to ring.
 * @typedef {object} InviteOptions
 * @property {(string | {id: string})[]} invitees
 * @property {string} [resourceID] the push's notification resource
 * @property {string} [notificationTitle] the push's title
 * @property {string} [notificationMessage] the push's message
 * @property {number} [timeoutSeconds] 60: how long it rings; 1 to 600
 */

/** @typedef {InviteOptions & {isVideoCall?: boolean, customData?: string, callID?: string}} SendOptions */

/**
 * What became of an invitation.
 * @typedef {object} Sent
 * @property {string} invitationID
 * @property {string} callID
 * @property {{user: string, code: string}[]} refused who could not be invited, and why
 * @property {boolean} crossed they called each other at once, and both are in that one call (L10)
 */

/**
 * What became of a dial-back: `called` (or joined, for a group); `engaged`: this user is in another call, and the missed
 * call is unhandled again; `none`: dialling back is off.
 * @typedef {object} DialedBack
 * @property {"called" | "engaged" | "none"} outcome
 * @property {string} [invitationID]
 * @property {string} [callID]
 * @property {boolean} [elsewhere] it is under way on another device of this user (D7)
 */

/** How long the view of a call may be behind the answer that made it, in ms; beyond it the app goes on without. */
const SHOWN_MS = 1_000;

/** What asks to enter a call. */
const ENTERS = ["send", "accept", "join", "dial_back"];
/** What a request to be out of a call is refused with once it is over, or goes on without this device. */
const OUT = ["call_ended", "cancelled", "invitation_expired", "answered_elsewhere", "forbidden", "not_found"];

/** The services of this page in which a user is signed in. @type {Set<CallInvitationService>} */
const signedIn = new Set();

/**
 * Call invitations for one user: rings, answers, misses and dials back.
 *
 * All tabs of a browser in which the same user is signed in are one device. They share one connection; an event is given
 * to the tab that the user looked at last; how things stand (`calls`, `missed`, `connectionState`) is the same in
 * all of them, and each fires "change" when it changes: draw from these, act on the events. Each fires "signal", too, a
 * CustomEvent whose `detail` is a `Signal`: what the media of a peer in the call says (R1).
 */
export class CallInvitationService extends EventTarget {
  /** @type {InitOptions | null} */
  #options = null;
  /** @type {CheckedConfig} */
  #config = checkConfig();
  /** @type {CallInvitationEvents} */
  #events = {};
  /** @type {string | null} */
  #token = null;
  /** @type {Tabs | null} */
  #tabs = null;
  /** @type {Leader | null} */
  #leader = null;
  /** @type {import("./leader.js").LeaderState | null} */
  #state = null;
  /** Whether it was in this tab that the app asked last to enter a call; null: in none that is known of. @type {boolean | null} */
  #enteredHere = null;
  /** What the app was told last of what every tab is told. */
  #told = { connection: "", missed: NO_MISSED };

  /**
   * Signs the user in on this device and keeps it connected. Called again for the same user it goes on with the new
   * configuration, token and events.
   * @param {InitOptions} options
   * @returns {Promise<void>} settled once that is under way, connected or not
   * @throws {ConfigError} naming the parameter that is wrong (C13)
   */
  async init(options) {
    const config = checkInit(options, this.#options?.user);
    this.#options = options;
    this.#config = config;
    this.#events = options.invitationEvents ?? {};
    if (options.token) this.#token = options.token;
    if (!this.#tabs) {
      this.#tabs = new Tabs(options.user, {
        lead: () => this.#lead(),
        ask: (method, args) => this.#answer(method, args),
        event: (event) => this.#dispatch(event),
        state: (state) => this.#changed(/** @type {any} */ (state)),
        share: (shared) => this.#shared(/** @type {any} */ (shared)),
        signal: (frame) => this.dispatchEvent(new CustomEvent("signal", { detail: signal(frame) })),
        clicked: () => void this.#leader?.takeClicks(),
      });
      signedIn.add(this);
      answerWorkers();
      this.#tabs.open();
    }
    const clicked = this.#events.onIncomingMissedCallClicked !== undefined;
    this.#tabs.share({ config: JSON.parse(JSON.stringify(config)), clicked });
    this.#leader?.configure(config, clicked);
  }

  /**
   * Signs the user off on this device, in all its tabs: leaves the call, withdraws what shows, forgets what is kept (S15).
   * @returns {Promise<void>}
   */
  async uninit() {
    // Where another tab leads, its word to close may come before its answer.
    await this.#tabs?.ask("uninit", []).catch(() => undefined);
    this.#close();
  }

  /**
   * Invites users to a call; on a device that is in a call, into that one.
   * @param {SendOptions} options
   * @returns {Promise<Sent>}
   */
  async send({ isVideoCall = false, customData = "", callID, ...how }) {
    return this.#shown(sent(await this.#act({
      type: "send",
      call_type: isVideoCall ? "video" : "voice",
      custom_data: customData,
      ...(callID !== undefined && { call_id: checkId("callID", callID) }),
      ...ring(how),
    })));
  }

  /**
   * Invites more users into the call that this device is in (C9, C10).
   * @param {InviteOptions} options
   * @returns {Promise<Sent>}
   */
  async invite(options) {
    return sent(await this.#act({ type: "invite", invitation_id: this.#inCall(), ...ring(options) }));
  }

  /**
   * Stops ringing those who haven't answered.
   * @param {(string | {id: string})[]} [callees] everyone, if left out
   * @param {string} [invitationID] the call that this device is in, if left out
   */
  async cancel(callees, invitationID = this.#inCall()) {
    if (!callees) return this.#out({ type: "cancel", invitation_id: invitationID });
    const { participants = [] } = this.calls.find((one) => one.invitationID === invitationID) ?? {};
    await Promise.all(callees.map((callee) => {
      const user = userID("callees", callee);
      const turn = participants.find((one) => one.user.id === user)?.turn;
      if (turn === undefined) throw new CallError({ code: "not_found", message: `${user} isn't known to be in that call.` });
      return this.#act({ type: "cancel", invitation_id: invitationID, callee: user, turn });
    }));
  }

  /**
   * Answers a call that rings.
   * @param {string} [invitationID] the one that rings longest, if left out
   * @returns {Promise<{invitationID: string, joined: boolean}>} joined: it was too late to answer, but not to join (L2)
   */
  async accept(invitationID = this.#ringing()) {
    const ok = await this.#act({ type: "accept", invitation_id: invitationID });
    return { invitationID, joined: ok.joined === true };
  }

  /**
   * Declines a call that rings, for the user, on all their devices.
   * @param {"declined" | "busy"} [reason] busy: say, in a cellular call
   * @param {string} [invitationID] the one that rings longest, if left out
   */
  async reject(reason = "declined", invitationID = this.#ringing()) {
    if (reason !== "declined" && reason !== "busy") throw new ConfigError("reason", "must be declined or busy");
    await this.#act({ type: "reject", invitation_id: invitationID, busy: reason === "busy" });
  }

  /**
   * Enters a group call that runs and that this user may join (L5).
   * @param {string} invitationID
   */
  async join(invitationID) {
    await this.#act({ type: "join", invitation_id: checkId("invitationID", invitationID) });
  }

  /**
   * Leaves the call that this device is in: it is out at once (`inCall`), and the server is told as soon as there is a
   * connection.
   * @param {string} [invitationID]
   * @returns {Promise<void>} settled once the server knows, or the call was over already
   */
  async leave(invitationID = this.#inCall()) {
    await this.#out({ type: "leave", invitation_id: invitationID });
  }

  /**
   * Ends the call for everyone; this device is out of it at once, as by `leave`.
   * @param {string} [invitationID] the one that this device is in, if left out
   * @returns {Promise<void>} likewise
   */
  async end(invitationID = this.#inCall()) {
    await this.#out({ type: "end", invitation_id: invitationID });
  }

  /**
   * Calls back who was missed, or joins the group call that was missed, if it still runs: the server chooses (D5). If
   * that is under way, all that the missed call's notification stands for is handled.
   * @param {MissedCall} missed
   * @returns {Promise<DialedBack>}
   */
  async dialBack(missed) {
    const { invitationID, turn } = missed;
    const dialed = await this.#dialBack(missedRef(missed), false);
    if (dialed.outcome === "called") {
      // The call counts, whatever becomes of the list.
      this.#act({ type: "dismiss", invitation_id: invitationID, turn, notification: true }).catch(() => undefined);
    }
    return dialed;
  }

  /**
   * Lists unhandled missed calls, newest first, at most 100.
   * @param {number} [offset] how many to pass over
   * @returns {Promise<{calls: MissedCall[], total: number}>}
   */
  async missedCalls(offset = 0) {
    const { calls, total } = await this.#act({ type: "missed_calls", offset });
    return { calls: calls.map(missedCall), total };
  }

  /**
   * Handles one missed call without calling back, on all devices.
   * @param {Pick<MissedCall, "invitationID" | "turn">} missed
   */
  async dismissMissedCall({ invitationID, turn }) {
    await this.#act({ type: "dismiss", invitation_id: invitationID, turn, notification: false });
  }

  /**
   * Lists past calls, newest first.
   * @param {{before?: string, limit?: number}} [page] `before`: the last page's cursor; `limit`: 50, at most 100
   * @returns {Promise<{entries: HistoryEntry[], cursor?: string}>}
   */
  async history({ before, limit } = {}) {
    const { entries, cursor } = await this.#act({ type: "history", ...(before && { before }), ...(limit && { limit }) });
    return { entries: entries.map(historyEntry), cursor };
  }

  /**
   * Fetches what a call of many leaves out: its `customData`, and participants from `offset` on, at most 100.
   * @param {string} invitationID
   * @param {number} [offset]
   * @returns {Promise<Call>}
   */
  async details(invitationID, offset = 0) {
    const ok = await this.#act({ type: "fetch", invitation_id: invitationID, offset });
    return this.#call(ok.call);
  }

  /**
   * Hands something to the media of another participant: to the device that they are in the call on, and to nobody else
   * (R1). It is never kept and never repeated: a peer that is away for a moment doesn't get it.
   * @param {{to: string | {id: string}, data: object, device?: string, invitationID?: string}} signal `data`: plain, at
   *   most 32 KiB as JSON; `device`: only if that is the one they are in the call on
   */
  async signal({ to, data, device, invitationID = this.#inCall() }) {
    await this.#pass({ type: "signal", invitation_id: invitationID, to: userID("to", to), ...(device && { device }), data });
  }

  /**
   * Asks for the STUN and TURN servers that the operator has set up, for a call that this device is in.
   * @param {string} [invitationID]
   * @returns {Promise<{iceServers: RTCIceServer[], expiresInMs?: number}>} for how long the credentials are valid
   */
  async iceServers(invitationID = this.#inCall()) {
    const { ice_servers, expires_in_ms } = await this.#pass({ type: "ice_servers", invitation_id: invitationID });
    return { iceServers: ice_servers, ...(expires_in_ms !== undefined && { expiresInMs: expires_in_ms }) };
  }

  /**
   * Hears no more from a user; they can't tell (L13).
   * @param {string | {id: string}} user
   */
  async block(user) {
    await this.#act({ type: "block", user: userID("user", user) });
  }

  /**
   * Hears from a user again.
   * @param {string | {id: string}} user
   */
  async unblock(user) {
    await this.#act({ type: "unblock", user: userID("user", user) });
  }

  /**
   * Lets nothing ring for a while; calls are then missed silently (L13).
   * @param {Date | number | null} until ms since 1970, or a date; null: rings again
   * @param {(string | {id: string})[]} [letThrough] who may ring all the same
   */
  async setDoNotDisturb(until, letThrough = []) {
    const forMs = until === null ? null : Number(until) - Date.now();
    if (Number.isNaN(forMs)) throw new ConfigError("until", "must be a date, ms since 1970, or null");
    const let_through = letThrough.map((user) => userID("letThrough", user));
    await this.#act({ type: "do_not_disturb", ...(forMs !== null && { for_ms: Math.max(0, forMs) }), let_through });
  }

  /**
   * Takes a new token before, or after, the old one has expired (S15).
   * @param {string} token
   */
  async updateToken(token) {
    checkToken(token);
    this.#token = token;
    this.#open().share({ token });
    await this.#open().ask("updateToken", [crypto.randomUUID(), token]);
  }

  /** The user who is signed in, or null. @returns {string | null} */
  get user() {
    return this.#options?.user ?? null;
  }

  /** How the connection stands. @returns {ConnectionState} */
  get connectionState() {
    return this.#state?.connection ?? (this.#tabs ? "connecting" : "disconnected");
  }

  /**
   * Whether it was in this tab that the app last sent, accepted, joined or dialled back a call, and not in another one;
   * null: in none that is known of. That tab is the one to have sound and picture.
   * @returns {boolean | null}
   */
  get enteredHere() {
    return this.#enteredHere;
  }

  /** The calls that run: that ring here, or that this user is, was or may be in. @returns {Call[]} */
  get calls() {
    return (this.#state?.calls ?? []).filter((view) => !view.ended).map((view) => this.#call(view));
  }

  /** The newest unhandled missed calls, and how many there are in all. @returns {{calls: MissedCall[], total: number}} */
  get missed() {
    const { calls, total } = this.#state?.missed ?? { calls: [], total: 0 };
    return { calls: calls.map(missedCall), total };
  }

  /** Whom this user blocked, on whichever device. @returns {string[]} */
  get blocked() {
    return this.#state?.blocked ?? [];
  }

  /**
   * Do-not-disturb while it holds, whichever device set it; `until` in ms since 1970.
   * @returns {{until: number, letThrough: string[]} | null}
   */
  get doNotDisturb() {
    const set = this.#state?.doNotDisturb ?? null;
    return set && set.until > Date.now() ? set : null;
  }

  /** @param {any} view */
  #call(view) {
    const ring = this.#state?.rings.find((one) => one.invitation_id === view.invitation_id);
    const { device = null, inCall = null } = this.#state ?? {};
    return call(view, { user: this.user ?? "", device, inCall, ring });
  }

  /**
   * Waits until `calls` has a call that was just made: its answer comes before its view, and an app that goes on from the
   * one wants the other.
   * @template {{invitationID?: string}} T
   * @param {T} made
   * @returns {T | Promise<T>}
   */
  #shown(made) {
    const known = () => this.#state?.calls.some((view) => view.invitation_id === made.invitationID);
    if (known()) return made;
    return new Promise((resolve) => {
      const look = () => {
        if (!known()) return;
        clearTimeout(timer);
        this.removeEventListener("change", look);
        resolve(made);
      };
      const timer = setTimeout(() => (this.removeEventListener("change", look), resolve(made)), SHOWN_MS);
      this.addEventListener("change", look);
    });
  }

  /** @returns {string} */
  #inCall() {
    if (this.#state?.inCall) return this.#state.inCall;
    throw new CallError({ code: "not_found", message: "This device is in no call." });
  }

  /** @returns {string} */
  #ringing() {
    const ring = this.#state?.rings[0];
    if (ring) return ring.invitation_id;
    throw new CallError({ code: "not_found", message: "No call rings." });
  }

  /** @returns {Tabs} */
  #open() {
    if (this.#tabs) return this.#tabs;
    throw new CallError({ code: "unauthorized", message: "Nobody is signed in: call init first." });
  }

  /**
   * Asks device.js, in whichever tab it runs.
   * @param {{type: string, [field: string]: unknown}} ask
   * @returns {Promise<any>}
   */
  #act(ask) {
    if (ENTERS.includes(ask.type)) this.#entering();
    return this.#ask("act", [crypto.randomUUID(), ask]);
  }

  /**
   * Asks to be out of a call. If it is over by then, or goes on without this device, that is what was wanted.
   * @param {{type: string, invitation_id: string}} ask
   */
  async #out(ask) {
    const inIt = () => this.#state?.inCall === ask.invitation_id;
    const was = inIt();
    try {
      await this.#act(ask);
    } catch (/** @type {any} */ error) {
      if (error.code !== "call_ended" && !(was && !inIt() && OUT.includes(error.code))) throw error;
    }
  }

  /** Tells all tabs in which of them the app enters a call: this one, if left out. @param {string} [tab] */
  #entering(tab) {
    const own = this.#tabs?.id;
    this.#enteredHere = (tab ?? own) === own;
    this.#tabs?.share({ entering: tab ?? own });
  }

  /**
   * Asks what is of the connection alone.
   * @param {object} frame
   * @returns {Promise<any>}
   */
  #pass(frame) {
    return this.#ask("pass", [frame]);
  }

  /**
   * @param {string} method
   * @param {unknown[]} args
   * @returns {Promise<any>}
   */
  async #ask(method, args) {
    try {
      return await this.#open().ask(method, args);
    } catch (error) {
      throw error instanceof Error ? error : new CallError(/** @type {any} */ (error));
    }
  }

  /**
   * @param {any} missed in the wire's spelling
   * @param {boolean} byDefault whether it is a click's default action, which does nothing where C3 is false
   * @returns {Promise<DialedBack>}
   */
  async #dialBack(missed, byDefault) {
    const { title, message } = texts(this.#config, "dial_back", missed, 1);
    const ok = await this.#act({
      type: "dial_back", missed, default: byDefault, ...(title !== null && { title }), ...(message !== null && { message }),
    });
    const elsewhere = ok.device_id !== undefined && ok.device_id !== this.#state?.device;
    const dialed = { outcome: ok.outcome, invitationID: ok.invitation_id, callID: ok.call_id, elsewhere };
    return ok.outcome === "called" ? this.#shown(dialed) : dialed;
  }

  #lead() {
    const { user, url, serviceWorker, takeUpCall = false, tokenProvider } = /** @type {InitOptions} */ (this.#options);
    const tabs = this.#open();
    this.#leader = new Leader({
      user,
      url: socketURL(url),
      token: (refused) => this.#tokenFor(refused),
      renews: tokenProvider !== undefined,
      config: this.#config,
      clicked: this.#events.onIncomingMissedCallClicked !== undefined,
      takeUpCall,
      serviceWorker,
      inherited: /** @type {any} */ (tabs.state),
      emit: (event) => tabs.emit(event),
      publish: (state) => tabs.publish(state),
      signal: (frame) => tabs.signal(frame),
      entering: () => this.#entering(tabs.front()),
    });
    this.#leader.start();
  }

  /**
   * What another tab, or this one, asks of the leader.
   * @param {string} method
   * @param {any[]} args
   * @returns {Promise<unknown>}
   */
  async #answer(method, args) {
    const leader = this.#leader;
    if (!leader) throw { code: "unavailable", message: "The service was closed." };
    if (method === "act") return leader.act(args[0], args[1]);
    if (method === "pass") return leader.pass(args[0]);
    if (method === "updateToken") {
      this.#token = args[1];
      if (leader.retoken()) return {};
      return leader.act(args[0], { type: "update_token", token: args[1] });
    }
    if (method === "uninit") {
      await leader.uninit();
      this.#open().share({ uninit: true });
      // Only then may the lead be given up: there is nobody left to take it.
      await this.#open().lastOne(1_000);
      setTimeout(() => this.#close());
      return {};
    }
    throw { code: "bad_request", message: `Unknown: ${method}` };
  }

  /**
   * @param {boolean} refused
   * @returns {Promise<string>}
   */
  async #tokenFor(refused) {
    const provider = this.#options?.tokenProvider;
    if (provider && (refused || this.#token === null)) {
      this.#token = await provider(refused);
      checkToken(this.#token);
    }
    if (this.#token === null) throw new CallError({ code: "unauthorized", message: "There is none." });
    return this.#token;
  }

  /** @param {{token?: string, uninit?: boolean, config?: any, clicked?: boolean, entering?: string}} shared by another tab */
  #shared({ token, uninit, config, clicked, entering }) {
    if (uninit) return this.#close();
    if (entering) this.#enteredHere = entering === this.#tabs?.id;
    if (token) this.#token = token;
    if (!config) return;
    const { notificationTitle, notificationMessage } = this.#config.missedCall;
    this.#config = { ...config, missedCall: { ...config.missedCall, notificationTitle, notificationMessage } };
    this.#leader?.configure(this.#config, clicked === true);
  }

  /** @param {import("./leader.js").LeaderState} state */
  #changed(state) {
    this.#state = state;
    if (state.connection !== this.#told.connection) {
      this.#told.connection = state.connection;
      this.#tell("onConnectionStateChanged", [state.connection]);
    }
    const missed = JSON.stringify(state.missed);
    if (missed !== this.#told.missed) {
      this.#told.missed = missed;
      this.#tell("onMissedCallsChanged", [state.missed.calls.map(missedCall), state.missed.total]);
    }
    this.dispatchEvent(new Event("change"));
  }

  /** @param {import("./tabs.js").ServiceEvent} event */
  #dispatch({ name, args, invitation: about, missed }) {
    const last = invitation(about);
    if (name === "onMissedCallsChanged") return; // every tab tells its own app, in #changed
    if (name !== "onIncomingMissedCallClicked") return this.#tell(name, [...args, ...(last ? [last] : [])]);
    // A failure has its own event (S3), so the action itself never fails.
    const defaultAction = () => this.#dialBack(missed, true).then(() => undefined, () => undefined);
    if (!this.#events.onIncomingMissedCallClicked) return void defaultAction();
    this.#tell(name, [...args, defaultAction, ...(last ? [last] : [])]);
  }

  /**
   * Calls back into the app; its mistakes are its own to see, and stop nothing here.
   * @param {string} name
   * @param {unknown[]} args
   */
  #tell(name, args) {
    const events = /** @type {Record<string, undefined | ((...args: unknown[]) => unknown)>} */ (this.#events);
    try {
      Promise.resolve(events[name]?.(...args)).catch(reportError);
    } catch (error) {
      reportError(error);
    }
  }

  #close() {
    if (!this.#tabs) return;
    this.#leader?.stop();
    this.#tabs.close();
    signedIn.delete(this);
    const state = this.#state;
    this.#leader = this.#tabs = null;
    if (state) this.#changed({ ...state, connection: "disconnected", calls: [], inCall: null, rings: [], missed: { calls: [], total: 0 }, blocked: [], doNotDisturb: null });
    this.#state = this.#options = this.#token = this.#enteredHere = null;
    this.#events = {};
    this.#told = { connection: "", missed: NO_MISSED };
  }

  /**
   * Names the tab for the service worker, which looks for one of the user's.
   * @param {string} user
   * @returns {string | null} null if somebody else is signed in here
   */
  tabOf(user) {
    return this.#tabs && user === this.user ? this.#tabs.id : null;
  }
}

/** No missed calls, as told. */
const NO_MISSED = JSON.stringify({ calls: [], total: 0 });

let answering = false;

/** Answers the service worker that looks for a tab of a user. */
function answerWorkers() {
  if (answering || !("serviceWorker" in navigator)) return;
  answering = true;
  navigator.serviceWorker.addEventListener("message", ({ data, ports }) => {
    if (data?.ringback !== "whose" || !ports[0]) return;
    const tabs = [...signedIn].map((service) => service.tabOf(data.user));
    ports[0].postMessage(tabs.find((tab) => tab !== null) ?? null);
  });
  navigator.serviceWorker.startMessages();
}

/**
 * @param {InitOptions} options
 * @param {string | undefined} signedInUser
 * @returns {CheckedConfig}
 */
function checkInit(options, signedInUser) {
  if (!options || typeof options !== "object") throw new ConfigError("options", "must be an object");
  checkId("user", options.user);
  if (signedInUser !== undefined && signedInUser !== options.user) {
    throw new ConfigError("user", `must be ${signedInUser}, who is signed in, until uninit`);
  }
  const { token, tokenProvider, invitationEvents } = options;
  if (token === undefined && tokenProvider === undefined) throw new ConfigError("token", "or tokenProvider is needed");
  if (token !== undefined) checkToken(token);
  if (tokenProvider !== undefined && typeof tokenProvider !== "function") {
    throw new ConfigError("tokenProvider", "must be a function that gives a token");
  }
  if (invitationEvents !== undefined && (typeof invitationEvents !== "object" || invitationEvents === null)) {
    throw new ConfigError("invitationEvents", "must be an object of functions");
  }
  socketURL(options.url);
  const config = checkConfig(options.config);
  if (!globalThis.isSecureContext || !navigator.locks) {
    throw new CallError({ code: "unavailable", message: "Ringback needs a page of https or of this machine itself." });
  }
  return config;
}

/** @param {unknown} token */
function checkToken(token) {
  if (typeof token !== "string" || token === "") throw new ConfigError("token", "must be a text signed by the app's back end");
}

/**
 * @param {string | URL | undefined} given
 * @returns {string}
 */
function socketURL(given) {
  let url;
  try {
    url = new URL(given ?? "/ws", location.href);
  } catch {
    throw new ConfigError("url", "must be the address of the server's WebSocket");
  }
  if (url.protocol === "http:" || url.protocol === "https:") url.protocol = url.protocol.replace("http", "ws");
  if (url.protocol !== "ws:" && url.protocol !== "wss:") throw new ConfigError("url", "must begin with ws:, wss:, http: or https:");
  return url.href;
}

/** @param {InviteOptions} options */
function ring({ invitees, resourceID, notificationTitle, notificationMessage, timeoutSeconds = 60 }) {
  if (!Array.isArray(invitees) || invitees.length === 0) throw new ConfigError("invitees", "must be a list of one or more users");
  const resource = checkResource("resourceID", resourceID);
  return {
    invitees: invitees.map((user) => userID("invitees", user)),
    timeout_ms: checkTimeout("timeoutSeconds", timeoutSeconds) * 1000,
    ...(resource !== null && { resource_id: resource }),
    ...(notificationTitle !== undefined && { title: notificationTitle }),
    ...(notificationMessage !== undefined && { message: notificationMessage }),
  };
}

/** @param {any} ok @returns {Sent} */
function sent({ invitation_id, call_id, refused = [], crossed = false }) {
  return { invitationID: invitation_id, callID: call_id, refused, crossed };
}

/**
 * @param {string} parameter
 * @param {string | {id: string}} user
 * @returns {string}
 */
function userID(parameter, user) {
  return checkId(parameter, typeof user === "object" && user !== null ? user.id : user);
}
