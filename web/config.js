// The client's configuration (spec §2): defaults, checks, and what of it goes to the server.

/** Longest ringing, in seconds (C13). */
export const MAX_TIMEOUT_SECONDS = 600;

/** Every reason for which a call counts as missed (M1), and by default pops up a notification (C8). */
export const MISSED_REASONS = Object.freeze(
  /** @type {const} */ (["no_answer", "cancelled", "busy", "do_not_disturb", "unreachable"]),
);

/**
 * Why a call was missed (M1).
 * @typedef {(typeof MISSED_REASONS)[number]} MissedReason
 */

/**
 * Says which text is asked for (C12): the pop-up for a missed call, or the push that rings the person dialled back.
 * @typedef {object} TextContext
 * @property {"missed_call" | "dial_back"} kind
 * @property {import("./shapes.js").MissedCall} missedCall the newest missed call that the notification stands for
 * @property {number} count how many missed calls it stands for (M6)
 */

/**
 * Makes a text of a notification; nothing returned means the default text (C5, C6).
 * @typedef {(context: TextContext) => string | null | undefined} TextFunction
 */

/**
 * C2 to C8.
 * @typedef {object} MissedCallConfig
 * @property {boolean} [enabled] C2, true: pops up a notification for a missed call
 * @property {boolean} [enableDialBack] C3, true: a click dials back
 * @property {string | null} [resourceID] C4: the notification resource kept on the server; 1 to 128 bytes
 * @property {TextFunction | null} [notificationTitle] C5
 * @property {TextFunction | null} [notificationMessage] C6
 * @property {number} [timeoutSeconds] C7, 30: how long a dial-back rings; a whole number from 1 to 600
 * @property {MissedReason[]} [reasons] C8, all: which reasons pop up a notification
 */

/**
 * C9 and C10.
 * @typedef {object} InCallingConfig
 * @property {boolean} [canInvitingInCalling] C9, false: participants may invite more users into a running call
 * @property {boolean} [onlyInitiatorCanInvite] C10, false: of them only the initiator may
 */

/**
 * The configuration that `init` takes; whatever is left out has its default.
 * @typedef {object} CallInvitationConfig
 * @property {boolean} [endCallWhenInitiatorLeave] C1, false: the whole call ends when its initiator leaves
 * @property {MissedCallConfig} [missedCall]
 * @property {InCallingConfig} [inCalling]
 * @property {boolean} [callWaiting] C11, false: true lets a call ring while in another
 */

/**
 * A checked configuration with every default filled in.
 * @typedef {object} CheckedConfig
 * @property {boolean} endCallWhenInitiatorLeave
 * @property {Required<MissedCallConfig>} missedCall
 * @property {Required<InCallingConfig>} inCalling
 * @property {boolean} callWaiting
 */

/** Refuses a parameter: its `parameter` says which, by its path, such as `config.missedCall.timeoutSeconds` (C13). */
export class ConfigError extends RangeError {
  /**
   * @param {string} parameter the path of the parameter
   * @param {string} problem what it has to be
   */
  constructor(parameter, problem) {
    super(`${parameter} ${problem}`);
    this.name = "ConfigError";
    this.code = "bad_request";
    this.parameter = parameter;
  }
}

/**
 * Checks a configuration and fills in the defaults; nothing is clamped (C13).
 * @param {CallInvitationConfig | null} [given]
 * @returns {CheckedConfig}
 * @throws {ConfigError} naming the first parameter that is wrong, an unknown one included
 */
export function checkConfig(given) {
  const top = section("config", given, ["endCallWhenInitiatorLeave", "missedCall", "inCalling", "callWaiting"]);
  const missed = section("config.missedCall", top.missedCall, [
    "enabled", "enableDialBack", "resourceID", "notificationTitle", "notificationMessage", "timeoutSeconds", "reasons",
  ]);
  const inCalling = section("config.inCalling", top.inCalling, ["canInvitingInCalling", "onlyInitiatorCanInvite"]);
  return {
    endCallWhenInitiatorLeave: flag("config.endCallWhenInitiatorLeave", top.endCallWhenInitiatorLeave, false),
    missedCall: {
      enabled: flag("config.missedCall.enabled", missed.enabled, true),
      enableDialBack: flag("config.missedCall.enableDialBack", missed.enableDialBack, true),
      resourceID: checkResource("config.missedCall.resourceID", missed.resourceID),
      notificationTitle: textFunction("config.missedCall.notificationTitle", missed.notificationTitle),
      notificationMessage: textFunction("config.missedCall.notificationMessage", missed.notificationMessage),
      timeoutSeconds: checkTimeout("config.missedCall.timeoutSeconds", missed.timeoutSeconds ?? 30),
      reasons: checkReasons(missed.reasons),
    },
    inCalling: {
      canInvitingInCalling: flag("config.inCalling.canInvitingInCalling", inCalling.canInvitingInCalling, false),
      onlyInitiatorCanInvite: flag("config.inCalling.onlyInitiatorCanInvite", inCalling.onlyInitiatorCanInvite, false),
    },
    callWaiting: flag("config.callWaiting", top.callWaiting, false),
  };
}

/**
 * Takes a ringing time.
 * @param {string} parameter
 * @param {unknown} seconds
 * @returns {number} whole seconds, 1 to 600
 */
export function checkTimeout(parameter, seconds) {
  if (!Number.isInteger(seconds) || Number(seconds) < 1 || Number(seconds) > MAX_TIMEOUT_SECONDS) {
    throw new ConfigError(parameter, `must be a whole number of seconds from 1 to ${MAX_TIMEOUT_SECONDS}`);
  }
  return Number(seconds);
}

/**
 * Takes the name of a notification resource, or none.
 * @param {string} parameter
 * @param {unknown} id
 * @returns {string | null}
 */
export function checkResource(parameter, id) {
  return id === undefined || id === null ? null : checkId(parameter, id);
}

/**
 * Takes an id as the server does (spec §10).
 * @param {string} parameter
 * @param {unknown} id
 * @returns {string}
 */
export function checkId(parameter, id) {
  if (typeof id !== "string") throw new ConfigError(parameter, "must be a string");
  if (id === "") throw new ConfigError(parameter, "must not be empty");
  if (new TextEncoder().encode(id).length > 128) throw new ConfigError(parameter, "must have at most 128 bytes");
  if (/\p{Cc}/u.test(id)) throw new ConfigError(parameter, "must have no control characters");
  return id;
}

/**
 * The part that is known outside this tab: without the functions, in the wire's spelling (C14).
 * @param {CheckedConfig} config
 */
export function wireConfig(config) {
  return {
    missed_call: {
      enabled: config.missedCall.enabled,
      enable_dial_back: config.missedCall.enableDialBack,
      resource_id: config.missedCall.resourceID,
      reasons: [...config.missedCall.reasons],
    },
    in_calling: {
      can_inviting_in_calling: config.inCalling.canInvitingInCalling,
      only_initiator_can_invite: config.inCalling.onlyInitiatorCanInvite,
    },
    end_call_when_initiator_leave: config.endCallWhenInitiatorLeave,
    call_waiting: config.callWaiting,
  };
}

/**
 * @param {string} path
 * @param {unknown} value
 * @param {string[]} known
 * @returns {Record<string, unknown>}
 */
function section(path, value, known) {
  if (value === undefined || value === null) return {};
  if (typeof value !== "object" || Array.isArray(value)) throw new ConfigError(path, "must be an object");
  for (const name of Object.keys(value)) {
    if (!known.includes(name)) throw new ConfigError(`${path}.${name}`, `is unknown; known are ${known.join(", ")}`);
  }
  return /** @type {Record<string, unknown>} */ (value);
}

/**
 * @param {string} parameter
 * @param {unknown} value
 * @param {boolean} otherwise
 */
function flag(parameter, value, otherwise) {
  if (value === undefined) return otherwise;
  if (typeof value !== "boolean") throw new ConfigError(parameter, "must be true or false");
  return value;
}

/**
 * @param {string} parameter
 * @param {unknown} value
 * @returns {TextFunction | null}
 */
function textFunction(parameter, value) {
  if (value === undefined || value === null) return null;
  if (typeof value !== "function") throw new ConfigError(parameter, "must be a function that returns a text or nothing");
  return /** @type {TextFunction} */ (value);
}

/**
 * @param {unknown} value
 * @returns {MissedReason[]}
 */
function checkReasons(value) {
  if (value === undefined) return [...MISSED_REASONS];
  const known = /** @type {readonly unknown[]} */ (MISSED_REASONS);
  if (!Array.isArray(value) || value.some((reason) => !known.includes(reason))) {
    throw new ConfigError("config.missedCall.reasons", `must be a list of ${MISSED_REASONS.join(", ")}`);
  }
  return [...new Set(value)];
}
