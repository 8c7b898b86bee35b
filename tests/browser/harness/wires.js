/** People who speak the wire by hand, all from one page without an app. */

export class Wires {
  /**
   * @param {import("./stage.js").Stage} stage
   * @param {import("./browser.js").Profile} profile
   */
  static async open(stage, profile) {
    const page = await profile.context.newPage();
    await page.goto(`${stage.server?.origin}/healthz`);
    await page.evaluate(() => {
      /** What is connected: its frames so far, and a way to ask and to wait. @type {any[]} */
      const wires = [];
      Object.assign(globalThis, { wires });
    });
    return new Wires(page);
  }

  /** @param {import("playwright-core").Page} page */
  constructor(page) {
    this.page = page;
  }

  /**
   * Connects as a user's device, and waits until it is told how things stand.
   * @param {string} user
   * @param {string} [device]
   */
  async connect(user, device = `${user}-phone`) {
    const at = await this.page.evaluate(async ({ user, device }) => {
      const { token } = await (await fetch(`/dev/token?user=${user}`)).json();
      const socket = new WebSocket("/ws");
      await new Promise((open) => (socket.onopen = open));
      /** @type {any[]} */
      const frames = [];
      /** @type {Set<() => void>} */
      const waiting = new Set();
      socket.onmessage = ({ data }) => {
        frames.push(JSON.parse(data));
        for (const look of waiting) look();
      };
      const until = (/** @type {(frame: any) => boolean} */ is) => new Promise((resolve) => {
        const look = () => {
          const found = frames.find(is);
          if (found) resolve((waiting.delete(look), found));
        };
        waiting.add(look);
        look();
      });
      const ask = async (/** @type {object} */ frame) => {
        const id = crypto.randomUUID();
        socket.send(JSON.stringify({ id, ...frame }));
        return until((one) => one.type === "reply" && one.id === id);
      };
      const hello = { type: "hello", token, protocol: 1, device: { id: device, platform: "web", sdk: "0" }, config: {}, holds: [] };
      socket.send(JSON.stringify(hello));
      await until((one) => one.type === "synced");
      return /** @type {any} */ (globalThis).wires.push({ frames, until, ask }) - 1;
    }, { user, device });
    return new Wire(this.page, at);
  }
}

class Wire {
  /** @param {import("playwright-core").Page} page @param {number} at */
  constructor(page, at) {
    this.page = page;
    this.at = at;
  }

  /** The reply to a request. @param {object} frame @returns {Promise<any>} */
  ask(frame) {
    return this.page.evaluate(({ at, frame }) => /** @type {any} */ (globalThis).wires[at].ask(frame), { at: this.at, frame });
  }

  /** The first view of a call that came. @returns {Promise<any>} */
  call() {
    return this.page.evaluate((at) => {
      return /** @type {any} */ (globalThis).wires[at].until((/** @type {any} */ frame) => frame.type === "call");
    }, this.at);
  }

  /** How many signals came. @returns {Promise<number>} */
  signals() {
    return this.page.evaluate((at) => {
      return /** @type {any} */ (globalThis).wires[at].frames.filter((/** @type {any} */ frame) => frame.type === "signal").length;
    }, this.at);
  }
}
