/** Makes the README's picture, `docs/demo.png`, of the demo as it is: real windows of a real server, put side by side. */

import { mkdtemp, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { Stage } from "./harness/stage.js";

const PLACE = "docs/demo.png";
const DESK = { width: 880, height: 720 };
const PHONE = { width: 360, height: 720 };

/**
 * A page of somebody's, in a size and a light.
 * @param {Stage} stage @param {string} name @param {{ width: number, height: number }} size @param {"light" | "dark"} colorScheme
 */
async function window(stage, name, size, colorScheme) {
  const profile = await stage.profile(undefined, { devices: "fake" });
  await profile.context.addInitScript(drawnCamera, name);
  const person = await profile.person(name);
  await person.page.setViewportSize(size);
  // What moves is caught at rest.
  await person.page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
  return person;
}

/** Has the camera show what the demo draws of who has none: nobody is there to be filmed. @param {string} name */
function drawnCamera(name) {
  const { mediaDevices } = navigator;
  const open = mediaDevices.getUserMedia.bind(mediaDevices);
  mediaDevices.getUserMedia = async (wanted) => {
    const stream = await open(wanted);
    const { drawnPicture } = await import(new URL("picture.js", location.href).href);
    for (const track of stream.getVideoTracks()) {
      stream.removeTrack(track);
      stream.addTrack(drawnPicture({ id: name, name }).getVideoTracks()[0]);
    }
    return stream;
  };
}

/** Plays the scene: Alice talks with Erin while it rings at Bob's; Carol has missed her. @param {Stage} stage */
async function play(stage) {
  await stage.serve();
  const alice = await window(stage, "alice", DESK, "light");
  const bob = await window(stage, "bob", PHONE, "light");
  const carol = await window(stage, "carol", PHONE, "dark");
  const erin = await window(stage, "erin", PHONE, "light");
  await alice.call(["carol"], { video: true, seconds: 1 });
  await carol.missed(1);
  await carol.shows("#history li");
  await alice.hides("#call");
  await alice.page.locator("#other").fill("Erin");
  await alice.page.locator("#add-typed").click();
  await alice.set("inCalling.canInvitingInCalling", true);
  await alice.call(["bob", "erin"], { video: true, seconds: 60 });
  await erin.accept();
  await bob.rings("Alice");
  await alice.watches("erin");
  await alice.page.locator("#turn-sound-on").click();
  await alice.page.mouse.move(0, 0);
  await alice.shows("#duration", "0:0");
  await alice.page.locator("#app-title").focus();
  await alice.shows("#tiles .tile.self.pictured");
  await alice.shows("#tiles .tile.speaking");
  const shots = [];
  for (const { page } of [alice, bob, carol]) shots.push(await page.screenshot());
  return { shots, context: alice.profile.context };
}

/** Lays the windows out on one sheet. @param {Buffer[]} shots @param {import("playwright-core").BrowserContext} context */
async function compose(shots, context) {
  const page = await context.newPage();
  await page.setViewportSize({ width: 1734, height: 800 });
  const pictures = shots.map((shot, at) => `<img class="w${at}" src="data:image/png;base64,${shot.toString("base64")}">`);
  await page.setContent(`<style>
    body { margin: 0; background: #dfe5e1; position: relative; height: 800px; overflow: hidden; }
    img { position: absolute; border-radius: 14px; box-shadow: 0 18px 44px -14px rgb(0 20 10 / 38%), 0 0 0 1px rgb(0 0 0 / 8%); }
    .w0 { left: 36px; top: 40px; }
    .w1, .w2 { border-radius: 30px; box-shadow: 0 18px 44px -12px rgb(0 20 10 / 45%), 0 0 0 7px #23262a; }
    .w1 { left: 951px; top: 40px; }
    .w2 { left: 1338px; top: 40px; }
  </style>${pictures.join("")}`);
  await page.locator("img").last().evaluate((image) => /** @type {HTMLImageElement} */ (image).decode());
  return page.screenshot();
}

const stage = new Stage(await mkdtemp(join(tmpdir(), "ringback-picture-")));
try {
  const { shots, context } = await play(stage);
  await writeFile(PLACE, await compose(shots, context));
  console.log(`${PLACE}: ${Math.round((await readFile(PLACE)).length / 1024)} KiB`);
} catch (error) {
  console.error(await stage.report());
  throw error;
} finally {
  await stage.clear();
}
