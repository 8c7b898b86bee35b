// The service's events (spec §3), by position. Types alone; the last parameter of each may be left out.

/** @typedef {import("./shapes.js").CallUser} CallUser */
/** @typedef {import("./shapes.js").CallType} CallType */
/** @typedef {import("./shapes.js").Invitation} Invitation */
/** @typedef {import("./shapes.js").MissedCall} MissedCall */
/** @typedef {import("./shapes.js").ParticipantState} ParticipantState */
/** @typedef {import("./leader.js").ConnectionState} ConnectionState */

/**
 * S1, to a callee: nobody answered in time.
 * @callback OnIncomingCallTimeout
 * @param {string} callID
 * @param {CallUser} caller
 * @param {Invitation} [invitation]
 * @returns {void}
 */

/**
 * S2, to a callee: they clicked the notification of a missed call. `defaultAction` dials back, or joins the group, where
 * `missedCall.enableDialBack` is true; it never fails, S3 says so instead.
 * @callback OnIncomingMissedCallClicked
 * @param {string} callID
 * @param {CallUser} caller
 * @param {CallType} callType
 * @param {CallUser[]} callees at most 20
 * @param {string} customData
 * @param {() => Promise<void>} defaultAction
 * @param {Invitation} [invitation]
 * @returns {void | Promise<void>}
 */

/**
 * S3, to a callee: dialling back failed, and nothing else happens.
 * @callback OnIncomingMissedCallDialBackFailed
 * @param {{reason: string, callID: string, caller: CallUser}} [failure]
 * @param {Invitation} [invitation]
 * @returns {void}
 */

/**
 * S4, to a callee: it rings.
 * @callback OnIncomingCallReceived
 * @param {string} callID
 * @param {CallUser} caller
 * @param {CallType} callType
 * @param {CallUser[]} callees at most 20
 * @param {string} customData
 * @param {Invitation} [invitation]
 * @returns {void}
 */

/**
 * S5, to a callee: called off before an answer.
 * @callback OnIncomingCallCanceled
 * @param {string} callID
 * @param {CallUser} caller
 * @param {string} customData
 * @param {Invitation} [invitation]
 * @returns {void}
 */

/**
 * S6, to a callee's other devices: it rings no more, settled elsewhere.
 * @callback OnIncomingCallAnsweredElsewhere
 * @param {string} callID
 * @param {"answered" | "declined" | "busy" | "crossed" | "dialed_back"} how
 * @param {Invitation} [invitation]
 * @returns {void}
 */

/**
 * S7, to a caller: the server took it.
 * @callback OnOutgoingCallSent
 * @param {string} callID
 * @param {CallUser} caller
 * @param {CallType} callType
 * @param {CallUser[]} callees at most 20
 * @param {string} customData
 * @param {{user: string, code: string}[]} refused who could not be invited, and why
 * @param {Invitation} [invitation]
 * @returns {void}
 */

/**
 * S8, to the initiator and the inviter: how one callee answered.
 * @callback OnOutgoingCallAnswered
 * @param {string} callID
 * @param {CallUser} callee
 * @param {string} customData
 * @param {Invitation} [invitation]
 * @returns {void}
 */

/**
 * S9, to the initiator and the inviter: nobody answered in time.
 * @callback OnOutgoingCallTimeout
 * @param {string} callID
 * @param {CallUser[]} callees
 * @param {boolean} isVideoCall
 * @param {Invitation} [invitation]
 * @returns {void}
 */

/**
 * S10, to those in a call: whose state changed.
 * @callback OnInvitationUserStateChanged
 * @param {string} callID
 * @param {{id: string, name: string, state: ParticipantState}[]} users
 * @param {Invitation} [invitation]
 * @returns {void}
 */

/**
 * S11, to those who were in it: the call is over, or this device was taken out of it.
 * @callback OnCallEnded
 * @param {string} callID
 * @param {string} reason `declined`, `busy`, `timed_out`, `cancelled`, `unreachable`, `left`, `ended`, `alone`,
 *   `elsewhere` or `lost`
 * @param {Invitation} [invitation]
 * @returns {void}
 */

/**
 * What the app is told.
 * @typedef {object} CallInvitationEvents
 * @property {OnIncomingCallTimeout} [onIncomingCallTimeout] S1
 * @property {OnIncomingMissedCallClicked} [onIncomingMissedCallClicked] S2
 * @property {OnIncomingMissedCallDialBackFailed} [onIncomingMissedCallDialBackFailed] S3
 * @property {OnIncomingCallReceived} [onIncomingCallReceived] S4
 * @property {OnIncomingCallCanceled} [onIncomingCallCanceled] S5
 * @property {OnIncomingCallAnsweredElsewhere} [onIncomingCallAnsweredElsewhere] S6
 * @property {OnOutgoingCallSent} [onOutgoingCallSent] S7
 * @property {OnOutgoingCallAnswered} [onOutgoingCallAccepted] S8
 * @property {OnOutgoingCallAnswered} [onOutgoingCallDeclined] S8
 * @property {OnOutgoingCallAnswered} [onOutgoingCallRejectedCauseBusy] S8
 * @property {OnOutgoingCallTimeout} [onOutgoingCallTimeout] S9
 * @property {OnInvitationUserStateChanged} [onInvitationUserStateChanged] S10
 * @property {OnCallEnded} [onCallEnded] S11
 * @property {(missedCalls: MissedCall[], count: number) => void} [onMissedCallsChanged] S12, in every tab
 * @property {(state: ConnectionState) => void} [onConnectionStateChanged] S13, in every tab
 * @property {(remainingMs: number) => void} [onTokenWillExpire] S13
 * @property {(error: {code: string, message: string}) => void} [onError] S13
 */

export {};
