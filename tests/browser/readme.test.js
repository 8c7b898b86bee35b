/** The README's own snippets, taken from its text: a page, its back end's tokens, and the web server in front. */

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { access, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";

import { Program } from "./harness/program.js";
import { App, Front, HOST, links, quoted, shellLines, signers } from "./harness/readme.js";
import { story } from "./harness/stage.js";

const run = promisify(execFile);
const RINGBACK = process.env.TEST_RINGBACK ?? "target/debug/ringback";

/**
 * Everything as the README says: the server with a secret, the app, and a web server in front of both.
 * @param {import("./harness/stage.js").Stage} stage
 * @param {"caddy" | "nginx"} which
 */
async function visitors(stage, which) {
  const folder = stage.place("app");
  await mkdir(folder);
  await run("sh", ["-c", shellLines().find((line) => line.startsWith("openssl ")) ?? "false"], { cwd: folder });
  const how = ["--listen", "127.0.0.1:0", "--data", stage.place("data"), "--secret-file", join(folder, "ringback.secret")];
  const server = stage.keep(new Program(RINGBACK, ["serve", ...how]));
  const [, ringback] = await server.line(/listens on (127\.0\.0\.1:\d+)\./);
  // One is vouched for by Node, the other by Python.
  const sign = await signers(folder);
  const app = stage.keep(await App.start((user) =>
    user === "alice" ? sign.node(user, "Alice Ä.") : sign.python(user, "Bob Ö.")));
  const front = stage.keep(await Front.start(which, stage.place("front"), { ringback, app: app.address }));
  const alice = await front.visitor(stage, "alice");
  const bob = await front.visitor(stage, "bob");
  return { alice, bob, app, front, sign };
}

/** @param {import("./harness/person.js").Person} person @param {string} name */
function press(person, name) {
  return person.page.getByRole("button", { name, exact: true }).click();
}

for (const which of /** @type {const} */ (["caddy", "nginx"])) {
  // spec: M1, M5, D1, D4
  story(`a page of one's own behind ${which}: rings, declines, misses, calls back, answers`, async (stage) => {
    const { alice, bob, app, front, sign } = await visitors(stage, which);
    assert.ok(app.asked.every((headers) => headers["x-forwarded-proto"] === "https" && headers.host?.startsWith(HOST)));
    const desktop = /** @type {import("./harness/desktop.js").Desktop} */ (bob.desktop);
    const [media] = quoted("import { CallMedia }");
    await bob.page.addScriptTag({ type: "module", content: `${media}; document.body.dataset.media = typeof CallMedia;` });
    await bob.shows("body[data-media=function]");
    await alice.page.getByLabel("Whom to call").fill("bob");
    await press(alice, "Call");
    await bob.shows("li", "Alice Ä. calls");
    await press(bob, "Decline");
    await alice.shows("#state", /^connected$/);

    await press(alice, "Call");
    await bob.shows("li", "Alice Ä. calls");
    await press(alice, "Hang up");
    await bob.shows("li", "You missed Alice Ä.");
    const note = await desktop.shown({ title: "Missed Call", body: "Alice Ä. Video Call" });
    desktop.click(note, "Call back");
    await alice.shows("li", "Bob Ö. calls");
    await press(alice, "Accept");
    await bob.shows("#state", /^in a call$/);
    await alice.shows("#state", /^in a call$/);
    await bob.hides("li");
    await press(bob, "Hang up");
    await alice.shows("#state", /^connected$/);

    // The list calls back as the notification does, and what is wrong is said.
    await press(bob, "Call");
    await bob.shows("#state", "invitees");
    await press(alice, "Call");
    await bob.shows("li", "Alice Ä. calls");
    await press(alice, "Hang up");
    await press(bob, "Call back");
    await alice.shows("li", "Bob Ö. calls");
    await press(alice, "Accept");
    await bob.shows("#state", /^in a call$/);

    // A terminal comes in by the same door; Caddy knows nobody by number.
    if (which === "caddy") return;
    const env = { ...process.env, SSL_CERT_FILE: front.certificate, RINGBACK_TOKEN: await sign.node("carol", "Carol") };
    const carol = stage.keep(new Program(RINGBACK, ["call", "bob", "--server", front.here, "--timeout", "2"], { env }));
    await carol.line(/Bob Ö\. is busy/);
    await bob.shows("li", "You missed Carol");
  });
}

test("each link of the README leads to a file", async () => {
  const files = links();
  assert.ok(files.length > 5);
  for (const file of files) await access(new URL(`../../${file}`, import.meta.url));
});

test("each command line of the README is one that the programs know", async () => {
  const lines = shellLines();
  assert.deepEqual(lines.slice(0, 2), ["cargo run --release", "cargo xtask test"], "the first two start it and test it");
  const ours = [...lines.filter((line) => line.startsWith("ringback ")), ...quoted("ringback ")];
  assert.ok(ours.length > 3, `${ours}`);
  for (const line of ours) {
    // What it doesn't know it refuses before it comes to the help.
    const { stdout } = await run(RINGBACK, [...line.split(" ").slice(1), "--help"]);
    assert.match(stdout, /Usage: ringback/, line);
  }
  await assert.rejects(run(RINGBACK, ["serve", "--no-such-flag", "--help"]));
});
