// The settings: every parameter of the configuration (spec §2) by its own name, and the demo's own; kept for each user.

import { ConfigError, MAX_TIMEOUT_SECONDS, MISSED_REASONS } from "/web/config.js";

import { $, all, clearError, element, keep, kept, showError } from "./dom.js";
import { calledBy, me, nameOf, titleCase } from "./people.js";
import { kind, REASONS } from "./words.js";

/**
 * @typedef {object} Parameter
 * @property {string} name as the SDK has it
 * @property {"flag" | "seconds" | "text" | "choices"} kind
 * @property {any} otherwise the default
 * @property {string} label
 * @property {string} [hint]
 * @property {string} [placeholder]
 */

/** @type {{title: string, hint?: string, parameters: Parameter[]}[]} */
const SECTIONS = [
  {
    title: "When I miss a call",
    parameters: [
      { name: "missedCall.enabled", kind: "flag", otherwise: true, label: "Notify me", hint: "Off: missed calls are still listed." },
      { name: "missedCall.reasons", kind: "choices", otherwise: [...MISSED_REASONS], label: "Notify me when" },
      { name: "missedCall.enableDialBack", kind: "flag", otherwise: true, label: "A click on the notification calls back" },
      { name: "missedCall.timeoutSeconds", kind: "seconds", otherwise: 30, label: "Calling back rings for" },
      { name: "missedCall.notificationTitle", kind: "text", otherwise: "", label: "Title of the notification", placeholder: "Missed Call" },
      {
        name: "missedCall.notificationMessage", kind: "text", otherwise: "", label: "Its message", placeholder: "Alice Video Call",
        hint: "An app gives a function; here, write a text with {caller}, {type} or {count} in it.",
      },
      {
        name: "missedCall.resourceID", kind: "text", otherwise: "", label: "Notification resource", placeholder: "none",
        hint: "The name of a template on the server, for pushes.",
      },
    ],
  },
  {
    title: "While I am in a call",
    parameters: [
      { name: "callWaiting", kind: "flag", otherwise: false, label: "Let other calls ring", hint: "Off: who calls meanwhile is told that I am busy." },
    ],
  },
  {
    title: "Calls that I start",
    hint: "These are kept with a call when it begins.",
    parameters: [
      { name: "endCallWhenInitiatorLeave", kind: "flag", otherwise: false, label: "They end for everyone when I leave" },
      { name: "inCalling.canInvitingInCalling", kind: "flag", otherwise: false, label: "More people can be invited in the call" },
      { name: "inCalling.onlyInitiatorCanInvite", kind: "flag", otherwise: false, label: "Only I can invite them" },
    ],
  },
  {
    title: "Sound and picture",
    parameters: [
      { name: "relayOnly", kind: "flag", otherwise: false, label: "Hide my address from the others", hint: "Everything goes through a relay (TURN), which the server’s configuration names." },
    ],
  },
];
const PARAMETERS = SECTIONS.flatMap((section) => section.parameters);
/** What is the demo's own, and no part of the SDK's configuration. */
const MEDIA = ["relayOnly"];

const place = `ringback-demo:${me}:settings`;
let values = read();

function read() {
  const stored = kept(place, {});
  return Object.fromEntries(PARAMETERS.map(({ name, otherwise }) => [name, stored[name] ?? otherwise]));
}

/** The SDK's configuration as set here. */
export function configuration() {
  /** @type {any} */
  const config = { missedCall: {}, inCalling: {} };
  for (const { name, kind: sort } of PARAMETERS.filter((one) => !MEDIA.includes(one.name))) {
    const [section, parameter] = name.split(".");
    const value = sort === "text" && values[name] === "" ? null : values[name];
    if (parameter) config[section][parameter] = value;
    else config[section] = value;
  }
  for (const text of ["notificationTitle", "notificationMessage"]) {
    const template = config.missedCall[text];
    if (template !== null) config.missedCall[text] = (context) => fill(template, context);
  }
  return config;
}

export function setting(name) {
  return values[name];
}

/**
 * Fills the placeholders of a text in, as an app's own function would make it (C5, C6, C12).
 * @param {string} template
 * @param {import("/web/config.js").TextContext} context
 */
export function fill(template, { kind: what, missedCall: missed, count }) {
  const words = {
    // Who sees the text: of a missed call its callee, and of a call back the one who is called.
    caller: what === "dial_back" ? calledBy(me) : nameOf(missed.caller),
    type: kind(missed).toLowerCase(),
    count: String(count),
  };
  return template.replace(/\{(\w+)\}/g, (all, name) => words[name] ?? all);
}

/**
 * Draws the form.
 * @param {(name: string | null) => void | Promise<void>} changed takes the new value of one setting, or of any; what it
 *   throws refuses that
 */
export function drawSettings(changed) {
  $("parameters").replaceChildren(...SECTIONS.map((section) => element("fieldset", {}, [
    element("legend", { textContent: section.title }),
    section.hint ? element("p", { className: "hint", textContent: section.hint }) : null,
    ...section.parameters.map(field),
  ])));
  fillIn();
  $("parameters").addEventListener("change", ({ target }) => take(target, changed));
  $("parameters").addEventListener("submit", (event) => event.preventDefault());
  $("reset-settings").addEventListener("click", async () => {
    if (!confirm("Set every setting back to its default?")) return;
    values = Object.fromEntries(PARAMETERS.map(({ name, otherwise }) => [name, otherwise]));
    keep(place, values);
    fillIn();
    await changed(null);
  });
  // Another tab of this user has set something; the SDK's tabs tell each other.
  addEventListener("storage", ({ key }) => {
    if (key !== place) return;
    values = read();
    fillIn();
    changed(null);
  });
}

/** @param {Parameter} parameter */
function field({ name, kind: sort, label, hint, placeholder = "" }) {
  const id = `set-${name.replaceAll(".", "-")}`;
  const code = element("code", { className: "parameter", textContent: name });
  const under = hint ? element("p", { className: "hint", id: `${id}-hint`, textContent: hint }) : null;
  const described = (input) => (hint && input.setAttribute("aria-describedby", `${id}-hint`), input);
  if (sort === "choices") {
    const boxes = MISSED_REASONS.map((reason) => element("label", { className: "flag" }, [
      element("input", { type: "checkbox", name, value: reason }),
      element("span", {}, [titleCase(REASONS[reason]), " ", element("code", { className: "parameter", textContent: reason })]),
    ]));
    const group = element("div", { className: "choices" }, [element("p", { id, className: "name" }, [label, " ", code]), ...boxes]);
    group.setAttribute("role", "group");
    group.setAttribute("aria-labelledby", id);
    return group;
  }
  if (sort === "flag") {
    const input = described(element("input", { type: "checkbox", name, id, className: "switch" }));
    return element("div", { className: "setting" }, [element("label", { className: "flag" }, [input, element("span", {}, [label, " ", code])]), under]);
  }
  const input = described(sort === "seconds"
    ? element("input", { type: "number", name, id, min: 1, max: 600, step: 1, inputMode: "numeric" })
    : element("input", { type: "text", name, id, placeholder, autocomplete: "off", maxLength: 1024 }));
  const unit = sort === "seconds" ? element("span", { className: "unit" }, [input, "seconds"]) : input;
  return element("div", { className: "setting" }, [element("label", { className: `field ${sort}`, htmlFor: id }, [element("span", {}, [label, " ", code]), unit]), under]);
}

function fillIn() {
  for (const input of all("#parameters input")) {
    const value = values[input.name];
    if (Array.isArray(value)) input.checked = value.includes(input.value);
    else if (input.type === "checkbox") input.checked = value;
    else input.value = value;
    input.removeAttribute("aria-invalid");
  }
}

async function take(input, changed) {
  const { name } = input;
  const before = values[name];
  const { kind: sort, label } = PARAMETERS.find((one) => one.name === name);
  values = {
    ...values,
    [name]: sort === "choices" ? all(`#parameters input[name="${name}"]:checked`).map((box) => box.value)
      : sort === "flag" ? input.checked
        : sort === "seconds" ? input.valueAsNumber
          : input.value.trim(),
  };
  try {
    await changed(name);
    keep(place, values);
    clearError();
    input.removeAttribute("aria-invalid");
  } catch (error) {
    // What was typed stays to be mended; what holds is what was before.
    values = { ...values, [name]: before };
    input.setAttribute("aria-invalid", "true");
    input.focus();
    const problem = error instanceof ConfigError ? error.message.slice(error.parameter.length + 1) : error.message;
    showError(new Error(`${label}: ${sort === "seconds" ? `1 to ${MAX_TIMEOUT_SECONDS} seconds` : problem}.`));
  }
}
