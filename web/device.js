// The browser's half of Ringback (K9): what to ring, show, withdraw and dial back. It is the twin of
// `crates/core/src/device`, where the model is described: same inputs, same outputs, compared by `cargo xtask twin`.
// It is pure: no socket, clock, storage, randomness or DOM. device-shapes.js describes every input and output.
//
//   const session = new DeviceSession({ user, device, seed, persisted?, snapshot? });
//   for (const output of session.input(now, message)) perform(output);   // in order
//   const at = session.pollTimeout();                                    // input {type: "tick"} then; or null
//
// `now`: milliseconds since 1970 by this device's clock. `seed`: a fresh unguessable text for each process (a UUID); the
// machine names its own requests `<seed>-1`, `<seed>-2`, … `persisted`: the state of the newest `persist` output of this
// user on this device. `snapshot`: what `snapshot()` said in the tab that held the connection until now; a tab that takes
// over goes on with everything (no event comes twice) and claims the call (L9); `persisted` isn't read then. Both are
// JSON, opaque to the SDK, and never shared between users.

/** @import { Change, Config, Group, Held, Message, Missed, MissedEntry, MissedRef, Other, OwnTurn, Person, Request, Sent,
 *    State, TurnId, View, Want } from "./device-shapes.js" */

const [CLICK_LASTS, PATIENCE, SOUND, TOKEN_WARNING] = [60_000, 10_000, 60_000, 60_000]; // D3; D1 and D6; M6; S13
// any other request that rings or enters a call, as long as the server waits (L9); until the server says its own
const [ENGAGING, PING] = [30_000, 10_000];
const [ALONE, NOTIFICATIONS, LISTED] = [5, 100, 20]; // M7; S16
const [CROWD, CALM] = [32, 500]; // S10: above 32 participants, this device among them, at most two a second
const [REQUESTS, HELD, KNOWN, CLICKS, SHOWN, WANTS] = [128, 64, 512, 8, 150, 160]; // each list has a bound
const SUMMARY = "summary";
const [ENGAGES, FINAL] = [["send", "accept", "join", "dial_back"], ["replaced", "unauthorized", "upgrade_required"]];

const engages = (/** @type {Request} */ r) => ENGAGES.includes(r.frame.type);
const pending = (/** @type {string} */ state) => state === "inviting" || state === "ringing";
const keyOf = (/** @type {MissedRef} */ m) => (m.group ? `call:${m.invitation_id}` : `caller:${m.caller.id}`);
const same = (/** @type {any} */ a, /** @type {any} */ b) => a.invitation_id === b.invitation_id && a.turn === b.turn;
/** @param {View|null|undefined} view @param {number} no */
const ownTurn = (view, no) => view?.own.find((t) => t.no === no);
const byId = (/** @type {Other[]} */ list, /** @type {string} */ id) => list.find((o) => o.id === id);
const copy = (/** @type {any} */ json) => JSON.parse(JSON.stringify(json));
const equal = (/** @type {any} */ a, /** @type {any} */ b) => JSON.stringify(a) === JSON.stringify(b);
/** @param {MissedEntry} entry @returns {MissedRef} */
const refOf = ({ invitation_id, turn, call_id, caller, call_type, group }) => ({ invitation_id, turn, call_id, caller, call_type, group });

/** Merges others by who changed last; who is new comes behind. @param {Other[]} into @param {Other[]} from */
function merge(into, from) {
  for (const other of from) {
    const at = into.findIndex((o) => o.id === other.id);
    if (at < 0) into.push(other);
    else if (into[at].changed < other.changed) into[at] = other;
  }
  return into;
}

/** The default message (M5, M6). @param {MissedRef} m @param {number} count */
function body(m, count) {
  const name = m.caller.name || m.caller.id;
  if (!m.group && count > 1) return `${name} · ${count} missed calls`;
  return `${name} ${m.group ? "Group " : ""}${m.call_type === "video" ? "Video" : "Audio"} Call`;
}

/** The machine of one user on one device; see the top of this file. */
export class DeviceSession {
  /** @param {{user: string, device: string, seed: string, persisted?: any, snapshot?: any}} start */
  constructor({ user, device, seed, persisted, snapshot }) {
    const kept = { known: [], floor: 0, shown: [], summary: null, back: [], sounded: [], clicks: [], requests: [], here: [] };
    const { requests, ...keep } = { ...kept, ...copy(persisted ?? {}) };
    /** @type {State} */
    this.s = snapshot ? copy(snapshot) : {
      me: { id: user, name: "" }, device, seed, made: 0, now: 0, config: null, over: false, link: null, bye: null,
      token: null, denied: false, calls: [], rings: [], missed: null, wants: [], keep,
      requests: requests.map((/** @type {Request} */ r) => ({ ...r, sent: false })),
    };
    if (seed !== this.s.seed) Object.assign(this.s, { seed, made: 0 });
    this.kept = JSON.stringify(this.persisted());
    /** @type {Message[]} */
    this.out = [];
  }

  /** Takes one input, says what to do; first what is due by then (L2). @param {number} now @param {Message} msg */
  input(now, msg) {
    const { s } = this;
    s.now = Math.max(s.now, now);
    if (!s.over) this.expire();
    const mine = !s.over && msg.user === s.me.id;
    if (msg.type === "frame") this.frame(msg.frame);
    else if (msg.type === "closed") this.closed();
    else if (msg.type === "act") this.act(msg.id, msg.ask);
    else if (msg.type === "init" && !s.over) this.init(msg.config, msg.take_up ?? false);
    else if (msg.type === "opened" && !s.over) this.opened();
    else if (msg.type === "click" && mine) this.clicked(msg.missed ?? null, msg.at);
    else if (msg.type === "dismissed" && mine) this.dismissed(msg.missed ?? null);
    else if (msg.type === "denied" && !s.denied) {
      s.denied = true;
      this.event("onError", [{ code: "notifications_denied", message: "notifications are not permitted" }]);
    }
    if (!s.over) {
      for (const held of s.calls) if (this.whole(held)) this.take(held);
      this.want();
    }
    this.ring();
    this.persist();
    return this.out.splice(0);
  }

  /** When to input `tick` at the latest. @returns {number|null} */
  pollTimeout() {
    const { s } = this;
    if (s.over) return null;
    /** @type {(number|null|undefined)[]} */
    const at = [...s.requests, ...s.wants].map((x) => x.until);
    for (const ring of s.rings) at.push(ownTurn(this.held(ring.invitation_id)?.view, ring.turn)?.deadline);
    if (s.link && !s.link.dead) at.push(s.link.pinged ? this.deadAt() : s.link.heard + s.link.ping);
    if (s.token) at.push(s.token.tell);
    for (const held of s.calls) if (this.calm(held)) at.push(held.calm);
    const due = at.flatMap((t) => t ?? []);
    return due.length ? Math.min(...due) : null;
  }

  /** Everything, for the tab that takes over. */
  snapshot() { return copy(this.s); }
  /** @param {string} id */
  call(id) { return this.held(id)?.view ?? null; }
  calls() { return this.s.calls.map((h) => h.view).filter(Boolean); }
  inCall() { return this.s.keep.here.at(-1) ?? null; }
  /** Whether the app has asked for this call's end, as it may (L5), and has no answer yet. @param {string} id */
  endAsked(id) {
    const view = this.call(id), mine = view?.initiator === this.s.me.id, alone = view && !view.group;
    const ends = (/** @type {Message} */ f) => (f.type === "end" ? mine || alone : f.type === "cancel" && mine && alone);
    return this.s.requests.some(({ frame }) => frame.invitation_id === id && ends(frame));
  }
  missed() { return { calls: this.s.missed?.calls ?? [], total: this.s.missed?.total ?? 0 }; }
  /** @param {Config} config @param {boolean} takeUp */
  init(config, takeUp) {
    const [{ s }, first] = [this, !this.s.config];
    s.config = config;
    if (!first) return this.render([], []);
    if (!takeUp) { // L9: an app started anew claims only what it takes up again
      s.requests = s.requests.filter((r) => !engages(r));
      s.keep.here = [];
    }
    for (const { missed, at } of s.keep.clicks.splice(0)) this.deliver(missed, at);
  }

  /** @param {Message} frame */
  frame(frame) {
    const { s } = this;
    if (!s.link) return;
    Object.assign(s.link, { heard: s.now, pinged: false });
    if (frame.type === "reply") return this.reply(frame);
    if (frame.type === "bye") s.bye = frame.code;
    if (s.over) return;
    if (frame.type === "welcome") {
      s.link.ping = Math.max(frame.ping_ms, 1000);
      if (frame.user.id === s.me.id) s.me = { id: frame.user.id, name: frame.user.name };
      this.tokenLasts(frame.token_expires_in_ms);
    } else if (frame.type === "call") this.seen(this.local(frame));
    else if (frame.type === "gone") this.gone(frame.invitation_id);
    else if (frame.type === "missed") this.listed({ revision: frame.revision, total: frame.total, calls: frame.calls });
    else if (frame.type === "synced") this.synced();
  }

  /** A view with its deadlines on this device's clock. @param {any} view @returns {View} */
  local(view) {
    const own = view.own.map((/** @type {any} */ t) => ({ ...t, deadline: this.s.now + (t.remaining_ms ?? 0) }));
    return { ...view, own, custom_data: view.custom_data ?? null };
  }
  /** @param {number} left */
  tokenLasts(left) { this.s.token = { tell: this.s.now + Math.max(0, left - TOKEN_WARNING), end: this.s.now + left }; }
  deadAt() { return this.s.link ? this.s.link.heard + Math.floor((this.s.link.ping * 5) / 2) : Infinity; } // N3
  /** Does what is due by now. */
  expire() {
    const { s } = this;
    const due = (/** @type {Request|Want} */ x) => x.until != null && x.until <= s.now;
    for (let at; (at = s.requests.findIndex(due)) >= 0; ) this.giveUp(s.requests.splice(at, 1)[0]);
    for (let at; (at = s.wants.findIndex(due)) >= 0; ) this.give(s.wants.splice(at, 1)[0], null);
    if (s.token && s.token.tell <= s.now) {
      this.event("onTokenWillExpire", [Math.max(0, s.token.end - s.now)]);
      s.token = null;
    }
    if (!s.link || s.link.dead) return;
    if (this.deadAt() <= s.now) {
      s.link.dead = true;
      this.out.push({ type: "close" });
    } else if (!s.link.pinged && s.link.heard + s.link.ping <= s.now) {
      s.link.pinged = true;
      this.out.push({ type: "send", frame: { type: "ping" } });
    }
  }

  /** @param {string} name @param {any[]} args @param {any} [invitation] @param {any} [more] */
  event(name, args, invitation, more) {
    this.out.push({ type: "event", name, args, ...(invitation && { invitation }), ...more });
  }
  persisted() {
    const lasts = (/** @type {Request} */ r) => engages(r) || ["click", "dismiss"].includes(r.frame.type);
    const requests = this.s.requests.filter(lasts).map(({ sent, ...r }) => ({ ...r, again: r.again || sent }));
    return { ...this.s.keep, requests };
  }
  persist() {
    const now = JSON.stringify(this.persisted());
    if (now !== this.kept) this.out.push({ type: "persist", state: JSON.parse(now) });
    this.kept = now;
  }

  // ── Requests: sent, repeated, claimed, answered, given up (N2, L9, D6) ──

  opened() { // N1, K6
    const { s } = this;
    if (!s.config) return;
    this.closed();
    s.bye = null;
    s.link = { synced: false, heard: s.now, pinged: false, dead: false, ping: PING };
    const takenUp = s.keep.here.filter((id) => !this.held(id)).map((id) => ({ id, view: null })); // may be over by now
    const holds = [...takenUp, ...s.calls.filter((h) => !h.view?.ended)].slice(0, HELD).map((h) => ({ invitation_id: h.id, revision: h.view?.revision ?? 0 }));
    // What may have been taken may have put it into another call (C11), or been refused or lost.
    const request_ids = s.requests.filter((r) => r.again && engages(r)).map((r) => r.id);
    const here = this.inCall();
    this.out.push({ type: "hello", holds, claim: { ...(here && { invitation_id: here }), request_ids } });
  }
  closed() {
    const { s, s: { link } } = this;
    if (!link) return;
    s.link = null;
    if (s.over) return s.requests.splice(0).forEach((r) => this.outcome(r.id, { ok: {} }));
    s.requests = s.requests.filter((r) => !(r.own && r.frame.type === "fetch"));
    for (const r of s.requests) Object.assign(r, { again: r.again || r.sent, sent: false });
    for (const held of s.calls) held.next = null;
    if (s.bye && FINAL.includes(s.bye)) this.event("onConnectionStateChanged", [s.bye]);
    else if (link.synced) this.event("onConnectionStateChanged", ["disconnected"]);
  }
  synced() {
    const { s } = this;
    if (s.link) s.link.synced = true;
    this.event("onConnectionStateChanged", ["connected"]);
    s.requests = s.requests.filter(({ frame }) =>
      frame.type !== "ringing" || s.calls.some((h) => h.id === frame.invitation_id && h.open === frame.turn));
    for (const { frame } of s.requests.filter((r) => !r.sent)) this.out.push({ type: "send", frame });
    for (const r of s.requests) r.sent = true;
  }
  /** What the app asks. @param {string} id @param {Message} ask */
  act(id, ask) {
    const { s } = this;
    if (s.requests.some((r) => r.id === id)) return;
    /** @param {string} code @param {string} message */
    const refuse = (code, message) => this.outcome(id, { error: { code, message } });
    if (!s.config || s.over) return refuse("unavailable", "call init first");
    if (s.requests.length >= REQUESTS) return refuse("unavailable", "too many requests wait for the connection");
    let frame = /** @type {Message} */ ({ ...ask, id });
    const view = this.call(ask.invitation_id);
    const unknown = () => refuse("not_found", "this device knows no such invitation");
    if ((ask.type === "accept" || ask.type === "reject") && ask.turn == null) {
      if (!view?.own.length) return unknown();
      frame.turn = view.own.at(-1)?.no;
    } else if (ask.type === "cancel" && ask.seen == null && ask.callee == null) {
      if (!view) return unknown();
      frame.seen = view.revision;
    } else if (ask.type === "dial_back") {
      const { enable_dial_back, resource_id, timeout_ms } = s.config.missed_call;
      if (ask.default && !enable_dial_back) return this.outcome(id, { ok: { outcome: "none" } }); // D2
      const { missed: { invitation_id, turn }, title, message } = ask;
      const said = Object.entries({ resource_id, title, message }).filter(([, text]) => text != null);
      frame = { type: "dial_back", id, invitation_id, turn, timeout_ms, ...Object.fromEntries(said) };
    } else if (ask.type === "leave") this.outOf(ask.invitation_id); // S11: isn't told that it ended; nor is it claimed
    else if (ask.type === "uninit") return this.uninit(id);
    this.ask(frame, false, ask.missed);
  }

  /** @param {any} frame @param {boolean} own @param {MissedRef|null} [missed] */
  ask(frame, own, missed = null) {
    const { link, now, requests } = this.s;
    const sent = link?.synced ?? false;
    const until = ["click", "dial_back"].includes(frame.type) ? now + PATIENCE
      : ["send", "invite", "accept", "join"].includes(frame.type) ? now + ENGAGING : null;
    if (sent) this.out.push({ type: "send", frame });
    requests.push({ id: frame.id, frame, own, until, again: false, missed, sent });
  }
  /** Asks for the machine's own sake. @param {Message} frame @param {MissedRef|null} [missed] */
  askOwn(frame, missed = null) { this.ask({ ...frame, id: `${this.s.seed}-${++this.s.made}` }, true, missed); }
  /** Whether a request of its own waits for an answer. @param {string} type @param {(frame: Message) => boolean} which */
  asking(type, which) { return this.s.requests.some((r) => r.own && r.frame.type === type && which(r.frame)); }
  /** @param {string} id @param {{ok: any}|{error: any}} answer */
  outcome(id, answer) { this.out.push({ type: "reply", id, ...answer }); }
  /** @param {Message} reply */
  reply({ id, ok, error }) {
    const { requests } = this.s;
    // The answer to what was given up says nothing: if it was taken after all, the view shows it (D6).
    const at = requests.findIndex((r) => r.id === id);
    if (at < 0) return;
    const [{ frame, own, again, missed }] = requests.splice(at, 1);
    if (!own) this.outcome(id, error ? { error } : { ok: ok ?? {} });
    const answered = !error && ["accept", "reject"].includes(frame.type) && this.held(frame.invitation_id);
    if (answered) answered.answered = Math.max(answered.answered, frame.turn); // its view comes behind
    if (frame.type === "dial_back" && missed) this.dialed(missed, ok, error, again);
    else if (own && frame.type === "fetch") this.fetched(frame.invitation_id, frame.offset, error ? null : ok?.call);
    else if (error) { // M4: what never reached the server handles nothing
      if (missed && ["unavailable", "rate_limited", "internal"].includes(error.code)) this.showAgain(missed);
    } else if (frame.type === "send" || frame.type === "invite") {
      if (!ok?.refused) return;
      const refused = ok.refused.map((/** @type {any} */ r) => r.user);
      const callees = frame.invitees.filter((/** @type {string} */ i) => !refused.includes(i));
      this.enter(ok.invitation_id, again, { callees, refused: ok.refused, dialed: false });
    } else if (frame.type === "accept" || frame.type === "join") {
      if (ok?.joined != null) this.enter(ok.invitation_id, again, null);
    } else if (ok?.token_expires_in_ms != null) this.tokenLasts(ok.token_expires_in_ms);
  }

  /** D6, D7. @param {MissedRef} missed @param {any} ok @param {any} error @param {boolean} again */
  dialed(missed, ok, error, again) {
    if (error) this.failed(missed, error.code);
    else if (ok?.outcome !== "called") this.failed(missed, "already_in_call");
    else if (ok.device_id === this.s.device) {
      this.enter(ok.invitation_id, again, { callees: [missed.caller.id], refused: [], dialed: true });
    } else this.event("onIncomingCallAnsweredElsewhere", [ok.call_id, "dialed_back"]);
  }
  /** S3. @param {MissedRef} missed @param {string} reason */
  failed({ call_id: callID, caller }, reason) { this.event("onIncomingMissedCallDialBackFailed", [{ reason, callID, caller }]); }
  /** The server said that this device is in this call. @param {string} id @param {boolean} again @param {Sent|null} sent */
  enter(id, again, sent) {
    const old = this.held(id)?.view, last = old?.own.at(-1), { here } = this.s.keep;
    // The answer to a repeat may be older than the view that has shown how it ended since, for all or for this device.
    if (again && (old?.ended || last?.state === "left" || (last?.state === "accepted" && !this.on(last)))) return;
    const [first, held] = [!here.includes(id), this.heldOrNew(id)];
    if (first) here.push(id);
    if (sent && (first || !sent.dialed)) held.sent = sent; // D7: a repeated dial-back returns the call that it is in
    if (held.next) return; // a repeat is answered without a view: the call may have ended meanwhile
    if (again && !held.view) return this.askOwn({ type: "fetch", invitation_id: id, offset: 0 });
    const { view, others, lacking, sent: owed } = held;
    if (first || !view || !owed || owed.dialed || !owed.callees.every((user) => byId(others, user))) return;
    this.sent(view, others, lacking, owed);
    held.sent = null;
  }
  /** D6: what was taken after all is left as soon as a view shows it. @param {Request} request */
  giveUp({ id, frame, own, missed }) {
    if (!own) this.outcome(id, { error: { code: "unavailable", message: "the server hasn't answered in time" } });
    if (frame.type === "dial_back" && missed) this.failed(missed, "unavailable");
    else if (frame.type === "click" && missed) this.showAgain(missed);
  }
  /** M4: a closed notification handles what it stands for; the summary nothing. @param {MissedRef|null} missed */
  dismissed(missed) {
    const { keep, requests } = this.s;
    if (!missed) return void (keep.summary = null);
    const { invitation_id, turn } = missed;
    keep.shown = keep.shown.filter((x) => x.key !== keyOf(missed));
    if (requests.length >= REQUESTS || this.asking("dismiss", (f) => same(f, missed))) return;
    this.askOwn({ type: "dismiss", invitation_id, turn, notification: true });
  }

  /** S15. @param {string} id */
  uninit(id) {
    const { s } = this;
    const gone = { error: { code: "unavailable", message: "uninit was called" } };
    for (const r of s.requests.splice(0)) if (!r.own) this.outcome(r.id, gone);
    for (const { key } of s.keep.shown.splice(0)) this.out.push({ type: "withdraw", key });
    if (s.keep.summary) this.out.push({ type: "withdraw", key: SUMMARY });
    Object.assign(s.keep, { summary: null, here: [], clicks: [], back: [] });
    Object.assign(s, { calls: [], wants: [], over: true });
    if (s.link?.synced) this.ask({ type: "uninit", id }, false);
    else this.outcome(id, { ok: {} });
  }

  // ── Calls: views held and taken, and what the app is told of the difference (K5, S4 to S11, S14) ──

  /** @param {string} id */
  held(id) { return this.s.calls.find((h) => h.id === id); }
  /** @param {string} id */
  outOf(id) { this.s.keep.here = this.s.keep.here.filter((here) => here !== id); }
  /** @param {string} id */
  forget(id) { this.outOf(id); this.s.calls = this.s.calls.filter((h) => h.id !== id); }
  /** @param {string} id */
  heldOrNew(id) {
    const { s } = this;
    if (this.held(id)) return /** @type {Held} */ (this.held(id));
    if (s.calls.length >= HELD) {
      const out = s.calls.filter((h) => !s.keep.here.includes(h.id));
      const oldest = out.find((h) => h.view?.ended) ?? out[0] ?? s.calls[0];
      s.calls = s.calls.filter((h) => h !== oldest);
    }
    s.calls.push({ id, view: null, others: [], custom: null, lacking: false, whole: 0, open: null, rung: -1, answered: -1,
      mine: -1, sent: null, next: null, calm: 0 });
    return s.calls[s.calls.length - 1];
  }

  /** Whether more participants may have changed since than this view lists. @param {Held} held @param {View} view */
  cut(held, view) {
    // The initiator and who invited this user are listed however long ago they changed.
    const free = view.others.filter((o) => o.id !== view.initiator && !view.own.some((t) => t.inviter === o.id));
    const oldest = Math.min(...free.map((o) => o.changed));
    return view.others.length < view.others_count && free.length > 0 && held.whole < oldest;
  }
  /** The server showed a call. K6: a view that isn't newer is dropped. @param {View} view */
  seen(view) {
    const held = this.heldOrNew(view.invitation_id);
    const newest = (held.next?.view ?? held.view)?.revision ?? 0;
    if (view.revision <= newest) return;
    const me = this.s.me.id;
    const turns = [...view.others, ...held.others].flatMap((o) => o.turns);
    const owed = view.initiator === me || turns.some((t) => t.kind === "invited" && t.inviter === me);
    held.next = { view, pages: [], offset: this.cut(held, view) && owed ? 0 : null, failed: false };
  }

  /** The call isn't visible any more: what rings stops, what was told is brought to an end. @param {string} id */
  gone(id) {
    const held = this.held(id);
    const here = this.s.keep.here.includes(id);
    this.forget(id);
    if (!held?.view) return;
    const { view } = held;
    const turn = held.open != null && ownTurn(view, held.open);
    if (turn) this.closedBy(view, held.others, turn, "cancelled", held.lacking);
    if (here) this.event("onCallEnded", [view.call_id, "lost"], this.about(view, null, view.others_count, true));
  }

  /** What a fetch brought, or null if it was refused. @param {string} id @param {number} offset @param {any} raw */
  fetched(id, offset, raw) {
    const view = raw ? this.local(raw) : null;
    this.informed(id, view);
    const held = this.held(id);
    if (!held) return;
    const { next } = held;
    if (next && view) {
      held.custom = view.custom_data ?? "";
      if (next.offset !== offset || view.revision < next.view.revision) return;
      const end = offset + view.others.length;
      next.offset = end > offset && end < view.others_count ? end : null;
      next.pages.push(...view.others);
    } else if (next) next.failed = true;
    else if (!held.view && view) {
      held.custom = view.custom_data;
      const offset = view.others.length < view.others_count ? view.others.length : null;
      held.next = { view, pages: [], offset, failed: false };
    } else if (!held.view) this.forget(id);
  }

  /** @param {OwnTurn} turn was, or is, in the call on this device */
  on(turn) { return turn.device === this.s.device && (turn.state === "accepted" || turn.state === "left"); }
  /** Whether the view that waits is held back: one of a crowd, that changes nothing of this user's own. @param {Held} held */
  calm({ view, next, sent, calm }) {
    if (!view || !next || sent || next.view.ended || next.view.others_count < CROWD) return false;
    const [last, now] = [view.own.at(-1), next.view.own.at(-1)];
    return last?.no === now?.no && last?.state === now?.state && this.s.now < calm;
  }
  /** Whether the view that waits can be taken; if something can be fetched for it, asks. @param {Held} held */
  whole(held) {
    const { id, next } = held;
    if (!next || this.calm(held)) return false;
    const bare = next.view.custom_data == null && held.custom == null;
    if (!next.failed && (bare || next.offset != null)) {
      if (!this.asking("fetch", (f) => f.invitation_id === id)) this.askOwn({ type: "fetch", invitation_id: id, offset: next.offset ?? 0 });
      return false;
    }
    // A view that this device is in the call waits for the reply that says so.
    const last = next.view.own.at(-1);
    return !(last && this.on(last) && held.mine < last.no) || this.s.keep.here.includes(id) || !this.s.requests.some(engages);
  }

  /** @param {Held} held */
  take(held) {
    if (!held.next) return;
    const { view, pages, failed } = held.next;
    held.next = null;
    held.custom = view.custom_data ?? held.custom;
    held.lacking = held.custom == null;
    view.custom_data = held.custom ?? "";
    if (!this.cut(held, view) || (!failed && pages.length)) held.whole = view.revision;
    const [before, listed] = [held.others, merge([...view.others], pages)];
    const others = merge([...before], listed);
    const change = { old: held.view, view, listed, before, others, lacking: held.lacking };
    this.incoming(held, change);
    this.outgoing(held, change);
    this.ending(change);
    const last = view.own.at(-1);
    const mine = last && this.on(last) ? last : null;
    const stray = mine?.state === "accepted" && !this.s.keep.here.includes(held.id)
      && !this.s.requests.some((r) => r.frame.type === "leave" && r.frame.invitation_id === held.id);
    Object.assign(held, { mine: Math.max(held.mine, mine?.no ?? -1), view, others, calm: this.s.now + CALM });
    if (stray) this.askOwn({ type: "leave", invitation_id: held.id }); // D6: given up, and taken after all
  }

  /** The callee's side: S4, and how it ended. @param {Held} held @param {Change} change */
  incoming(held, { view, others, lacking }) {
    for (const turn of view.own) {
      if (held.open === turn.no && !pending(turn.state)) {
        held.open = null;
        this.closedBy(view, others, turn, turn.state, lacking);
      } else if (pending(turn.state) && held.rung < turn.no) {
        held.open = held.rung = turn.no;
        const caller = this.person(others, turn.inviter);
        const args = [view.call_id, caller, view.call_type, this.callees(view), view.custom_data];
        this.event("onIncomingCallReceived", args, this.about(view, turn.no, view.others_count, !lacking));
        this.askOwn({ type: "ringing", invitation_id: view.invitation_id, turn: turn.no });
      }
    }
    if (held.open != null && !ownTurn(view, held.open)) held.open = null;
  }

  /** S1, S5 or S6 (M1).
   * @param {View} view @param {Other[]} others @param {OwnTurn} turn @param {string} state @param {boolean} lacking */
  closedBy(view, others, turn, state, lacking) {
    const { call_id } = view;
    const caller = this.person(others, turn.inviter);
    const missed = state === "timed_out" || (state === "cancelled" && !turn.crossed);
    const about = this.about(view, turn.no, view.others_count, !(missed && lacking));
    const here = turn.device === this.s.device;
    const how = state === "cancelled" ? "crossed" : here ? undefined
      : { accepted: "answered", left: "answered", declined: "declined", busy: "busy" }[state];
    if (missed) this.know({ invitation_id: view.invitation_id, turn: turn.no }, false);
    if (state === "timed_out") this.event("onIncomingCallTimeout", [call_id, caller], about);
    else if (missed) this.event("onIncomingCallCanceled", [call_id, caller, view.custom_data], about);
    else if (how) this.event("onIncomingCallAnsweredElsewhere", [call_id, how], about);
  }

  /** The caller's side, while this device is in the call: S7 to S10. @param {Held} held @param {Change} change */
  outgoing(held, change) {
    const { old, view, listed, before, others } = change;
    const [{ sent }, me] = [held, this.s.me.id];
    held.sent = null;
    // What passed before this process is skipped (S14); what it sent itself is told from the first view on.
    const quiet = !old && !sent;
    const last = view.own.at(-1);
    if (!last || !this.s.keep.here.includes(view.invitation_id)) return;
    if (sent && (!sent.dialed || last.kind === "origin" || last.crossed)) this.sent(view, others, change.lacking, sent);
    // L10: the later request's device gets S7 and S8
    const crossed = last.crossed && last.kind === "invited" && this.on(last);
    if (crossed && pending(ownTurn(old, last.no)?.state ?? "ringing")) this.answered(change, this.person(others, last.inviter), "accepted");
    const [late, moved] = [/** @type {Person[]} */ ([]), /** @type {any[]} */ ([])];
    for (const other of [...listed].reverse()) {
      const past = byId(before, other.id);
      const person = { id: other.id, name: other.name };
      for (const turn of other.turns) {
        if (turn.kind !== "invited" || quiet || (view.initiator !== me && turn.inviter !== me)) continue;
        const then = past?.turns.find((t) => t.no === turn.no);
        if (then && !pending(then.state)) continue;
        if (turn.state === "timed_out") late.push(person);
        else this.answered(change, person, turn.state);
      }
      const [now, then] = [other.turns.at(-1), past?.turns.at(-1)];
      if (now && (now.no !== then?.no || now.state !== then?.state)) moved.push({ ...person, state: now.state });
    }
    /** @param {string} name @param {any[]} people @param {any[]} more */
    const tell = (name, people, ...more) => people.length
      && this.event(name, [view.call_id, people.slice(0, LISTED), ...more], this.about(view, null, people.length, true));
    tell("onOutgoingCallTimeout", late, view.call_type === "video");
    tell("onInvitationUserStateChanged", moved);
  }

  /** S7. @param {View} view @param {Other[]} others @param {boolean} lacking @param {Sent} sent */
  sent(view, others, lacking, sent) {
    const callees = sent.callees.slice(0, LISTED).map((id) => this.person(others, id));
    const args = [view.call_id, this.s.me, view.call_type, callees, view.custom_data, sent.refused];
    this.event("onOutgoingCallSent", args, this.about(view, null, sent.callees.length, !lacking));
  }
  /** S8, if the turn's end is one that it tells. @param {Change} change @param {Person} callee @param {string} state */
  answered({ view, lacking }, callee, state) {
    const how = { accepted: "Accepted", left: "Accepted", declined: "Declined", busy: "RejectedCauseBusy" }[state];
    const about = this.about(view, null, view.others_count, !lacking);
    if (how) this.event(`onOutgoingCall${how}`, [view.call_id, callee, view.custom_data], about);
  }
  /** S11: the call ended around this device, or it was taken out without asking. @param {Change} change */
  ending({ view }) {
    const mine = [...view.own].reverse().find((t) => this.on(t));
    if (!this.s.keep.here.includes(view.invitation_id) || !(mine?.state === "left" || view.ended)) return;
    this.outOf(view.invitation_id);
    const leaving = mine?.leaving;
    const reason = leaving === "elsewhere" || leaving === "lost" ? leaving : view.ended;
    if (reason) this.event("onCallEnded", [view.call_id, reason], this.about(view, null, view.others_count, true));
  }

  /** @param {View} view @param {number|null} turn @param {number} count @param {boolean} complete */
  about({ invitation_id, at }, turn, count, complete) { return { invitation_id, turn, at, count, complete }; }
  /** @param {Other[]} others @param {string} id @returns {Person} */
  person(others, id) { return id === this.s.me.id ? this.s.me : { id, name: byId(others, id)?.name ?? "" }; }
  /** The invitees that a view lists, oneself first; they are `others_count` in all. @param {View} view @returns {Person[]} */
  callees(view) {
    const others = view.others.filter((o) => o.id !== view.initiator).map((o) => ({ id: o.id, name: o.name }));
    return (view.initiator === this.s.me.id ? others : [this.s.me, ...others]).slice(0, LISTED);
  }
  /** Shows and hides rings, so that exactly what rings now is on show. */
  ring() {
    const { s } = this;
    const answering = (/** @type {string} */ id) =>
      s.requests.some(({ frame: f }) => (f.type === "accept" || f.type === "reject") && f.invitation_id === id);
    const due = [];
    for (const { id, open, view, answered } of s.calls) {
      const turn = open != null && ownTurn(view, open);
      if (!turn || !pending(turn.state) || turn.deadline <= s.now || turn.no <= answered || answering(id)) continue;
      due.push({ invitation_id: id, turn: turn.no });
    }
    for (const r of s.rings) if (!due.some((d) => same(d, r))) this.out.push({ type: "unring", ...r });
    for (const d of due.filter((d) => !s.rings.some((r) => same(d, r)))) {
      const held = this.held(d.invitation_id);
      const turn = ownTurn(held?.view, d.turn);
      if (!held?.view || !turn) continue;
      const { call_id, call_type, group } = held.view;
      const caller = this.person(held.others, turn.inviter);
      this.out.push({ type: "ring", ...d, call_id, caller, call_type, group, deadline: turn.deadline });
    }
    s.rings = due;
  }

  // ── Missed calls: what is new, what is shown, what a click does (M3 to M8, D1 to D3, S12) ──

  /** @param {Missed} view */
  listed(view) {
    const { s } = this;
    const old = s.missed;
    if (old && old.revision >= view.revision) return;
    s.missed = view;
    /** @type {MissedEntry[]} */
    const fresh = [];
    for (const entry of [...view.calls].reverse()) { // oldest first, as they happened
      const told = s.keep.known.find((k) => same(k, entry))?.listed ?? null;
      if (told) continue;
      this.know(entry, true);
      // What comes up when newer ones are handled isn't new (M7); what came before the device neither (M3).
      if (!entry.existed || entry.missed_at < s.keep.floor) continue;
      fresh.push(entry);
      if (told == null) this.missedOne(entry);
    }
    const { calls, total } = view;
    if (total > calls.length) s.keep.floor = Math.max(s.keep.floor, ...calls.map((e) => e.missed_at));
    if (old?.total !== total || !equal(old.calls, calls)) this.event("onMissedCallsChanged", [calls, total]);
    // M4: a failed dial-back's comes back. Its click may have come and gone between two lists: `render` looks at what shows.
    const returned = calls.filter((e) => e.returned).map((e) => keyOf(refOf(e)));
    this.render(fresh, returned.filter((key) => !s.keep.summary?.keys.includes(key)));
  }

  /** Gives S1 or S5 for what this device wasn't told of by a view (S14, M1). @param {MissedEntry} entry */
  missedOne(entry) {
    const cancelled = entry.reason === "cancelled" || (entry.reason === "do_not_disturb" && entry.cancelled);
    if (entry.reason === "busy" || entry.reason === "unreachable") return;
    // S4 was given for it: its view is on the way, and says how it ended.
    if (this.held(entry.invitation_id)?.open === entry.turn) return;
    if (cancelled) return this.waitFor(refOf(entry), entry.at, false);
    this.event("onIncomingCallTimeout", [entry.call_id, entry.caller], this.aboutMissed(entry, entry.at, null, true));
  }
  /** Remembers that it was listed, or that its event was given. @param {TurnId} id @param {boolean} listed */
  know({ invitation_id, turn }, listed) {
    const { missed, keep: { known } } = this.s;
    const id = { invitation_id, turn };
    const entry = known.find((k) => same(k, id));
    if (entry) return void (entry.listed ||= listed);
    if (known.length >= KNOWN) {
      const old = known.findIndex((k) => !missed?.calls.some((e) => same(e, k)));
      known.splice(Math.max(old, 0), 1);
    }
    known.push({ ...id, listed });
  }

  /** Shows what is listed; `fresh` pops up, `back` comes back silently. @param {TurnId[]} fresh @param {string[]} back */
  render(fresh, back) {
    const { keep, missed, config } = this.s;
    keep.back = [...new Set([...keep.back, ...back])].slice(-SHOWN); // until a list says what it shows
    if (!missed || !config) return;
    const { groups, all } = this.groups(missed, config.missed_call, fresh);
    const listed = (/** @type {string} */ key) => groups.some((g) => g.key === key);
    const on = (/** @type {string} */ key) => keep.shown.find((x) => x.key === key);
    if (all) { // of over 100 notifications, one that isn't listed may still stand
      for (const { key } of keep.shown) if (!listed(key)) this.out.push({ type: "withdraw", key });
      keep.shown = keep.shown.filter((x) => listed(x.key));
      if (keep.summary) keep.summary.keys = keep.summary.keys.filter(listed);
    }
    const together = groups.filter((g) => g.fresh && !on(g.key)).length > ALONE;
    const [keys, louds] = [/** @type {string[]} */ ([]), /** @type {boolean[]} */ ([])];
    for (const g of [...groups].reverse()) {
      const shown = on(g.key);
      const sounds = () => g.loud && this.sound(g.missed.caller.id);
      if (g.fresh && !shown && together) {
        keys.push(g.key);
        louds.push(sounds());
      } else if (g.fresh) this.show(g, sounds());
      else {
        const changed = shown && !(same(shown, g.missed) && shown.count === g.count && shown.action === g.action);
        if (changed || (!shown && keep.back.includes(g.key) && !this.handling(g.key))) this.show(g, false);
      }
    }
    keep.back = keep.back.filter((key) => !all && !listed(key));
    this.summarise(keys, louds.includes(true), Math.max(0, ...groups.map((g) => g.at)), missed.total);
    for (const { key } of keep.shown.splice(0, keep.shown.length - SHOWN)) this.out.push({ type: "withdraw", key });
  }

  /** What is listed, by notification, newest first, and whether that is all there is.
   * @param {Missed} missed @param {Config["missed_call"]} config @param {TurnId[]} fresh */
  groups({ calls, total }, config, fresh) {
    const all = new Set(calls.map((e) => keyOf(refOf(e)))).size < NOTIFICATIONS || total <= calls.length;
    /** @type {Group[]} */
    const groups = [];
    for (const e of calls) { // C2, C8, M1, M3
      if (!config.enabled || !config.reasons.includes(e.reason) || e.reason === "unreachable" || !e.existed) continue;
      const isFresh = fresh.some((f) => same(f, e));
      const loud = isFresh && !e.silent && !e.returned;
      const missed = refOf(e);
      const key = keyOf(missed);
      const group = groups.find((g) => g.key === key);
      const action = !config.enable_dial_back ? null : !e.group ? "call_back" : e.can_join ? "join" : null;
      if (group) Object.assign(group, { fresh: group.fresh || isFresh, loud: group.loud || loud });
      else groups.push({ key, missed, count: e.of, at: e.at, action, fresh: isFresh, loud });
    }
    return { groups, all };
  }

  /** M7. @param {string[]} fresh @param {boolean} sound @param {number} at @param {number} total */
  summarise(fresh, sound, at, total) {
    const [{ keep, me }, first] = [this.s, fresh.length > 0];
    if (!first && !keep.summary) return;
    const { keys, count } = keep.summary ?? { keys: [], count: 0 };
    const covered = [...new Set([...keys, ...fresh])].filter((key) => !keep.shown.some((x) => x.key === key));
    keep.summary = covered.length ? { keys: covered, count: total } : null;
    if (!keep.summary) this.out.push({ type: "withdraw", key: SUMMARY });
    else if (first || count !== total) {
      this.out.push({ type: "show", key: SUMMARY, missed: null, user: me.id, title: "Missed Call",
        body: `${total} missed calls`, count: total, at, actions: [], sound: first && sound });
    }
  }

  /** @param {Group} group @param {boolean} sound */
  show({ key, missed, count, at, action }, sound) {
    const { shown } = this.s.keep;
    const place = shown.findIndex((x) => x.key === key);
    const now = { key, invitation_id: missed.invitation_id, turn: missed.turn, count, action };
    shown.splice(place < 0 ? shown.length : place, 1, now);
    this.out.push({ type: "show", key, missed, user: this.s.me.id, title: "Missed Call", body: body(missed, count),
      count, at, actions: action ? [action] : [], sound });
  }
  /** Whether this person's may make a sound now; then it does (M6). @param {string} user */
  sound(user) {
    const { keep, now } = this.s;
    keep.sounded = keep.sounded.filter((x) => now - x.at < SOUND);
    if (keep.sounded.some((x) => x.user === user)) return false;
    keep.sounded.push({ user, at: now });
    return true;
  }
  /** Whether a click on this notification, or its dismissal, isn't answered yet. @param {string} key */
  handling(key) {
    return this.s.requests.some(({ own, frame, missed }) => {
      if (!own || (frame.type !== "click" && frame.type !== "dismiss")) return false;
      const entry = missed ?? this.s.missed?.calls.find((e) => same(e, frame));
      return entry && keyOf(entry) === key;
    });
  }
  /** M4: a click that never reached the server handles nothing: its notification comes back. @param {MissedRef} missed */
  showAgain(missed) { this.render([], [keyOf(missed)]); }
  /** D1, D3. @param {MissedRef|null} missed @param {number} at */
  clicked(missed, at) {
    const { keep, config } = this.s;
    const key = missed ? keyOf(missed) : SUMMARY;
    this.out.push({ type: "withdraw", key });
    if (!missed) return void (keep.summary = null); // M7: the app opens, and that is all
    keep.shown = keep.shown.filter((x) => x.key !== key);
    if (config) this.deliver(missed, at);
    else if (!keep.clicks.some((c) => same(c.missed, missed))) {
      keep.clicks.push({ missed, at });
      for (const old of keep.clicks.splice(0, keep.clicks.length - CLICKS)) this.showAgain(old.missed);
    }
  }

  /** Reports a click, hands it to the app or to the default action (D1). @param {MissedRef} missed @param {number} at */
  deliver(missed, at) {
    const { now, config } = this.s;
    if (this.asking("click", (f) => same(f, missed))) return;
    if (now - at > CLICK_LASTS) return this.showAgain(missed); // D3: the app only opens
    this.askOwn({ type: "click", invitation_id: missed.invitation_id, turn: missed.turn }, missed);
    if (config?.clicked) this.waitFor(missed, null, true);
    else this.out.push({ type: "default_action", missed });
  }
  /** @param {MissedRef} missed @param {number|null} at @param {boolean} clicked */
  waitFor(missed, at, clicked) {
    const { wants, now } = this.s;
    for (const want of wants.splice(0, wants.length + 1 - WANTS)) this.give(want, null);
    wants.push({ missed, at, clicked, until: now + PATIENCE });
  }
  /** Gives the events whose call is held, and fetches one of the others: a click's first. */
  want() {
    for (const { missed: { invitation_id: id } } of [...this.s.wants]) {
      const held = this.held(id);
      if (held?.view && !held.lacking) this.informed(id, held.view);
    }
    const { wants, link } = this.s;
    const wanted = (/** @type {Message} */ f) => wants.some((w) => w.missed.invitation_id === f.invitation_id);
    const next = wants.find((w) => w.clicked) ?? wants[0];
    if (!next || !link?.synced || this.asking("fetch", wanted)) return;
    this.askOwn({ type: "fetch", invitation_id: next.missed.invitation_id, offset: 0 });
  }

  /** A fetch brought this call, or was refused. @param {string} id @param {View|null} view */
  informed(id, view) {
    const here = this.s.wants.filter((w) => w.missed.invitation_id === id);
    this.s.wants = this.s.wants.filter((w) => !here.includes(w));
    for (const want of here) this.give(want, view);
  }
  /** Gives S2 or S5, with what there is (D1). @param {Want} want @param {View|null} view */
  give({ missed, at, clicked }, view) {
    const about = this.aboutMissed(missed, view?.at ?? at, view?.others_count ?? null, !!view);
    const [{ call_id, caller, call_type }, custom] = [missed, view?.custom_data ?? ""];
    if (!clicked) return this.event("onIncomingCallCanceled", [call_id, caller, custom], about);
    const callees = view ? this.callees(view) : [];
    this.event("onIncomingMissedCallClicked", [call_id, caller, call_type, callees, custom], about, { missed });
  }

  /** @param {TurnId} id @param {number|null} at @param {number|null} count @param {boolean} complete */
  aboutMissed({ invitation_id, turn }, at, count, complete) {
    const listed = this.s.missed?.calls.find((e) => same(e, { invitation_id, turn }));
    return { invitation_id, turn, at: at ?? listed?.at ?? 0, count, complete };
  }
}
