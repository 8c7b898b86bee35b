/** A program that a test started: its lines, and its end. */

import { spawn } from "node:child_process";
import { createInterface } from "node:readline";

/** How long a program has to become ready, or to end when asked. */
const PATIENCE_MS = 20_000;

/** Those that have not ended. @type {Set<Program>} */
const running = new Set();

/** Ends what a story that failed half-way left running. */
export async function stopTheRest() {
  await Promise.all([...running].map((program) => program.stop("SIGKILL")));
}

export class Program {
  /**
   * @param {string} path
   * @param {string[]} args
   * @param {{ env?: NodeJS.ProcessEnv }} [options]
   */
  constructor(path, args, { env = process.env } = {}) {
    this.path = path;
    /** The last lines of both outputs. @type {string[]} */
    this.lines = [];
    /** Who is told each line. @type {Set<(line: string) => void>} */
    this.listeners = new Set();
    this.child = spawn(path, args, { env, stdio: "pipe" });
    this.child.stdin.on("error", () => {});
    running.add(this);
    this.ended = new Promise((/** @type {(how: string) => void} */ resolve) => {
      this.child.once("error", (error) => resolve(`could not be started: ${error.message}`));
      this.child.once("exit", (code, signal) => resolve(`ended with ${code ?? signal}`));
    }).finally(() => running.delete(this));
    for (const input of [this.child.stdout, this.child.stderr]) {
      createInterface({ input }).on("line", (line) => {
        this.lines.push(line);
        if (this.lines.length > 400) this.lines.shift();
        for (const listener of this.listeners) listener(line);
      });
    }
  }

  /**
   * Waits for a line, also one that has come already.
   * @param {RegExp} pattern
   * @returns {Promise<RegExpMatchArray>}
   */
  async line(pattern) {
    const past = this.lines.map((line) => line.match(pattern)).find((match) => match);
    if (past) return past;
    let listener = (/** @type {string} */ _) => {};
    const line = new Promise((resolve) => {
      listener = (line) => {
        const match = line.match(pattern);
        if (match) resolve(match);
      };
      this.listeners.add(listener);
    });
    try {
      const end = this.ended.then((how) => Promise.reject(this.failure(how)));
      return await within(PATIENCE_MS, () => this.failure(`said no ${pattern}`), Promise.race([line, end]));
    } finally {
      this.listeners.delete(listener);
    }
  }

  /** @param {string} line */
  write(line) {
    this.child.stdin.write(`${line}\n`);
  }

  /** Asks it to end, and makes it end if it doesn't. @param {NodeJS.Signals} [signal] */
  async stop(signal = "SIGTERM") {
    this.child.kill(signal);
    try {
      await within(PATIENCE_MS, () => this.failure(`did not end by ${signal}`), this.ended);
    } catch (error) {
      this.child.kill("SIGKILL");
      throw error;
    }
  }

  /** @param {string} how */
  failure(how) {
    return new Error(`${this.path} ${how}\n${this.lines.slice(-20).join("\n")}`);
  }
}

/**
 * A promise's value, or a failure when it takes too long.
 * @template T
 * @param {number} ms
 * @param {() => Error} failure
 * @param {Promise<T>} promise
 * @returns {Promise<T>}
 */
export async function within(ms, failure, promise) {
  /** @type {NodeJS.Timeout | undefined} */
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(failure()), ms);
  });
  try {
    return await Promise.race([promise, /** @type {Promise<never>} */ (late)]);
  } finally {
    clearTimeout(timer);
  }
}
