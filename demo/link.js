// The connection to the server: what is said while there is none, and what isn't begun then.

import { $, attribute, clearError, put, say, showError } from "./dom.js";
import { CONNECTION } from "./words.js";

/** How long the server may be out of reach before the page says so, in ms: most breaks are shorter. */
const PATIENCE_MS = 2000;
/** Errors of the connection's: over once it is back. */
const ITS_ERRORS = ["unavailable", "unauthorized"];
/** What no token could be had for, which the banner says already. */
export const OUT_OF_REACH = "The server can’t be reached";

/** @type {import("/web/ringback.js").CallInvitationService} */
let service;
/** Since when there has been no connection that comes back by itself, in ms since 1970. @type {number | null} */
let since = null;
let shown = "";

/** @param {import("/web/ringback.js").CallInvitationService} its */
export function beginLink(its) {
  service = its;
}

export function drawLink() {
  const { connectionState: state } = service;
  if (state !== shown) {
    put($("connection"), state);
    attribute($("dot"), "data-state", state);
    if (state === "connected" && ITS_ERRORS.includes($("error").dataset.code)) clearError();
    shown = state;
  }
  if (CONNECTION[state] && $("error").hidden) showError(new Error(CONNECTION[state]));
  const away = state === "connecting" || state === "reconnecting";
  since = away ? since ?? Date.now() : null;
  $("offline").hidden = since === null || Date.now() - since < PATIENCE_MS;
}

/** Refuses what is of no use once the server is back: nobody wants to ring a minute later. */
export function needServer() {
  const { connectionState: state } = service;
  if (state === "connected") return;
  if (CONNECTION[state]) throw new Error(CONNECTION[state]);
  throw Object.assign(new Error(`${OUT_OF_REACH} just now: nobody was called.`), { code: "unavailable" });
}

/**
 * Answers a ring; without a connection it says that this waits.
 * @param {string} doing @param {() => Promise<unknown>} ask
 */
export async function answer(doing, ask) {
  const waits = `${doing} when the connection is back…`;
  if (service.connectionState !== "connected") say(waits, Infinity);
  try {
    await ask();
  } finally {
    if ($("last").textContent === waits) say("");
  }
}
