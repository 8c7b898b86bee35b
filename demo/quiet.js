// Peace: do-not-disturb (L13).

import { $, all, attempt, attribute, clearError, element, put } from "./dom.js";
import { calledBy, listed, others } from "./people.js";
import { moment } from "./words.js";

/** @type {import("/web/ringback.js").CallInvitationService} */
let service;

/** @param {import("/web/ringback.js").CallInvitationService} its */
export function beginQuiet(its) {
  service = its;
  $("quiet-form").addEventListener("submit", (event) => {
    event.preventDefault();
    attempt(event.submitter, async () => {
      attribute($("quiet-until"), "aria-invalid", null);
      const through = all("#quiet-through input:checked").map((box) => box.value);
      await service.setDoNotDisturb(until(), through);
      $("quiet-panel").hidePopover();
    }, $("quiet-wrong"));
  });
  $("quiet-off").addEventListener("click", ({ currentTarget }) => attempt(currentTarget, async () => {
    await service.setDoNotDisturb(null);
    $("quiet-panel").hidePopover();
  }));
  $("quiet-until").addEventListener("focus", () => { $("quiet-form").elements.for.value = "until"; });
  $("quiet-panel").addEventListener("beforetoggle", ({ newState }) => newState === "open" && fillIn());
}

/** Whether it may ring aloud for a caller: do-not-disturb hides calls, save those that rang before it was on. */
export function audible(caller) {
  const quiet = service.doNotDisturb;
  return !quiet || quiet.until <= Date.now() || quiet.letThrough.includes(caller.id);
}

export function drawQuiet() {
  const quiet = inForce();
  put($("quiet-label"), quiet ? `Quiet until ${moment(quiet.until)}` : "Do not disturb");
  $("quiet").classList.toggle("on", quiet !== null);
  $("quiet-now").hidden = $("quiet-off").hidden = quiet === null;
  put($("quiet-on"), quiet ? "Change" : "Turn on");
  if (!quiet) return;
  const names = quiet.letThrough.map((id) => calledBy(id));
  put($("quiet-now"), `On until ${moment(quiet.until)}. ${names.length > 0 ? `Let through: ${listed(names)}.` : "Nobody is let through."}`);
}

function inForce() {
  const quiet = service.doNotDisturb;
  return quiet && quiet.until > Date.now() ? quiet : null;
}

/** The end that is chosen, in ms since 1970. */
function until() {
  const chosen = $("quiet-form").elements.for.value;
  if (chosen === "morning") {
    const morning = new Date();
    if (morning.getHours() >= 8) morning.setDate(morning.getDate() + 1);
    return morning.setHours(8, 0, 0, 0);
  }
  if (chosen !== "until") return Date.now() + Number(chosen) * 60_000;
  const end = $("quiet-until").valueAsNumber + new Date().getTimezoneOffset() * 60_000;
  if (end > Date.now()) return end;
  attribute($("quiet-until"), "aria-invalid", "true");
  $("quiet-until").focus();
  throw new Error("Choose a time to come.");
}

function fillIn() {
  const through = new Set(inForce()?.letThrough ?? []);
  $("quiet-through").replaceChildren(...others().map((user) => element("label", { className: "flag" }, [
    element("input", { type: "checkbox", value: user, checked: through.has(user) }),
    element("span", { textContent: calledBy(user), dir: "auto" }),
  ])));
  clearError($("quiet-wrong"));
  attribute($("quiet-until"), "aria-invalid", null);
  // While it is on, its end is what is proposed: whole minutes, not to end before.
  const end = inForce()?.until;
  $("quiet-form").elements.for.value = end ? "until" : "30";
  const proposed = end ? Math.ceil(end / 60_000) * 60_000 : Date.now() + 3_600_000;
  $("quiet-until").value = new Date(proposed - new Date(proposed).getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}
