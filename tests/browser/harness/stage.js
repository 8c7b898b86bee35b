/**
 * The stage of a browser test: a real `ringback`, real browsers, and a desktop for each person.
 *
 *     import { story } from "./harness/stage.js";
 *
 *     story("Bob calls back", async (stage) => {
 *       await stage.serve();                                   // the real binary, on an empty data directory
 *       const alice = await stage.person("alice");             // a desktop, a profile and a window of her own
 *       const bob = await stage.person("bob");
 *       const tab = await bob.profile.person("bob");           // one more tab of the same profile
 *       await alice.call(["bob"], { seconds: 2 });
 *       const note = await bob.desktop.shown({ title: "Missed Call" });
 *       await bob.desktop.click(note, "Call back");            // by D-Bus, as a desktop would
 *       await alice.accept();
 *       await alice.sees("bob", "accepted");
 *     });
 *
 * - `desktop.js`: a session bus with a notification service of ours (`Desktop`), or with dunst on a screen with
 *   a mouse (`Screen`: `stage.person("bob", { desktop: await stage.screen() })`).
 * - `browser.js`: a Chromium profile on a desktop, allowed to notify before it starts.
 * - `person.js`: what one person sees and clicks on the demo page. Tests go through it, so that the page's
 *   markup is named in one place.
 *
 * A test acts by clicks and D-Bus alone: it calls no function of the page, and asks DevTools to deliver nothing.
 * It waits for what it can see, and sleeps never. Started by `cargo xtask test --only browser`, which says where
 * the programs are (`TEST_RINGBACK`, `TEST_NOTIFICATIONS`, `CHROMIUM`) and cuts the network off. When a story
 * fails, what the server logged and what each person saw is printed.
 */

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

import { Profile } from "./browser.js";
import { Desktop, Screen } from "./desktop.js";
import { stopTheRest } from "./program.js";
import { Server } from "./server.js";

/**
 * Declares a test that plays on a stage of its own.
 * @param {string} name
 * @param {(stage: Stage) => Promise<void>} play
 * @param {{ seconds?: number }} [options] how long it may take
 */
export function story(name, play, { seconds = 90 } = {}) {
  test(name, { timeout: seconds * 1000 }, async () => {
    const stage = new Stage(await mkdtemp(join(tmpdir(), "ringback-stage-")));
    /** @type {unknown[]} */
    const failures = [];
    try {
      await play(stage);
    } catch (error) {
      failures.push(error);
      console.error(await stage.report());
    }
    failures.push(...(await stage.clear()));
    if (failures.length) throw failures[0];
  });
}

export class Stage {
  /** @param {string} folder everything that this story writes is in it */
  constructor(folder) {
    this.folder = folder;
    /** What is to be stopped, the newest last. @type {{ stop(): Promise<void> }[]} */
    this.props = [];
    /** @type {import("./person.js").Person[]} */
    this.people = [];
    /** @type {Server | undefined} */
    this.server = undefined;
    this.folders = 0;
  }

  /** A new name inside the story's folder. @param {string} what */
  place(what) {
    this.folders += 1;
    return join(this.folder, `${what}-${this.folders}`);
  }

  /** @template {{ stop(): Promise<void> }} T @param {T} prop */
  keep(prop) {
    this.props.push(prop);
    return prop;
  }

  /** Starts the server; `args` are added to its command line. @param {string[]} [args] */
  async serve(args = []) {
    this.server = this.keep(await Server.start(this.place("data"), args));
    return this.server;
  }

  /** A desktop with a notification service that the test clicks by D-Bus. */
  async desktop() {
    return this.keep(await Desktop.start(this.place("desktop")));
  }

  /** A desktop with a screen, dunst and a mouse. */
  async screen() {
    return this.keep(await Screen.start(this.place("screen")));
  }

  /**
   * A browser profile on a desktop.
   * @param {Desktop | Screen} [desktop] a new one by default
   * @param {{ devices?: import("./browser.js").Devices, asks?: boolean }} [options]
   */
  async profile(desktop, options) {
    return this.keep(await Profile.open(this, this.place("profile"), desktop ?? (await this.desktop()), options));
  }

  /**
   * Opens a person's page in a profile of its own, and waits until it is connected.
   * @param {string} name
   * @param {{ desktop?: Desktop | Screen, devices?: import("./browser.js").Devices }} [options]
   */
  async person(name, { desktop, ...options } = {}) {
    const profile = await this.profile(desktop, options);
    return profile.person(name);
  }

  /** What there is to know about a story that failed. */
  async report() {
    const people = await Promise.all(this.people.map((person) => person.report()));
    return [this.server?.report() ?? "no server", ...people].join("\n");
  }

  /** Stops everything, the newest first, and gives what went wrong in it. */
  async clear() {
    /** @type {unknown[]} */
    const failures = [];
    for (const prop of this.props.reverse()) await prop.stop().catch((error) => failures.push(error));
    await stopTheRest().catch((error) => failures.push(error));
    await rm(this.folder, { recursive: true, force: true, maxRetries: 5 });
    return failures;
  }
}
