// What goes into the machine of device.js, what comes out, and what it knows. Names are the wire's (docs/protocol.md).
//
// INPUTS (`message`)
//   {type:"init", config:{missed_call:{enabled, enable_dial_back, resource_id|null, timeout_ms, reasons:[…]},
//                         clicked: bool  (the app set onIncomingMissedCallClicked)},
//                 take_up?: bool (the app goes on with the call of the process before it: L9)}
//        First thing in an app; a service worker never sends it. Clicks that came before it are delivered now (D3).
//   {type:"opened"}    a new connection is open: answered by a `hello` output, to be sent with token and config added
//   {type:"closed"}    it is gone (also after a `close` output, once it is closed)
//   {type:"frame", frame}   a frame of the server, exactly as in docs/protocol.md
//   {type:"act", id, ask}   what the app asks. `id`: a fresh unguessable request id, also the name of the `reply` output.
//        `ask` is the wire's request without `id`, save that
//          accept, reject: `turn` may be left out (the turn that rings);
//          cancel: {type, invitation_id} alone means everyone, as seen by this machine;
//          dial_back: {type, missed, title?, message?, default?: bool}: C4 and C7 are added here; `missed` is a MissedRef;
//            `default: true` is the default action of a click, which does nothing where C3 is false (D2).
//   {type:"click", missed, user, at}    a notification was clicked, or its action; `missed` and `user` as in its `show`.
//        `missed: null` for the summary. Before `init` it is kept (a `persist` comes out) for at most 60 s.
//   {type:"dismissed", missed, user}    the person closed a notification (not: it was withdrawn or clicked)
//   {type:"denied"}    showing a notification failed for want of permission (M8)
//   {type:"tick"}      time passed
//
// OUTPUTS
//   {type:"hello", holds:[{invitation_id, revision}], claim:{invitation_id?, request_ids:[…]}}
//        complete it with type, token, protocol, device and the wire's config, and send it
//   {type:"send", frame}     a wire frame to send
//   {type:"close"}           nothing was heard for too long (N3), close the connection, then input `closed`
//   {type:"reply", id, ok} | {type:"reply", id, error:{code, message, …}}   the outcome of the act `id`; each act gets one
//        (dial_back: also {outcome:"none"} for a default action with C3 false; `device_id` says where it is, D7)
//   {type:"event", name, args, invitation?}     call `invitationEvents[name]?.(...args, invitation)`. Args by position:
//        onIncomingCallTimeout                [callID, caller]
//        onIncomingMissedCallClicked          [callID, caller, callType, callees, customData]  + defaultAction by the SDK,
//                                             before `invitation`: inputs an act `dial_back` with `default: true` and
//                                             `missed` = the event's `missed` field
//        onIncomingMissedCallDialBackFailed   [{reason, callID, caller}]
//        onIncomingCallReceived               [callID, caller, callType, callees, customData]
//        onIncomingCallCanceled               [callID, caller, customData]
//        onIncomingCallAnsweredElsewhere      [callID, how]   how: answered, declined, busy, crossed, dialed_back
//        onOutgoingCallSent                   [callID, caller, callType, callees, customData, refused:[{user, code}]]
//        onOutgoingCallAccepted, onOutgoingCallDeclined, onOutgoingCallRejectedCauseBusy   [callID, callee, customData]
//        onOutgoingCallTimeout                [callID, callees, isVideoCall]
//        onInvitationUserStateChanged         [callID, [{id, name, state}]]
//        onCallEnded                          [callID, reason]
//        onMissedCallsChanged                 [calls (as on the wire), total]
//        onConnectionStateChanged             [state]   connected, disconnected (come back with back-off), replaced,
//                                             unauthorized, upgrade_required (don't come back by itself)
//        onTokenWillExpire                    [remaining_ms]
//        onError                              [{code, message}]
//        `invitation`: {invitation_id, turn|null, at, count, complete}: `count` of the callees that the event is about,
//        of which at most 20 are listed (S16); `complete: false` when customData or callees could not be had in time (D1).
//        A person is {id, name}.
//   {type:"ring", invitation_id, turn, call_id, caller, call_type, group, deadline}     ring until `deadline` (of `now`'s clock)
//   {type:"unring", invitation_id, turn}                                                stop
//   {type:"show", key, missed, user, title, body, count, at, actions:["call_back"|"join"], sound}
//        show the notification tagged `key`, or replace it; keep `missed` and `user` in its data for `click` and
//        `dismissed`. `title` and `body` are the default texts (C5, C6 go before them). `missed: null` is the summary (M7),
//        `at` the time of the newest call, `sound: false` means silently.
//   {type:"withdraw", key}        close it; also after a click
//   {type:"default_action", missed}   a click's default action is due and the app didn't set S2: input an act
//        `dial_back` with `default: true`
//   {type:"persist", state}       keep `state` for this user and device before the process may die; the last output of an input
//
//   MissedRef: {invitation_id, turn, call_id, caller:{id, name}, call_type, group}
//
// TO LOOK AT: session.call(invitation_id) → the newest view or null; session.calls() → all views held;
// session.inCall() → invitation_id of the call this device is in, or null; session.missed() → {calls, total}.

/** @typedef {{id: string, name: string}} Person */

/**
 * A missed call as a notification stands for it.
 * @typedef {object} MissedRef
 * @property {string} invitation_id
 * @property {number} turn
 * @property {string} call_id
 * @property {Person} caller
 * @property {string} call_type
 * @property {boolean} group
 */

/**
 * A missed call as the server lists it.
 * @typedef {MissedRef & {reason: string, cancelled: boolean, at: number, missed_at: number, silent: boolean,
 *   can_join: boolean, returned: boolean, of: number, existed: boolean}} MissedEntry
 */

/** The missed calls as the server lists them. @typedef {{revision: number, total: number, calls: MissedEntry[]}} Missed */

/** @typedef {{no: number, kind: string, inviter: string, state: string}} OtherTurn */
/** @typedef {{id: string, name: string, changed: number, turns: OtherTurn[]}} Other */

/**
 * A turn of the device's own user; `deadline` is on the device's clock.
 * @typedef {OtherTurn & {deadline: number, device?: string|null, leaving?: string|null, crossed: boolean}} OwnTurn
 */

/**
 * A call as the server shows it.
 * @typedef {object} View
 * @property {string} invitation_id
 * @property {number} revision
 * @property {string} call_id
 * @property {string} call_type
 * @property {boolean} group
 * @property {string} initiator
 * @property {string|null} custom_data
 * @property {number} at
 * @property {OwnTurn[]} own
 * @property {Other[]} others
 * @property {number} others_count
 * @property {number} [entered]
 * @property {string|null} [ended]
 */

/**
 * The part of the app's configuration that the machine decides by; `clicked`: the app set S2.
 * @typedef {object} Config
 * @property {{enabled: boolean, enable_dial_back: boolean, resource_id: string|null, timeout_ms: number, reasons: string[]}} missed_call
 * @property {boolean} clicked
 */

/** @typedef {{type: string, [field: string]: any}} Message an input, an output or a frame */

/**
 * A request that isn't answered yet: `own` is the machine's, `until` is when it is given up, `again` says that it was
 * sent on an earlier connection, `sent` that it was on this one.
 * @typedef {{id: string, frame: Message, own: boolean, until: number|null, again: boolean, missed: MissedRef|null, sent: boolean}} Request
 */

/** A request that made the call, or invited into it: S7 is owed. @typedef {{callees: string[], refused: any[], dialed: boolean}} Sent */

/** A view that isn't taken yet, and what was fetched for it. @typedef {{view: View, pages: Other[], offset: number|null, failed: boolean}} Next */

/**
 * A call that the device knows of.
 * @typedef {object} Held
 * @property {string} id
 * @property {View|null} view the newest that was taken
 * @property {Other[]} others everyone else that was ever listed
 * @property {string|null} custom once it is known
 * @property {boolean} lacking `customData` could not be had
 * @property {number} whole `others` is whole up to this revision
 * @property {number|null} open the turn that S4 was given for, until its end was told
 * @property {number} rung the last turn that S4 was given for
 * @property {number} answered the last turn that this device accepted or declined, by the reply: its view comes behind
 * @property {number} mine the last turn that a view showed to be answered on this device
 * @property {Sent|null} sent
 * @property {Next|null} next
 * @property {number} calm until then a crowd's views wait, so that S10 comes at most twice a second
 */

/**
 * What a view is compared with while it is taken.
 * @typedef {{old: View|null, view: View, listed: Other[], before: Other[], others: Other[], lacking: boolean}} Change
 */

/** S2, or S5, that waits for what only the call has. @typedef {{missed: MissedRef, at: number|null, clicked: boolean, until: number}} Want */

/**
 * What one notification would show now; `fresh`: one of its missed calls is new, `loud`: and may make a sound.
 * @typedef {{key: string, missed: MissedRef, count: number, at: number, action: string|null, fresh: boolean, loud: boolean}} Group
 */

/** @typedef {{invitation_id: string, turn: number}} TurnId */

/**
 * What is kept, but for the requests.
 * @typedef {object} Keep
 * @property {(TurnId & {listed: boolean})[]} known missed calls told or listed
 * @property {number} floor of a list that was cut off: what is older and comes up later isn't new
 * @property {(TurnId & {key: string, count: number, action: string|null})[]} shown
 * @property {{keys: string[], count: number}|null} summary
 * @property {string[]} back what comes back silently, once the list says what it shows (M4)
 * @property {{user: string, at: number}[]} sounded
 * @property {{missed: MissedRef, at: number}[]} clicks before `init` (D3)
 * @property {string[]} here the calls that this device is in, the one it claims last
 */

/**
 * All that the machine knows: plain JSON.
 * @typedef {object} State
 * @property {Person} me
 * @property {string} device
 * @property {string} seed
 * @property {number} made
 * @property {number} now
 * @property {Config|null} config
 * @property {boolean} over `uninit` was asked: nothing but its reply matters any more
 * @property {{synced: boolean, heard: number, pinged: boolean, dead: boolean, ping: number}|null} link
 * @property {string|null} bye
 * @property {{tell: number, end: number}|null} token
 * @property {boolean} denied
 * @property {Held[]} calls
 * @property {TurnId[]} rings
 * @property {Missed|null} missed
 * @property {Want[]} wants
 * @property {Request[]} requests
 * @property {Keep} keep
 */

export {};
