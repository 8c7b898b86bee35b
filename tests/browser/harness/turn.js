/** A real TURN server, coturn. */

import { createSocket } from "node:dgram";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";

import { Program } from "./program.js";

export class Turn {
  /**
   * @param {string} folder that there is
   * @param {string} secret that it shares with Ringback
   */
  static async start(folder, secret) {
    const port = await freePort();
    const config = join(folder, "turnserver.conf");
    await writeFile(config, [
      "listening-ip=127.0.0.1", "relay-ip=127.0.0.1", `listening-port=${port}`,
      "use-auth-secret", `static-auth-secret=${secret}`, "realm=ringback.test",
      // Relays for those on this machine, which it refuses otherwise.
      "allow-loopback-peers",
      "no-tls", "no-dtls", "no-cli", "no-tcp", "relay-threads=1",
      `pidfile=${join(folder, "turnserver.pid")}`, `userdb=${join(folder, "turndb")}`,
      "log-file=stdout", "simple-log", "new-log-timestamp", "verbose", "",
    ].join("\n"));
    const program = new Program("turnserver", ["-c", config]);
    await program.line(new RegExp(`UDP listener opened on[ :]+127\\.0\\.0\\.1:${port}`));
    return new Turn(program, `turn:127.0.0.1:${port}?transport=udp`);
  }

  /** @param {Program} program @param {string} url */
  constructor(program, url) {
    this.program = program;
    this.url = url;
  }

  async stop() {
    await this.program.stop();
  }
}

/** A port of UDP that nobody has. @returns {Promise<number>} */
function freePort() {
  return new Promise((resolve, reject) => {
    const socket = createSocket("udp4");
    socket.once("error", reject);
    socket.bind(0, "127.0.0.1", () => {
      const { port } = socket.address();
      socket.close(() => resolve(port));
    });
  });
}
