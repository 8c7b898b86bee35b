// The app's own texts for notifications (C5, C6, C12).

import { missedCall } from "./shapes.js";

/**
 * Asks the app for the texts of a notification; what it leaves out is null, and has the default.
 * @param {import("./config.js").CheckedConfig} config
 * @param {"missed_call" | "dial_back"} kind
 * @param {any} missed the missed call, in the wire's spelling
 * @param {number} count
 * @returns {{title: string | null, message: string | null}}
 */
export function texts({ missedCall: { notificationTitle, notificationMessage } }, kind, missed, count) {
  const context = { kind, missedCall: missedCall(missed), count };
  return { title: text(notificationTitle, context), message: text(notificationMessage, context) };
}

/**
 * @param {import("./config.js").TextFunction | null} make
 * @param {import("./config.js").TextContext} context
 * @returns {string | null}
 */
function text(make, context) {
  try {
    const made = make?.(context);
    return typeof made === "string" ? made : null;
  } catch (error) {
    // The app's mistake is the app's to see, and no reason to leave its user without a notification.
    reportError(error);
    return null;
  }
}
