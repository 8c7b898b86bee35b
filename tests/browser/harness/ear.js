/** Hears what a page's own sounds come to: a measure between what it plays and the loudspeaker. */

/**
 * Has every page that this profile opens from now on heard.
 * @param {import("./browser.js").Profile} profile
 */
export async function hear(profile) {
  await profile.context.addInitScript(() => {
    /** How much of a sine at full scale counts as sound. */
    const LEAST = 0.002;
    /** @type {Set<AnalyserNode>} */
    const heard = new Set();
    const ear = { loud: false, at: -Infinity, now: 0 };
    Object.assign(globalThis, { ear });
    const { connect } = AudioNode.prototype;
    /** @this {AudioNode} @param {any[]} args @returns {any} */
    AudioNode.prototype.connect = function (...args) {
      if (args[0] === this.context.destination) {
        const analyser = new AnalyserNode(this.context, { fftSize: 4096 });
        Reflect.apply(connect, this, [analyser]);
        heard.add(analyser);
      }
      return Reflect.apply(connect, this, args);
    };
    const samples = new Float32Array(4096);
    setInterval(() => {
      ear.loud = false;
      for (const analyser of heard) {
        analyser.getFloatTimeDomainData(samples);
        ear.now = analyser.context.currentTime;
        ear.loud ||= samples.some((sample) => Math.abs(sample) > LEAST);
      }
      if (ear.loud) ear.at = ear.now;
    }, 20);
  });
}

/** Waits until the page has been heard once. @param {import("./person.js").Person} person */
export async function sounded({ page }) {
  await page.waitForFunction(() => /** @type {any} */ (globalThis).ear.at > -Infinity);
}

/** Waits until the page is heard. @param {import("./person.js").Person} person */
export async function loud({ page }) {
  await page.waitForFunction(() => /** @type {any} */ (globalThis).ear.loud);
}

/**
 * Waits until the page has been silent for longer than any of its tones pauses.
 * @param {import("./person.js").Person} person
 * @returns {Promise<number>} how many seconds it still sounded after this was asked
 */
export async function hushed({ page }) {
  const asked = await page.evaluate(() => /** @type {any} */ (globalThis).ear.now);
  await page.waitForFunction(() => {
    const { ear } = /** @type {any} */ (globalThis);
    return ear.now - ear.at > 5.5;
  });
  return page.evaluate((then) => /** @type {any} */ (globalThis).ear.at - then, asked);
}
