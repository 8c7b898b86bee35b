/** A person's desktop: a session bus of its own, and something on it that shows notifications. */

import { mkdir, writeFile } from "node:fs/promises";
import { execFile } from "node:child_process";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { promisify } from "node:util";

import { Program, within } from "./program.js";

const run = promisify(execFile);
/** How long a notification may take to come, or to go. */
const PATIENCE_MS = 30_000;
const NOTIFICATIONS = process.env.TEST_NOTIFICATIONS ?? "target/debug/ringback-test-notifications";

/**
 * A notification as the desktop was asked to show it.
 * @typedef {object} Shown
 * @property {number} id
 * @property {number} replaces the id of the one that it takes the place of, or 0
 * @property {string} title
 * @property {string} body without the line by which the browser says where it comes from
 * @property {string} origin that line
 * @property {string[]} actions the labels of its buttons
 * @property {Record<string, string>} keys by label, what D-Bus calls the button
 * @property {boolean} silent
 */

/** A session bus: no service is started on it but ours. */
class Bus {
  /** @param {string} folder */
  static async start(folder) {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const address = `unix:path=${join(folder, "bus")}`;
    const config = join(folder, "bus.conf");
    await writeFile(
      config,
      `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>${address}</listen>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
`,
    );
    const daemon = new Program("dbus-daemon", [`--config-file=${config}`, "--nofork", "--print-address=1"]);
    await daemon.line(/^unix:/);
    return new Bus(daemon, { ...process.env, DBUS_SESSION_BUS_ADDRESS: address, XDG_RUNTIME_DIR: folder, HOME: folder });
  }

  /** @param {Program} daemon @param {NodeJS.ProcessEnv} env what a program needs to be on it */
  constructor(daemon, env) {
    this.daemon = daemon;
    this.env = env;
  }

  async stop() {
    await this.daemon.stop();
  }
}

/** What a desktop was asked to show. */
class Notifications {
  /** @param {Program} program ours: the service, or who watches it */
  constructor(program) {
    this.program = program;
    /** Every notification that was asked for, in order; the same id again where one replaced another. @type {Shown[]} */
    this.notifications = [];
    /** Those on show. @type {Map<number, Shown>} */
    this.showing = new Map();
    /** @type {Set<() => void>} */
    this.waiting = new Set();
    program.listeners.add((line) => this.told(line));
  }

  /** @param {string} line */
  told(line) {
    if (!line.startsWith("{")) return;
    const event = JSON.parse(line);
    if (event.event === "notify") {
      const shown = read(event);
      this.notifications.push(shown);
      this.showing.set(shown.id, shown);
    } else if (event.event === "close") {
      this.showing.delete(event.id);
    }
    for (const wake of this.waiting) wake();
  }

  /**
   * Waits for a notification to be on show; one that is already there counts.
   * @param {{ title?: string, body?: string | RegExp }} [wanted]
   * @returns {Promise<Shown>}
   */
  async shown({ title, body } = {}) {
    const fits = (/** @type {Shown} */ note) =>
      (title === undefined || note.title === title) &&
      (body === undefined || (body instanceof RegExp ? body.test(note.body) : body === note.body));
    const what = `a notification ${JSON.stringify({ title, body: body?.toString() })}`;
    return this.until(what, () => [...this.showing.values()].find(fits));
  }

  /**
   * Waits until something is so.
   * @template T
   * @param {string} what
   * @param {() => T | undefined} look
   * @returns {Promise<T>}
   */
  async until(what, look) {
    let wake = () => {};
    const come = new Promise((/** @type {(value: T) => void} */ resolve) => {
      wake = () => {
        const found = look();
        if (found !== undefined) resolve(found);
      };
    });
    this.waiting.add(wake);
    wake();
    try {
      return await within(PATIENCE_MS, () => new Error(`waited in vain for ${what}; ${this.report()}`), come);
    } finally {
      this.waiting.delete(wake);
    }
  }

  report() {
    return `asked to show ${JSON.stringify(this.notifications)}, on show ${JSON.stringify([...this.showing.keys()])}`;
  }
}

/** A desktop whose notifications a test reads and clicks by D-Bus. */
export class Desktop extends Notifications {
  headless = true;

  /** @param {string} folder */
  static async start(folder) {
    const bus = await Bus.start(folder);
    const { DISPLAY: _, ...env } = bus.env;
    const desktop = new Desktop(bus, new Program(NOTIFICATIONS, [], { env }), env);
    await desktop.program.line(/"ready"/);
    return desktop;
  }

  /** @param {Bus} bus @param {Program} service @param {NodeJS.ProcessEnv} env for programs that run on this desktop */
  constructor(bus, service, env) {
    super(service);
    this.bus = bus;
    this.env = env;
  }

  /** Waits until nothing is on show. */
  async bare() {
    await this.until("an empty desktop", () => this.showing.size === 0 || undefined);
  }

  /**
   * Clicks a notification: its body, or a button by its label.
   * @param {Shown} note
   * @param {string} [button]
   */
  click(note, button) {
    const key = button === undefined ? "default" : note.keys[button];
    if (key === undefined) throw new Error(`no button "${button}" on ${JSON.stringify(note)}`);
    this.showing.delete(note.id);
    this.program.write(JSON.stringify({ do: "act", id: note.id, key }));
  }

  /** Dismisses a notification. @param {Shown} note */
  dismiss(note) {
    this.showing.delete(note.id);
    this.program.write(JSON.stringify({ do: "dismiss", id: note.id }));
  }

  async stop() {
    await this.program.stop();
    await this.bus.stop();
  }
}

/** @param {any} event @returns {Shown} */
function read({ id, replaces, title, body, actions, silent }) {
  /** @type {Record<string, string>} */
  const keys = {};
  for (const [key, label] of actions) {
    // Chromium's own two: a click on the body, and its settings.
    if (key !== "default" && key !== "settings") keys[label] = key;
  }
  const [origin, ...rest] = body.split("\n\n");
  return { id, replaces, title, body: unescape(rest.join("\n\n")), origin, actions: Object.keys(keys), keys, silent };
}

/** Undoes the markup of a notification's body. @param {string} text */
function unescape(text) {
  /** @type {Record<string, string>} */
  const marks = { "&lt;": "<", "&gt;": ">", "&quot;": '"', "&#39;": "'", "&apos;": "'", "&amp;": "&" };
  return text.replace(/&(lt|gt|quot|#39|apos|amp);/g, (mark) => marks[mark]);
}

const DUNSTRC = `[global]
    width = 360
    origin = top-right
    offset = 20x20
    mouse_left_click = do_action, close_current
[urgency_low]
    timeout = 0
[urgency_normal]
    timeout = 0
[urgency_critical]
    timeout = 0
`;

/** A desktop with a screen, on which dunst shows notifications, and a mouse. */
export class Screen extends Notifications {
  headless = false;

  /** @param {string} folder */
  static async start(folder) {
    const bus = await Bus.start(folder);
    // The X server chooses a free number itself, and says it on its standard output.
    const x = new Program("Xvfb", ["-displayfd", "1", "-screen", "0", "1280x900x24", "-nolisten", "tcp"]);
    const [number] = await x.line(/^\d+$/);
    const env = { ...bus.env, DISPLAY: `:${number}` };
    const screen = new Screen(bus, x, new Program(NOTIFICATIONS, ["watch"], { env }), env);
    await screen.program.line(/"watching"/);
    const config = join(folder, "dunstrc");
    await writeFile(config, DUNSTRC);
    screen.dunst = new Program("dunst", ["-config", config], { env });
    await screen.program.line(/"ready"/);
    return screen;
  }

  /** @param {Bus} bus @param {Program} x @param {Program} watcher @param {NodeJS.ProcessEnv} env */
  constructor(bus, x, watcher, env) {
    super(watcher);
    this.bus = bus;
    this.x = x;
    this.env = env;
    /** @type {Program | undefined} */
    this.dunst = undefined;
  }

  /** Clicks what dunst shows, with the left button of the mouse. */
  async click() {
    const late = Date.now() + PATIENCE_MS;
    let window = await this.window();
    while (!window) {
      if (Date.now() > late) throw new Error("dunst shows nothing");
      await setTimeout(50);
      window = await this.window();
    }
    await this.xdotool("mousemove", "--sync", "--window", window, "40", "20", "click", "1");
  }

  /**
   * The window in which dunst shows notifications, if there is one by now. A search walks all windows of the screen, and
   * fails when any one of them, the browser's too, closes on its way: that one says nothing either.
   */
  async window() {
    const found = await this.xdotool("search", "--onlyvisible", "--class", "^Dunst$").catch((error) => {
      if (error.code === 1) return { stdout: "" };
      throw error;
    });
    return found.stdout.trim().split("\n").at(-1) || undefined;
  }

  /** @param {string[]} args */
  async xdotool(...args) {
    return run("xdotool", args, { env: this.env, timeout: PATIENCE_MS });
  }

  async stop() {
    await this.dunst?.stop();
    await this.program.stop();
    await this.x.stop();
    await this.bus.stop();
  }
}
