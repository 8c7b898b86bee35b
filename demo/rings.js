// Calls that ring here: a card each, with the time that remains.

import { $, all, button, element, keyed, put } from "./dom.js";
import { answer } from "./link.js";
import { avatar, listed, nameOf } from "./people.js";
import { kind } from "./words.js";

/**
 * @param {import("/web/ringback.js").CallInvitationService} service
 * @param {import("/web/shapes.js").Call[]} rings
 * @param {boolean} engaged whether the user is in another call, which an answer leaves
 */
export function drawRings(service, rings, engaged) {
  $("incoming").hidden = rings.length === 0;
  keyed($("incoming"), "ring", rings, (call) => `${call.invitationID} ${call.ringing.turn}`, (call) => {
    const { caller } = call.ringing;
    const name = nameOf(caller);
    const card = element("div", {}, [
      element("span", { className: "pulse" }, [avatar(caller, "large")]),
      element("p", { className: "what" }, [
        element("strong", { className: "caller clamp", textContent: name, dir: "auto" }),
        element("span", { className: "about" }, [`${kind(call)} · `, remaining()]),
        element("span", { className: "message clamp", dir: "auto" }),
        element("span", { className: "more clamp" }),
      ]),
      element("div", { className: "buttons" }, [
        button({ className: "decline", icon: "hang-up", text: "Decline", work: () => answer("Declining", () => service.reject("declined", call.invitationID)) }),
        button({ className: "accept", icon: call.callType === "video" ? "video" : "phone", text: "Accept", work: () => answer("Answering", () => service.accept(call.invitationID)) }),
      ]),
    ]);
    card.setAttribute("role", "group");
    card.setAttribute("aria-label", `${name} is calling`);
    return card;
  }, (card, call) => {
    card.dataset.deadline = call.ringing.deadline;
    put(card.querySelector(".message"), call.customData ? `“${call.customData}”` : "");
    put(card.querySelector(".more"), more(call, engaged));
  });
  drawRemaining();
}

/** The time that remains; who listens isn't told it each second. */
function remaining() {
  const made = element("span", { className: "remaining" });
  made.setAttribute("role", "timer");
  return made;
}

/** What else there is to say: who else is called, and that an answer leaves a call. */
function more(call, engaged) {
  const callees = call.participants.filter((one) => !one.self && one.user.id !== call.ringing.caller.id);
  const parts = [
    callees.length > 0 ? `With ${listed(callees.map((one) => nameOf(one.user)))}` : "",
    engaged ? "Accepting leaves the call you are in" : "",
  ];
  return parts.filter(Boolean).join(" · ");
}

/** Counts down by the clock, not by how often it is called. */
export function drawRemaining() {
  for (const card of all("[data-ring]")) {
    const left = Math.max(0, Math.ceil((Number(card.dataset.deadline) - Date.now()) / 1000));
    put(card.querySelector(".remaining"), `${left} s left`);
  }
}
