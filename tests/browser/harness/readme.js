/** The README as a newcomer takes it: its snippets, each run as it stands there, but for hosts, ports and files. */

import { execFile } from "node:child_process";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { createServer as createListener } from "node:net";
import { join } from "node:path";
import { promisify } from "node:util";

import { chromium } from "playwright-core";

import { Profile } from "./browser.js";
import { Program } from "./program.js";

const run = promisify(execFile);
const README = await readFile(new URL("../../../README.md", import.meta.url), "utf8");
/** The host that the snippets name; the browser takes it for this machine. */
export const HOST = "calls.example";

/**
 * The one code block of a language.
 * @param {string} language
 */
export function snippet(language) {
  const blocks = [...README.matchAll(new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\`$`, "gms"))];
  if (blocks.length !== 1) throw new Error(`the README has ${blocks.length} blocks of ${language}, and not one`);
  return blocks[0][1];
}

/** Every line of the README's shell blocks. */
export function shellLines() {
  return [...README.matchAll(/^```sh\n(.*?)^```$/gms)].flatMap(([, block]) => block.trim().split("\n"));
}

/** Every file of ours that it links to. */
export function links() {
  return [...README.matchAll(/\]\((?!https?:|#)([^)]+)\)/g)].map(([, file]) => file);
}

/** What stands between backticks in its prose and begins so. @param {string} start */
export function quoted(start) {
  return [...README.matchAll(/`([^`\n]+)`/g)].map(([, code]) => code).filter((code) => code.startsWith(start));
}

/**
 * Replaces text that must be there.
 * @param {string} text
 * @param {[string, string][]} changes
 */
function put(text, changes) {
  for (const [from, to] of changes) {
    if (!text.includes(from)) throw new Error(`the README's snippet has no "${from}"`);
    text = text.replaceAll(from, to);
  }
  return text;
}

/**
 * Who signs tokens by the README's JavaScript and by its Python.
 * @param {string} folder where the secret is
 */
export async function signers(folder) {
  await writeFile(join(folder, "token.mjs"), snippet("js"));
  await writeFile(join(folder, "tokens.py"), snippet("python"));
  const js = 'import { token } from "./token.mjs"; console.log(token(...process.argv.slice(1)));';
  const python = "import sys, tokens; print(tokens.token(*sys.argv[1:]))";
  return {
    node: (/** @type {string[]} */ ...who) => asked(folder, "node", "--input-type=module", "-e", js, ...who),
    python: (/** @type {string[]} */ ...who) => asked(folder, "python3", "-B", "-c", python, ...who),
  };
}

/** What a program prints. @param {string} cwd @param {string} program @param {string[]} args */
async function asked(cwd, program, ...args) {
  return (await run(program, args, { cwd })).stdout.trim();
}

/** A port that nobody listens on. @returns {Promise<number>} */
async function freePort() {
  const listener = createListener();
  await new Promise((resolve) => listener.listen(0, "127.0.0.1", () => resolve(undefined)));
  const { port } = /** @type {import("node:net").AddressInfo} */ (listener.address());
  await new Promise((resolve) => listener.close(resolve));
  return port;
}

/** An app of somebody's own: the page, its worker, and who is signed in. */
export class App {
  /** @param {(user: string) => Promise<string>} token */
  static async start(token) {
    const app = new App(token);
    await new Promise((resolve) => app.server.listen(0, "127.0.0.1", () => resolve(undefined)));
    return app;
  }

  /** @param {(user: string) => Promise<string>} token */
  constructor(token) {
    const [worker] = quoted("importScripts(");
    /** The headers of each request. @type {import("node:http").IncomingHttpHeaders[]} */
    this.asked = [];
    this.server = createServer(async (request, response) => {
      this.asked.push(request.headers);
      const user = /user=(\w+)/.exec(request.headers.cookie ?? "")?.[1] ?? "";
      const answers = /** @type {Record<string, () => Promise<[string, string]>>} */ ({
        "/": async () => ["text/html", snippet("html")],
        "/sw.js": async () => ["text/javascript", worker],
        "/me": async () => ["application/json", JSON.stringify({ user, token: await token(user) })],
      });
      const answer = answers[request.url ?? ""] ?? (() => Promise.reject(new Error("there is nothing here")));
      await answer().then(
        ([type, body]) => response.writeHead(200, { "content-type": type }).end(body),
        (error) => response.writeHead(404, { "content-type": "text/plain" }).end(String(error)),
      );
    });
  }

  get address() {
    const { port } = /** @type {import("node:net").AddressInfo} */ (this.server.address());
    return `127.0.0.1:${port}`;
  }

  async stop() {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}

/** A web server that speaks TLS in front of Ringback and of an app, configured by the README. */
export class Front {
  /**
   * @param {"caddy" | "nginx"} which
   * @param {string} folder
   * @param {{ ringback: string, app: string }} behind their addresses
   */
  static async start(which, folder, { ringback, app }) {
    await mkdir(folder, { recursive: true });
    const [port, key, certificate] = [await freePort(), join(folder, "tls.key"), join(folder, "tls.pem")];
    const names = `subjectAltName=DNS:${HOST},IP:127.0.0.1`;
    const subject = ["-subj", `/CN=${HOST}`, "-addext", names, "-addext", "basicConstraints=critical,CA:FALSE"];
    const how = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
    await run("openssl", [...how, ...subject, "-keyout", key, "-out", certificate]);
    const spki = `openssl x509 -in ${certificate} -pubkey -noout | openssl pkey -pubin -outform der | openssl dgst -sha256 -binary | base64`;
    const { stdout: pin } = await run("sh", ["-c", spki]);
    const places = { folder, port, key, certificate, ringback, app };
    const program = await (which === "caddy" ? caddy(places) : nginx(places));
    return new Front(program, port, certificate, pin.trim());
  }

  /** @param {Program} program @param {number} port @param {string} certificate @param {string} pin of its key: the only one that is believed */
  constructor(program, port, certificate, pin) {
    this.program = program;
    this.origin = `https://${HOST}:${port}`;
    /** The same by number, for programs that ask no browser for names. */
    this.here = `https://127.0.0.1:${port}`;
    this.certificate = certificate;
    this.pin = pin;
  }

  /**
   * A person's browser, in which they are signed in to the app.
   * @param {import("./stage.js").Stage} stage
   * @param {string} user
   */
  async visitor(stage, user) {
    const desktop = await stage.desktop();
    const context = await chromium.launchPersistentContext(stage.place("profile"), {
      executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
      headless: true,
      chromiumSandbox: false,
      env: /** @type {Record<string, string>} */ (desktop.env),
      args: [`--host-resolver-rules=MAP ${HOST} 127.0.0.1`, `--ignore-certificate-errors-spki-list=${this.pin}`],
    });
    const profile = stage.keep(new Profile(stage, desktop, context));
    await context.grantPermissions(["notifications"], { origin: this.origin });
    await context.addCookies([{ name: "user", value: user, url: this.origin }]);
    const person = profile.seat(user, await context.newPage());
    await person.page.goto(this.origin);
    await person.shows("#state", /^connected$/);
    return person;
  }

  async stop() {
    await this.program.stop();
  }
}

/** @typedef {{ folder: string, port: number, key: string, certificate: string, ringback: string, app: string }} Places */

/** @param {Places} places */
async function caddy({ folder, port, key, certificate, ringback, app }) {
  const site = put(snippet("caddyfile"), [
    [`${HOST} {`, `https://${HOST}:${port} {\n\tbind 127.0.0.1\n\ttls ${certificate} ${key}`],
    ["127.0.0.1:8787", ringback],
    ["127.0.0.1:3000", app],
  ]);
  const file = join(folder, "Caddyfile");
  await writeFile(file, `{\n\tadmin off\n\tauto_https disable_redirects\n}\n${site}`);
  const env = { ...process.env, HOME: folder, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder };
  const program = new Program("caddy", ["run", "--config", file, "--adapter", "caddyfile"], { env });
  await program.line(/serving initial configuration/);
  return program;
}

/** @param {Places} places */
async function nginx({ folder, port, key, certificate, ringback, app }) {
  const server = put(snippet("nginx"), [
    ["listen 443 ssl", `listen 127.0.0.1:${port} ssl`],
    [`/etc/ssl/${HOST}.pem`, certificate],
    [`/etc/ssl/${HOST}.key`, key],
    ["127.0.0.1:8787", ringback],
    ["127.0.0.1:3000", app],
  ]);
  const file = join(folder, "nginx.conf");
  const kinds = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
  const places = kinds.map((kind) => `${kind}_temp_path ${join(folder, kind)};`).join("\n");
  // Its workers read this folder, which is the test's own user's.
  const user = process.getuid?.() === 0 ? "user root;" : "";
  // One process, so that nothing is left of it when it is killed.
  await writeFile(file, `daemon off;\nmaster_process off;\n${user}\npid ${join(folder, "pid")};\nerror_log stderr notice;\nevents {}\n` +
    `http {\naccess_log off;\n${places}\n${server}}\n`);
  // Debian has it where root's PATH alone looks.
  const env = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin` };
  const program = new Program("nginx", ["-p", folder, "-e", "stderr", "-c", file], { env });
  await program.line(/using the ".+" event method/);
  return program;
}
