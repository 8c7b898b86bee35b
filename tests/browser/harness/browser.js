/** A Chromium profile on a desktop. */

import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { chromium } from "playwright-core";

import { Person } from "./person.js";

/** What Playwright switches off so that hidden pages run as if seen; a tab in the background is to be a real one. */
const NOT_FOR_US = [
  "--disable-background-timer-throttling",
  "--disable-backgrounding-occluded-windows",
  "--disable-renderer-backgrounding",
];

/**
 * The microphone and the camera of a profile. `fake`: one of each, which beeps and shows a moving picture, and they may be
 * used; `none`: they might be used if there were any; `refused`: they are there, and the person said no before.
 * @typedef {"fake" | "none" | "refused"} Devices
 */

const SAYS_NO = "--deny-permission-prompts";
const FAKE = "--use-fake-device-for-media-stream";
/** Addresses of this machine itself count, and where nothing but loopback is there are no others. */
const LOOPBACK = "--allow-loopback-in-peer-connection";

export class Profile {
  /**
   * @param {import("./stage.js").Stage} stage
   * @param {string} folder
   * @param {import("./desktop.js").Desktop | import("./desktop.js").Screen} desktop
   * @param {{ devices?: Devices, asks?: boolean }} [options] `asks`: notifications weren't allowed before, and who is
   *   asked for them now says no
   */
  static async open(stage, folder, desktop, { devices, asks = false } = {}) {
    await mkdir(join(folder, "Default"), { recursive: true });
    // As if the person had said so before: 1 is "allow", 2 is "block", 3 is "ask". A browser that may use the devices tells its
    // address as it is; one that may not tells a name that means nothing on loopback.
    const media = devices && { media_stream_mic: devices === "refused" ? 2 : 1, media_stream_camera: devices === "refused" ? 2 : 1 };
    const preferences = { profile: { default_content_setting_values: { notifications: asks ? 3 : 1, ...media } } };
    await writeFile(join(folder, "Default", "Preferences"), JSON.stringify(preferences));
    const context = await chromium.launchPersistentContext(folder, {
      executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
      headless: desktop.headless,
      // Its sandbox needs rights that a container, and root, seldom have.
      chromiumSandbox: false,
      ignoreDefaultArgs: NOT_FOR_US,
      args: [...(devices ? [LOOPBACK] : []), ...(devices && devices !== "none" ? [FAKE] : []), ...(asks ? [SAYS_NO] : [])],
      env: /** @type {Record<string, string>} */ (desktop.env),
      viewport: null,
    });
    return new Profile(stage, desktop, context);
  }

  /**
   * @param {import("./stage.js").Stage} stage
   * @param {import("./desktop.js").Desktop | import("./desktop.js").Screen} desktop
   * @param {import("playwright-core").BrowserContext} context
   */
  constructor(stage, desktop, context) {
    this.stage = stage;
    this.desktop = desktop;
    this.context = context;
  }

  /** Opens a person's page in one more tab, and waits until it is connected. @param {string} name */
  async person(name) {
    const person = await this.visit(name);
    await person.connected();
    return person;
  }

  /** Opens a person's page in one more tab, and leaves the first click to the test. @param {string} name */
  async visit(name) {
    if (!this.stage.server) throw new Error("nobody serves: await stage.serve() comes first");
    const person = this.seat(name, await this.context.newPage());
    await person.page.goto(this.stage.server.page(name));
    return person;
  }

  /**
   * Waits for the page that `act` makes open, by a click on a notification say.
   * @param {string} name whose it will be
   * @param {() => void | Promise<void>} act
   */
  async opened(name, act) {
    const page = this.context.waitForEvent("page");
    await act();
    return this.seat(name, await page);
  }

  /** @param {string} name @param {import("playwright-core").Page} page */
  seat(name, page) {
    const person = new Person(name, page, this);
    this.stage.people.push(person);
    return person;
  }

  async stop() {
    await this.context.close();
  }
}
