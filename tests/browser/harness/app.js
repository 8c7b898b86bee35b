/** An app of a test's own in place of the demo's: the same page, with another script. */

/**
 * Opens a person's page with `script` as its app. The script has what an app would import, and besides
 * `base`: who the person is, for `init`; `seen(name, ...parameters)`: writes into the page's log, where `heard` and
 * `parameters` look; `events`: those by which the harness knows that it is connected and how many calls were missed;
 * `press(name, work)`: adds a button `#name`.
 * @param {import("./browser.js").Profile} profile
 * @param {string} user
 * @param {string} script
 */
export async function app(profile, user, script) {
  await profile.context.route(`**/as/${user}/demo.js`, (route) => route.fulfill({ contentType: "text/javascript", body: `
    import {
      CallInvitationService, RingbackCallInvitationConfig, RingbackCallInvitationMissedCallConfig,
      RingbackUIKitPrebuiltCallInvitationEvents, RingbackUIKitPrebuiltCallInvitationService,
    } from "/web/ringback.js";
    const seen = (name, ...parameters) => {
      const item = document.createElement("li");
      item.dataset.event = name;
      item.textContent = JSON.stringify(parameters, (_, value) => typeof value === "function" ? "a function" : value);
      document.getElementById("log").append(item);
    };
    const press = (name, work) => {
      const button = Object.assign(document.createElement("button"), { id: name, textContent: name });
      button.onclick = work;
      document.body.append(button);
    };
    const say = (place) => (text) => { document.getElementById(place).textContent = text; };
    const events = {
      onConnectionStateChanged: say("connection"),
      onMissedCallsChanged: (calls, count) => say("missed-count")(count),
    };
    const base = {
      user: "${user}",
      tokenProvider: async () => (await (await fetch("/dev/token?user=${user}")).json()).token,
      serviceWorker: { url: "sw.js", scope: "./" },
    };
    ${script}
  ` }));
  return profile.person(user);
}

/**
 * The parameters of a callback, once it has fired.
 * @param {import("./person.js").Person} person
 * @param {string} event
 * @returns {Promise<any[]>}
 */
export async function parameters(person, event) {
  await person.heard(event);
  return JSON.parse((await person.page.locator(`#log li[data-event="${event}"]`).first().textContent()) ?? "null");
}
