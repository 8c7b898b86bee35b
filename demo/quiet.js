// Peace: do-not-disturb, and people who are blocked (L13).

import { $, all, attempt, attribute, button, element, keyed, put, say } from "./dom.js";
import { avatar, calledBy, forget, idOf, isTyped, listed, me, others, remember } from "./people.js";
import { moment } from "./words.js";

/** Where somebody stands who can't be called into a call again. */
const HERE = { inviting: "Calling", ringing: "Ringing", accepted: "In the call" };

/** @type {import("/web/ringback.js").CallInvitationService} */
let service;

/** @param {import("/web/ringback.js").CallInvitationService} its */
export function beginQuiet(its) {
  service = its;
  $("quiet-form").addEventListener("submit", (event) => {
    event.preventDefault();
    attempt(event.submitter, async () => {
      const through = all("#quiet-through input:checked").map((box) => box.value);
      await service.setDoNotDisturb(until(), through);
      $("quiet-panel").hidePopover();
    });
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
  if (!(end > Date.now())) throw new Error("Choose a time to come.");
  return end;
}

function fillIn() {
  const through = new Set(inForce()?.letThrough ?? []);
  $("quiet-through").replaceChildren(...others().map((user) => element("label", { className: "flag" }, [
    element("input", { type: "checkbox", value: user, checked: through.has(user) }),
    element("span", { textContent: calledBy(user) }),
  ])));
  const soon = new Date(Date.now() + 3_600_000 - new Date().getTimezoneOffset() * 60_000);
  if (!$("quiet-until").value) $("quiet-until").value = soon.toISOString().slice(0, 16);
}

// ---- Whom to call, and who is blocked ----

/** Draws everybody who can be called: a box to choose them, and a button that blocks. */
export function drawPeople() {
  const call = service.calls.find((one) => one.inCall);
  const stands = (user) => call?.participants.find((one) => one.user.id === user)?.state;
  const blocked = service.blocked;
  const people = [...new Set([...others(), ...blocked.filter((user) => user !== me)])];
  keyed($("people"), "person", people, (user) => user, (user) => {
    const box = element("input", { type: "checkbox", data: { user } });
    const name = calledBy(user);
    return element("li", {}, [
      element("label", {}, [box, avatar({ id: user, name: "" }), element("span", { className: "name", textContent: name }), element("span", { className: "tag" })]),
      isTyped(user) ? button({ className: "small forget", icon: "close", label: `Take ${name} off the list`, work: () => takeOff(user) }) : null,
      button({ className: "small block", icon: "block", work: () => toggleBlock(user) }),
    ]);
  }, (item, user) => {
    const out = blocked.includes(user);
    const [box, tag, block] = [item.querySelector("input"), item.querySelector(".tag"), item.querySelector(".block")];
    const standing = out ? "Blocked" : HERE[stands(user)] ?? "";
    put(tag, standing);
    tag.hidden = standing === "";
    box.disabled = standing !== "";
    if (out) box.checked = false;
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
 * Takes the names that were typed into the list, chosen.
 * @returns {string[]} their ids
 */
export function takeTyped() {
  const typed = $("other").value.split(",").map(idOf).filter((user) => user !== "" && user !== me);
  for (const user of typed) remember(user);
  $("other").value = "";
  drawPeople();
  for (const user of typed) {
    const box = $("people").querySelector(`input[data-user="${user}"]`);
    if (box && !box.disabled) box.checked = true;
  }
  return typed;
}

/** Those who are chosen. @returns {string[]} */
export function chosen() {
  return all("#people input:checked:enabled").map((box) => box.dataset.user);
}
