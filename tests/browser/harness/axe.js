/** Looks at a page as those do who read it by ear, by keyboard, or on a phone. */

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";

const AXE = createRequire(import.meta.url).resolve("axe-core/axe.min.js");
/** A phone's narrow width, and a window on a desk. */
const SIZES = [{ width: 360, height: 740 }, { width: 1280, height: 860 }];

/**
 * Fails on what axe finds, in light and dark, on a phone and on a desk, and on a page wider than a phone.
 * @param {import("./person.js").Person} person
 * @param {string} state what the page shows
 */
export async function usable({ page }, state) {
  const axe = await readFile(AXE, "utf8");
  await page.evaluate(axe);
  // Nothing is to be measured in the middle of a fade.
  for (const colorScheme of /** @type {const} */ (["light", "dark"])) {
    for (const size of SIZES) {
      const where = `${state}, ${colorScheme}, ${size.width} wide`;
      await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
      await page.setViewportSize(size);
      const { violations } = await page.evaluate(() => /** @type {any} */ (globalThis).axe.run({ resultTypes: ["violations"] }));
      const found = violations.map((/** @type {any} */ { id, help, nodes }) => [id, help, ...nodes.map((/** @type {any} */ node) => `${node.html} ${node.failureSummary}`)].join("\n  "));
      assert.deepEqual(found, [], where);
      const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      assert.equal(over, 0, `${where}: it has to be scrolled sideways`);
    }
  }
}

/**
 * Fails on an element, or a page, that is wider than its place, and on one that doesn't show whole on the screen.
 * @param {import("./person.js").Person} person
 * @param {string} state what the page shows
 * @param {{ width: number, height: number, shown?: string[] }} size of the screen, and what has to be on it
 */
export async function fits({ page }, state, { width, height, shown = [] }) {
  await page.setViewportSize({ width, height });
  await page.evaluate(() => scrollTo(0, 0));
  const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.equal(over, 0, `${state}, ${width} wide: it has to be scrolled sideways`);
  const out = await page.evaluate(() => [...document.querySelectorAll(".tile .caption, #gone li, .flag span, [data-ring] .what, .other-people a")]
    .filter((element) => {
      const [own, place] = [element, element.parentElement ?? element].map((one) => one.getBoundingClientRect());
      return own.width > 0 && (own.left < place.left - 1 || own.right > place.right + 1);
    }).map((element) => element.outerHTML));
  assert.deepEqual(out, [], `${state}, ${width} wide`);
  for (const selector of shown) {
    const box = await page.locator(selector).first().boundingBox();
    assert.ok(box && box.x >= 0 && box.x + box.width <= width && box.y >= 0 && box.y + box.height <= height, `${state}, ${width} by ${height}: ${selector} is off the screen`);
  }
}
