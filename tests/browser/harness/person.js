/** What one person sees and clicks on the demo page, in one tab. Its markup is named here and nowhere else. */

/** How long the page may take to show what it will show. */
const PATIENCE_MS = 30_000;

export class Person {
  /**
   * @param {string} name
   * @param {import("playwright-core").Page} page
   * @param {import("./browser.js").Profile} profile
   */
  constructor(name, page, profile) {
    this.name = name;
    this.page = page;
    this.profile = profile;
    /** What the page said on its console. @type {string[]} */
    this.said = [];
    page.setDefaultTimeout(PATIENCE_MS);
    page.on("console", (message) => this.said.push(`${message.type()}: ${message.text()}`));
    page.on("pageerror", (error) => this.said.push(`uncaught: ${error.stack ?? error.message}`));
  }

  get desktop() {
    return this.profile.desktop;
  }

  /** Waits until the page shows an element, with this text if one is given. @param {string} selector @param {string | RegExp} [text] */
  async shows(selector, text) {
    await this.page.locator(selector, text === undefined ? {} : { hasText: text }).first().waitFor();
  }

  /** Waits until the page no longer shows an element. @param {string} selector */
  async hides(selector) {
    await this.page.locator(selector).first().waitFor({ state: "hidden" });
  }

  /** Waits until the page is connected; on a first visit it signs in, and leaves notifications as they are. */
  async connected() {
    const start = this.page.locator("#begin-plainly");
    const connected = this.page.locator("#connection", { hasText: /^connected$/ });
    await start.or(connected).first().waitFor();
    if (await start.isVisible()) await start.click();
    await connected.waitFor();
  }

  /** Makes the first click: signs in, unlocks sound, asks for notifications. */
  async start() {
    await this.page.locator("#begin").click();
  }

  /**
   * Calls people, and nobody else.
   * @param {string[]} users
   * @param {{ video?: boolean, seconds?: number }} [options] `seconds`: how long it rings
   */
  async call(users, { video = false, seconds = 30 } = {}) {
    const boxes = this.page.locator("input[type=checkbox][data-user]");
    await boxes.first().waitFor();
    for (const box of await boxes.all()) {
      await box.setChecked(users.includes((await box.getAttribute("data-user")) ?? ""));
    }
    await this.page.locator("#timeout").fill(String(seconds));
    await this.page.locator(video ? "#call-video" : "#call-voice").click();
  }

  /** Types names into the list of who can be called. @param {string} names */
  async add(names) {
    await this.page.locator("#other").fill(names);
    await this.page.locator("#add-typed").click();
  }

  /** Waits for a ring, from this caller if one is named. @param {string | RegExp} [caller] */
  async rings(caller) {
    await this.shows("#incoming [data-ring] .caller", caller);
  }

  async silent() {
    await this.hides("#incoming [data-ring]");
  }

  /** Accepts what rings. */
  async accept() {
    await this.page.locator("#incoming [data-ring] button.accept").first().click();
  }

  async decline() {
    await this.page.locator("#incoming [data-ring] button.decline").first().click();
  }

  /** Calls back the newest missed call, from the page's list. */
  async callBack() {
    await this.page.locator("#missed li[data-missed] button.call-back").first().click();
  }

  async hangUp() {
    await this.page.locator("#hang-up").click();
  }

  async cancel() {
    await this.page.locator("#cancel").click();
  }

  async end() {
    await this.page.locator("#end").click();
  }

  /** Blocks somebody, or no longer, by the button beside their name. @param {string} user @param {boolean} [blocked] */
  async block(user, blocked = true) {
    await this.page.locator(`#people li[data-person="${user}"] button.block`).click();
    await this.blocks(user, blocked);
  }

  /** Waits until the page shows somebody as blocked, or no longer. @param {string} user @param {boolean} [blocked] */
  async blocks(user, blocked = true) {
    const tag = this.page.locator(`#people li[data-person="${user}"] .tag`, { hasText: "Blocked" });
    await tag.waitFor({ state: blocked ? "visible" : "hidden" });
  }

  /** Turns do-not-disturb on, for as long as the page proposes. @param {{ through?: string[] }} [options] who is let through */
  async quiet({ through = [] } = {}) {
    await this.page.locator("#quiet").click();
    for (const user of through) await this.page.locator(`#quiet-through input[value="${user}"]`).check();
    await this.page.locator("#quiet-on").click();
    await this.shows("#quiet.on");
  }

  /** Turns do-not-disturb off. */
  async unquiet() {
    await this.page.locator("#quiet").click();
    await this.page.locator("#quiet-off").click();
    await this.shows("#quiet:not(.on)");
  }

  /**
   * Sets one of the settings, by the parameter's name, as the settings show it.
   * @param {string} name
   * @param {string | boolean} value
   */
  async set(name, value) {
    await this.page.locator("#tab-settings").click();
    const field = this.page.locator(`#settings input[name="${name}"]`);
    if (typeof value === "boolean") return field.setChecked(value);
    await field.fill(value);
    await field.blur();
  }

  /** Waits until the tab's title is this. @param {string} title */
  async titled(title) {
    await this.page.waitForFunction((wanted) => document.title === wanted, title);
  }

  /** Waits until somebody is seen in a state, in the call of this page. @param {string} user @param {string} [state] */
  async sees(user, state = "accepted") {
    await this.shows(`#call .participants li[data-user="${user}"][data-state="${state}"]`);
  }

  /** Waits until somebody's picture moves in this page's call: until more of it was shown than now. @param {string} user */
  async watches(user) {
    const video = this.page.locator(`#call .tile[data-user="${user}"] video`);
    await video.waitFor();
    await video.evaluate(async (element) => {
      const shown = () => /** @type {HTMLVideoElement} */ (element).getVideoPlaybackQuality().totalVideoFrames;
      const before = shown();
      while (shown() < before + 3) await new Promise(requestAnimationFrame);
    });
  }

  /** Waits until so many missed calls are listed as unhandled. @param {number} count */
  async missed(count) {
    await this.page.locator("#missed-count", { hasText: new RegExp(`^${count}$`) }).waitFor({ state: "attached" });
  }

  /** Waits until a callback fired, as the page's log has it. @param {string} event @param {string | RegExp} [parameters] */
  async heard(event, parameters) {
    const callbacks = this.page.locator(`#log li[data-event="${event}"]`, parameters === undefined ? {} : { hasText: parameters });
    await callbacks.first().waitFor({ state: "attached" });
  }

  /** How often a callback has fired so far. @param {string} event */
  async times(event) {
    return this.page.locator(`#log li[data-event="${event}"]`).count();
  }

  /**
   * Puts another tab in front. Playwright tells every page that it is seen, and Chromium then keeps it so; this takes
   * that back first, for which there is no public way.
   */
  async background() {
    const { delegate } = /** @type {any} */ (this.page)._connection.toImpl(this.page);
    await delegate._mainFrameSession._client.send("Emulation.setFocusEmulationEnabled", { enabled: false });
    const front = await this.profile.context.newPage();
    await front.bringToFront();
    const state = await this.page.evaluate(() => document.visibilityState);
    if (state !== "hidden") throw new Error(`${this.name}'s page is ${state}, and not in the background`);
  }

  /** Waits until the page is in front. */
  async front() {
    await this.page.waitForFunction(() => document.visibilityState === "visible", undefined, { polling: 50 });
  }

  /** The first parameter of a callback in the page's log. @param {string} event */
  async callID(event) {
    await this.heard(event);
    const shown = await this.page.locator(`#log li[data-event="${event}"]`).first().getAttribute("data-args");
    return JSON.parse(shown ?? "[]")[0];
  }

  async close() {
    await this.page.close();
  }

  /** What there is to know when a story failed. */
  async report() {
    const text = await this.page.locator("body").innerText({ timeout: 1000 }).catch((error) => String(error.message));
    return [`— ${this.name}'s page`, text, ...this.said.slice(-30), `— ${this.name}'s desktop`, this.desktop.report()].join("\n");
  }
}
