// What the service hands to an app: the wire's data under the names of the seed page.

/**
 * A user of the app, by the name of their own token; an empty name is unknown.
 * @typedef {object} CallUser
 * @property {string} id
 * @property {string} name
 */

/** @typedef {"voice" | "video"} CallType */

/**
 * Where a participant stands (spec §4).
 * @typedef {"inviting" | "ringing" | "accepted" | "left" | "declined" | "busy" | "cancelled" | "timed_out" | "unreachable"} ParticipantState
 */

/**
 * What an event is about; the last parameter of every event (S).
 * @typedef {object} Invitation
 * @property {string} invitationID
 * @property {number | null} turn the callee's turn, where there is one
 * @property {number} at when the call was made, ms since 1970
 * @property {number | null} count how many callees it is about, of which at most 20 are listed (S16); null if unknown
 * @property {boolean} complete false when not all of it could be had in time (D1)
 */

/**
 * A missed call (M1). Only the first six are there where a notification names it.
 * @typedef {object} MissedCall
 * @property {string} invitationID
 * @property {number} turn
 * @property {string} callID
 * @property {CallUser} caller
 * @property {CallType} callType
 * @property {boolean} group
 * @property {import("./config.js").MissedReason} [reason]
 * @property {number} [at] when the call was made, ms since 1970
 * @property {number} [missedAt] when it was missed, ms since 1970
 * @property {boolean} [canJoin] the group call still runs, and a dial-back joins it
 */

/**
 * Someone in a call, or invited to it.
 * @typedef {object} Participant
 * @property {CallUser} user
 * @property {boolean} self whether that is this user
 * @property {ParticipantState} state
 * @property {number} turn
 * @property {string} inviter user id
 * @property {number} entered of those in the call: orders them by when they came in, alike on all devices
 */

/**
 * What a peer's media says (R1); `data` is whatever they sent.
 * @typedef {object} Signal
 * @property {string} invitationID
 * @property {{user: string, device: string}} from who is in the call, and the device that they are in it on
 * @property {any} data
 */

/**
 * A call as it stands.
 * @typedef {object} Call
 * @property {string} invitationID
 * @property {string} callID
 * @property {CallType} callType
 * @property {boolean} group
 * @property {string} initiator user id
 * @property {string | null} customData null until it is fetched, where it is long
 * @property {number} at when it was sent, ms since 1970
 * @property {boolean} inCall whether this device is in it: no longer, once the app has asked to leave or end it
 * @property {boolean} elsewhere whether another device of this user is in it
 * @property {{turn: number, caller: CallUser, deadline: number} | null} ringing while it rings here; the deadline in ms
 *   since 1970 by this browser's clock
 * @property {Participant[]} participants this user, and the others as far as they are known, the last
 *   changed first
 * @property {number} participantsCount
 * @property {number} inCallCount how many are in the call now
 * @property {boolean} canJoin whether this user could join now
 */

/**
 * One call of the past.
 * @typedef {object} HistoryEntry
 * @property {string} invitationID
 * @property {number} turn
 * @property {string} callID
 * @property {CallType} callType
 * @property {boolean} group
 * @property {"outgoing" | "incoming" | "joined"} direction
 * @property {CallUser[]} with the other side, at most 20
 * @property {number} withCount how many the other side are in all
 * @property {number} at ms since 1970
 * @property {number} endedAt ms since 1970
 * @property {"answered" | "declined" | "missed" | "unanswered"} outcome
 * @property {string} [reason] why it was missed, or how it ended unanswered
 */

/**
 * A refusal, or a connection's trouble, with one of the stable codes of spec §10.
 */
export class CallError extends Error {
  /** @param {{code?: string, message?: string, field?: string, retry_after_ms?: number, invitation_id?: string}} wire */
  constructor(wire) {
    const sentence = wire.message ?? wire.code ?? "The request failed.";
    super(wire.field ? `${wire.field} ${sentence}` : sentence);
    this.name = "CallError";
    /** The stable code. */
    this.code = wire.code ?? "internal";
    /** The field that is wrong, in the wire's spelling. */
    this.field = wire.field;
    /** When a repeat may succeed, in ms. */
    this.retryAfterMs = wire.retry_after_ms;
    /** The invitation that stands in the way. */
    this.invitationID = wire.invitation_id;
  }
}

/**
 * @param {any} wire
 * @returns {MissedCall}
 */
export function missedCall(wire) {
  const { invitation_id, turn, call_id, caller, call_type, group } = wire;
  /** @type {MissedCall} */
  const missed = { invitationID: invitation_id, turn, callID: call_id, caller, callType: call_type, group };
  if (wire.reason === undefined) return missed;
  return { ...missed, reason: wire.reason, at: wire.at, missedAt: wire.missed_at, canJoin: wire.can_join };
}

/**
 * A missed call as device.js takes it back.
 * @param {MissedCall} missed
 */
export function missedRef(missed) {
  const { invitationID, turn, callID, caller, callType, group } = missed;
  return { invitation_id: invitationID, turn, call_id: callID, caller, call_type: callType, group };
}

/**
 * @param {any} wire
 * @returns {Invitation | undefined}
 */
export function invitation(wire) {
  if (!wire) return undefined;
  const { invitation_id, turn, at, count, complete } = wire;
  return { invitationID: invitation_id, turn: turn ?? null, at, count, complete };
}

/**
 * @param {any} wire
 * @returns {HistoryEntry}
 */
export function historyEntry(wire) {
  const { invitation_id, call_id, call_type, with_count, ended_at, ...same } = wire;
  return { ...same, invitationID: invitation_id, callID: call_id, callType: call_type, withCount: with_count, endedAt: ended_at };
}

/**
 * @param {any} wire
 * @returns {Signal}
 */
export function signal({ invitation_id, from, device, data }) {
  return { invitationID: invitation_id, from: { user: from, device }, data };
}

/**
 * @param {any} view of one call, as device.js holds it
 * @param {{user: string, device: string | null, inCall: string | null, ring: {turn: number, deadline: number} | undefined}} own
 * @returns {Call}
 */
export function call(view, { user, device, inCall, ring }) {
  const known = new Map(view.others.map((/** @type {any} */ other) => [other.id, { id: other.id, name: other.name }]));
  const last = view.own.at(-1);
  const self = last && { user: { id: user, name: "" }, self: true, state: last.state, turn: last.no, inviter: last.inviter, entered: view.entered ?? 0 };
  const inviter = ring && view.own.find((/** @type {any} */ turn) => turn.no === ring.turn)?.inviter;
  return {
    invitationID: view.invitation_id,
    callID: view.call_id,
    callType: view.call_type,
    group: view.group,
    initiator: view.initiator,
    customData: view.custom_data ?? null,
    at: view.at,
    inCall: view.invitation_id === inCall,
    elsewhere: last?.state === "accepted" && last.device !== device,
    ringing: ring ? { turn: ring.turn, caller: known.get(inviter) ?? { id: inviter ?? "", name: "" }, deadline: ring.deadline } : null,
    participants: [...(self ? [self] : []), ...view.others.flatMap(participant)],
    participantsCount: view.others_count + (self ? 1 : 0),
    inCallCount: view.in_call,
    canJoin: view.can_join,
  };
}

/**
 * @param {any} other of a view
 * @returns {Participant[]} none without a turn
 */
function participant({ id, name, changed, turns }) {
  const last = turns.at(-1);
  return last ? [{ user: { id, name }, self: false, state: last.state, turn: last.no, inviter: last.inviter, entered: changed }] : [];
}
