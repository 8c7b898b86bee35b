// A beat once a second, in a hidden page too where the browser lets it.

/**
 * Beats until it is stopped.
 * @param {() => void} beat
 * @returns {() => void} stops it
 */
export function clock(beat) {
  /** @type {ReturnType<typeof setInterval> | undefined} */
  let timer;
  const byTimer = () => void (timer = setInterval(beat, 1_000));
  /** @type {Worker | undefined} */
  let worker;
  try {
    worker = new Worker(new URL("./tick.js", import.meta.url));
    worker.onmessage = beat;
    worker.onerror = byTimer;
  } catch {
    byTimer(); // the modules come from another origin, whose workers a page may not start
  }
  return () => {
    worker?.terminate();
    clearInterval(timer);
  };
}
