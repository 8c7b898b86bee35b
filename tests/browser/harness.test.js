/** The harness itself, on a page of its own: what the stories lean on holds. */

import assert from "node:assert/strict";
import { createServer } from "node:http";

import { story } from "./harness/stage.js";

const PAGE = `<!doctype html><title>asleep</title><script>
  navigator.serviceWorker.addEventListener("message", (event) => { document.title = event.data; });
  navigator.serviceWorker.register("/worker.js").then(() => navigator.serviceWorker.ready).then((worker) =>
    worker.showNotification("Missed Call", { body: "<Alice> & co", tag: "a", actions: [{ action: "call-back", title: "Call back" }] }));
</script>`;
const WORKER = `self.addEventListener("notificationclick", (event) => {
  const said = "clicked " + (event.action || "body");
  event.waitUntil(self.clients.matchAll({ includeUncontrolled: true }).then((pages) =>
    pages.length ? pages.forEach((page) => page.postMessage(said)) : self.clients.openWindow("/?" + said)));
});`;

/** @param {import("./harness/stage.js").Stage} stage */
async function serve(stage) {
  const server = createServer((request, response) => {
    const worker = request.url === "/worker.js";
    response.writeHead(200, { "content-type": worker ? "text/javascript" : "text/html" });
    response.end(worker ? WORKER : PAGE);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(undefined)));
  stage.keep({ stop: async () => void server.close() });
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  return `http://127.0.0.1:${port}/`;
}

/** @param {import("playwright-core").Page} page @param {string} title */
async function titled(page, title) {
  await page.waitForFunction((title) => document.title === title, title);
}

story("a notification is read and its button clicked by D-Bus", async (stage) => {
  const address = await serve(stage);
  const profile = await stage.profile();
  const page = await profile.context.newPage();
  await page.goto(address);
  const desktop = /** @type {import("./harness/desktop.js").Desktop} */ (profile.desktop);
  const note = await desktop.shown({ title: "Missed Call" });
  assert.deepEqual([note.body, note.actions], ["<Alice> & co", ["Call back"]]);
  desktop.click(note, "Call back");
  await titled(page, "clicked call-back");

  await page.reload();
  const again = await desktop.shown({ title: "Missed Call" });
  await page.close();
  const person = await profile.opened("nobody", () => desktop.click(again));
  assert.equal(new URL(person.page.url()).search, "?clicked%20body");
});

story("a notification on a screen is clicked with a mouse", async (stage) => {
  const address = await serve(stage);
  const screen = await stage.screen();
  const profile = await stage.profile(screen);
  const page = await profile.context.newPage();
  await page.goto(address);
  const note = await screen.shown({ title: "Missed Call" });
  assert.deepEqual([note.body, note.actions], ["<Alice> & co", ["Call back"]]);
  await screen.click();
  await titled(page, "clicked body");
});
