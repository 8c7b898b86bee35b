/** The real binary. */

import { Program } from "./program.js";

export class Server {
  /** @param {string} data its data directory, made if absent @param {string[]} args */
  static async start(data, args) {
    const server = new Server(data, args);
    await server.listen("127.0.0.1:0");
    return server;
  }

  /** @param {string} data @param {string[]} args */
  constructor(data, args) {
    this.data = data;
    this.args = args;
    /** `http://127.0.0.1:PORT` */
    this.origin = "";
  }

  /** @param {string} address */
  async listen(address) {
    const path = process.env.TEST_RINGBACK ?? "target/debug/ringback";
    this.program = new Program(path, ["serve", "--listen", address, "--data", this.data, ...this.args]);
    const [, origin] = await this.program.line(/(http:\/\/127\.0\.0\.1:\d+)\/as\/alice\//);
    this.origin = origin;
  }

  /** The page of one of the development users. @param {string} name */
  page(name) {
    return `${this.origin}/as/${name}/`;
  }

  /** Stops it as an operator does, or by SIGKILL, and starts it where it was. @param {NodeJS.Signals} [signal] */
  async restart(signal = "SIGTERM") {
    await this.program?.stop(signal);
    await this.listen(new URL(this.origin).host);
  }

  report() {
    return ["— the server", ...(this.program?.lines ?? []).slice(-80)].join("\n");
  }

  async stop() {
    await this.program?.stop();
  }
}
