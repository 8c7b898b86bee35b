// Ringback's browser SDK: call invitations with missed-call notification and dial-back. Everything that an app uses.

export { ConfigError } from "./config.js";
export * from "./prebuilt.js";
export { CallInvitationService } from "./service.js";
export { CallError } from "./shapes.js";
export { VERSION } from "./version.js";

/** @typedef {import("./config.js").CallInvitationConfig} CallInvitationConfig */
/** @typedef {import("./config.js").InCallingConfig} InCallingConfig */
/** @typedef {import("./config.js").MissedCallConfig} MissedCallConfig */
/** @typedef {import("./config.js").MissedReason} MissedReason */
/** @typedef {import("./config.js").TextContext} TextContext */
/** @typedef {import("./config.js").TextFunction} TextFunction */
/** @typedef {import("./events.js").CallInvitationEvents} CallInvitationEvents */
/** @typedef {import("./leader.js").ConnectionState} ConnectionState */
/** @typedef {import("./notifications.js").ServiceWorkerOptions} ServiceWorkerOptions */
/** @typedef {import("./service.js").DialedBack} DialedBack */
/** @typedef {import("./service.js").InitOptions} InitOptions */
/** @typedef {import("./service.js").InviteOptions} InviteOptions */
/** @typedef {import("./service.js").SendOptions} SendOptions */
/** @typedef {import("./service.js").Sent} Sent */
/** @typedef {import("./shapes.js").Call} Call */
/** @typedef {import("./shapes.js").CallType} CallType */
/** @typedef {import("./shapes.js").CallUser} CallUser */
/** @typedef {import("./shapes.js").HistoryEntry} HistoryEntry */
/** @typedef {import("./shapes.js").Invitation} Invitation */
/** @typedef {import("./shapes.js").MissedCall} MissedCall */
/** @typedef {import("./shapes.js").Participant} Participant */
/** @typedef {import("./shapes.js").ParticipantState} ParticipantState */
/** @typedef {import("./shapes.js").Signal} Signal */
