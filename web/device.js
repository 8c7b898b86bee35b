// The browser's half of Ringback (K9): what to ring, show, withdraw and dial back. It is the twin of
// `crates/core/src/device`: same inputs, same outputs, compared by `cargo xtask twin`. It is pure: no socket, no clock,
// no storage, no randomness, no DOM; it runs in a page, in a service worker and under node.
//
// HOW TO DRIVE IT
//   const session = new DeviceSession({ user, device, seed, persisted?, snapshot? });
//   for (const output of session.input(now, message)) perform(output);   // in order
//   const at = session.pollTimeout();                                    // call input(at, {type:"tick"}) then, or null
// `now` is in milliseconds since 1970 by this device's clock. `seed` is a fresh unguessable text for each process
// (a UUID): the machine names its own requests `<seed>-1`, `<seed>-2`, … `persisted` is the state of the newest `persist`
// output of this user on this device. `snapshot` is `session.snapshot()` of the tab that held the connection until now:
// a tab that takes over goes on with everything (no event comes twice) and claims the call (L9); with `snapshot`,
// `persisted` isn't read. Both are JSON, opaque to the SDK, and never shared between users.
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
//   {type:"hello", holds:[{invitation_id, revision}], claim?:{invitation_id}|{request_id}}
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
