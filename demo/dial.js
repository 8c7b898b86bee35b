// Whom to call: the list of people with who is blocked (L13), names that are typed, and the call itself.

import { MAX_TIMEOUT_SECONDS } from "/web/config.js";

import { $, all, attempt, attribute, button, element, keep, kept, keyed, put, say } from "./dom.js";
import { needServer } from "./link.js";
import { avatar, calledBy, forget, idOf, isTyped, me, others, remember } from "./people.js";
import { setting } from "./settings.js";

/** Where somebody stands who can't be called into a call again. */
const HERE = { inviting: "Calling", ringing: "Ringing", accepted: "In the call" };

/** Where the settings of one's own call are kept. */
const BEGAN = "ringback-demo:began";

/** @type {import("/web/ringback.js").CallInvitationService} */
let service;
/** The call of somebody else's that last let this user invite nobody. */
let refusedBy = "";

/** @param {import("/web/ringback.js").CallInvitationService} its */
export function beginDial(its) {
  service = its;
  $("dial").addEventListener("submit", (event) => {
    event.preventDefault();
    attempt(event.submitter, () => dial(event));
  });
  $("add-typed").addEventListener("click", ({ currentTarget }) => attempt(currentTarget, () => {
    $("other").focus();
    takeTyped();
  }));
  $("other").addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.isComposing || event.target.value.trim() === "") return;
    event.preventDefault();
    attempt(null, takeTyped);
  });
  drawPeople();
}

/** Draws everybody who can be called: a box to choose them, and a button that blocks. */
export function drawPeople() {
  const call = service.calls.find((one) => one.inCall);
  const stands = (user) => call?.participants.find((one) => one.user.id === user)?.state;
  const shut = closed(call) !== "";
  const blocked = service.blocked;
  const people = [...new Set([...others(), ...blocked.filter((user) => user !== me)])];
  keyed($("people"), "person", people, (user) => user, (user) => {
    const box = element("input", { type: "checkbox", data: { user } });
    const name = calledBy(user);
    return element("li", {}, [
      element("label", {}, [box, avatar({ id: user, name: "" }), element("span", { className: "name", textContent: name, dir: "auto" }), element("span", { className: "tag" })]),
      isTyped(user) ? button({ className: "small forget", icon: "close", label: `Take ${name} off the list`, work: () => takeOff(user) }) : null,
      button({ className: "small block", icon: "block", work: () => toggleBlock(user) }),
    ]);
  }, (item, user) => {
    const out = blocked.includes(user);
    const [box, tag, block] = [item.querySelector("input"), item.querySelector(".tag"), item.querySelector(".block")];
    const standing = out ? "Blocked" : HERE[stands(user)] ?? "";
    put(tag, standing);
    tag.hidden = standing === "";
    box.disabled = shut || standing !== "";
    if (out) box.checked = false;
    const forgets = item.querySelector(".forget");
    if (forgets) forgets.hidden = HERE[stands(user)] !== undefined;
    put(block.querySelector("span"), out ? "Unblock" : "");
    attribute(block, "aria-label", `${out ? "Unblock" : "Block"} ${calledBy(user)}`);
    attribute(block, "title", out ? null : `Block ${calledBy(user)}`);
  });
}

async function toggleBlock(user) {
  const name = calledBy(user);
  if (service.blocked.includes(user)) {
    await service.unblock(user);
    say(`${name} can call you again.`);
  } else {
    await service.block(user);
    say(`${name} is blocked: their calls reach you no more, and they can’t tell.`);
  }
}

function takeOff(user) {
  forget(user);
  drawPeople();
  $("other").focus();
}

/**
 * Takes the names that were typed into the list, chosen, all of them or none.
 * @throws {Error} saying who of them can't be called; what was typed stays to be mended
 */
function takeTyped() {
  const typed = $("other").value.split(/[,;，、；،؛]/u).filter((name) => name.trim() !== "").map(idOf);
  for (const user of typed) {
    const why = user === me ? `${calledBy(user)} is you.`
      : service.blocked.includes(user) ? `${calledBy(user)} is blocked: unblock them to call.` : null;
    if (why) throw new Error(why);
  }
  for (const user of typed) remember(user);
  $("other").value = "";
  drawPeople();
  for (const box of all("#people input")) if (typed.includes(box.dataset.user) && !box.disabled) box.checked = true;
}

/** Those who are chosen. @returns {string[]} */
export function chosen() {
  return all("#people input:checked:enabled").map((box) => box.dataset.user);
}

/** How long it is to ring, in seconds. @throws {Error} if that can't be; the field is where one goes on */
export function ringFor() {
  const seconds = $("timeout").valueAsNumber;
  const right = Number.isInteger(seconds) && seconds >= 1 && seconds <= MAX_TIMEOUT_SECONDS;
  attribute($("timeout"), "aria-invalid", right ? null : "true");
  if (right) return seconds;
  $("timeout").focus();
  throw new Error(`Ring for: 1 to ${MAX_TIMEOUT_SECONDS} seconds.`);
}

/** Calls people from a list. @param {string[]} invitees @param {boolean} isVideoCall */
export async function callAnew(invitees, isVideoCall) {
  needServer();
  if (service.calls.some((one) => one.inCall)) throw new Error("You are in another call.");
  await service.send({ invitees, isVideoCall, timeoutSeconds: ringFor() });
}

async function dial({ submitter }) {
  takeTyped();
  const invitees = chosen();
  needServer();
  if (invitees.length === 0) throw new Error("Choose whom to call.");
  say("");
  const call = service.calls.find((one) => one.inCall);
  const options = { invitees, timeoutSeconds: ringFor() };
  try {
    if (call) await service.invite(options);
    else await service.send({ ...options, isVideoCall: submitter.value === "video", customData: $("custom-data").value });
  } catch (error) {
    if (!call || error.code !== "forbidden") throw error;
    refusedBy = call.invitationID;
    drawPeople();
    return drawDial(call);
  }
  // The next call is to whom one chooses then.
  for (const box of all("#people input")) box.checked = false;
}

/** In a call, whom one chooses is added to it. */
export function drawDial(call) {
  put($("dial-title"), call ? "Add to the call" : "Call");
  put($("call-voice").querySelector("span"), call ? "Invite" : "Voice call");
  $("call-video").hidden = call !== undefined;
  const why = closed(call);
  put($("dial-closed"), why);
  $("dial-closed").hidden = why === "";
  $("dial-parts").disabled = why !== "";
}

/** Why nobody can be added to a call, as far as this page knows; empty if they can. */
function closed(call) {
  if (!call) return "";
  if (call.initiator !== me) {
    return refusedBy === call.invitationID ? "This call takes no more people from you: its initiator’s settings inCalling.canInvitingInCalling and onlyInitiatorCanInvite say so." : "";
  }
  // A call keeps the settings with which it began, through reloads of this page, too.
  let began = kept(BEGAN, { invitation: "", open: false }, sessionStorage);
  if (began.invitation !== call.invitationID) {
    began = { invitation: call.invitationID, open: setting("inCalling.canInvitingInCalling") };
    keep(BEGAN, began, sessionStorage);
  }
  return began.open ? "" : "This call takes no more people; Settings → “More people can be invited in the call” lets the next one.";
}
