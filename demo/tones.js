// The tones of a telephone, made by WebAudio: one cycle of each is computed once and repeated by the audio thread, so that
// its rhythm holds in a hidden tab too.

/** Seconds over which a tone begins and ends, so that it doesn't click. */
const EDGE = 0.012;
/** How long a browser has to let sound begin, in ms; after that it waits for a click. */
const PATIENCE_MS = 400;

/**
 * A tone: notes of one or more frequencies, each from a second of the cycle on, for a time, so loud; `fade`: it dies away.
 * @typedef {{at: number, for: number, hertz: number[], gain: number, fade?: boolean}} Note
 * @typedef {"ring" | "ring-back" | "waiting"} ToneName
 * @type {Record<ToneName, {cycle: number, notes: Note[]}>}
 */
const TONES = {
  // It rings here: a rising figure of a soft bell, twice, and a rest.
  ring: {
    cycle: 3,
    notes: [0, 0.84].flatMap((start) => [659.25, 830.61, 987.77, 1318.51].map((hertz, step) => (
      { at: start + step * 0.14, for: 0.7, hertz: [hertz, hertz * 2.01], gain: 0.2, fade: true }
    ))),
  },
  // It rings at the other side.
  "ring-back": { cycle: 4, notes: [{ at: 0, for: 1.2, hertz: [440, 480], gain: 0.07 }] },
  // It rings here during a call: two short beeps that leave room to speak.
  waiting: { cycle: 5, notes: [0, 0.3].map((at) => ({ at, for: 0.16, hertz: [440], gain: 0.1 })) },
};
/** That sound is on now. */
const CHIME = [{ at: 0, for: 0.5, hertz: [659.25, 1318.51], gain: 0.16, fade: true }, { at: 0.12, for: 0.7, hertz: [987.77, 1975.5], gain: 0.16, fade: true }];

/** Plays at most one tone at a time. It fires "change" when it learns whether this browser lets it sound. */
export class Tones extends EventTarget {
  /** @param {string} user one tab of a user plays, also when several show the call */
  constructor(user) {
    super();
    this.lock = `ringback-demo:${user}:tone`;
    /** @type {AudioContext | null} */
    this.context = null;
    /** What should be heard. @type {ToneName | null} */
    this.wanted = null;
    /** Whether the browser waits for a click before it lets this page sound. */
    this.silenced = false;
    /** @type {AbortController | null} */
    this.playing = null;
    /** @type {Map<ToneName, AudioBuffer>} */
    this.cycles = new Map();
    for (const gesture of ["pointerdown", "keydown"]) addEventListener(gesture, () => this.gesture(), { capture: true });
  }

  /** Plays this tone from now on, or none. @param {ToneName | null} tone */
  play(tone) {
    if (tone === this.wanted) return;
    this.wanted = tone;
    this.playing?.abort();
    this.playing = null;
    if (tone) this.begin(tone);
  }

  /** Says by a short sound that sound is on. Called in answer to a click, it unlocks sound. */
  async chime() {
    const context = this.open();
    if (!(await this.running())) return;
    const source = new AudioBufferSourceNode(context, { buffer: this.render(1, CHIME) });
    source.connect(context.destination);
    source.start();
  }

  /** @param {ToneName} tone */
  async begin(tone) {
    const playing = this.playing = new AbortController();
    const context = this.open();
    if (!(await this.running()) || playing.signal.aborted) return;
    const { cycle, notes } = TONES[tone];
    if (!this.cycles.has(tone)) this.cycles.set(tone, this.render(cycle, notes));
    navigator.locks.request(this.lock, { signal: playing.signal }, () => {
      const source = new AudioBufferSourceNode(context, { buffer: this.cycles.get(tone), loop: true });
      const gain = new GainNode(context);
      source.connect(gain).connect(context.destination);
      source.start();
      return new Promise((/** @type {(value?: unknown) => void} */ done) => playing.signal.addEventListener("abort", () => {
        gain.gain.setTargetAtTime(0, context.currentTime, EDGE / 3);
        source.stop(context.currentTime + EDGE);
        done();
      }));
    }).catch(() => undefined); // it was stopped before its turn came
  }

  open() {
    this.context ??= new AudioContext();
    return this.context;
  }

  /** Whether the browser lets this page sound; it may want a click first. */
  async running() {
    const context = this.open();
    const resumed = context.resume().then(() => true, () => false);
    const late = new Promise((/** @type {(value: boolean) => void} */ resolve) => setTimeout(() => resolve(false), PATIENCE_MS));
    await Promise.race([resumed, late]);
    const silenced = context.state !== "running";
    if (silenced !== this.silenced) {
      this.silenced = silenced;
      this.dispatchEvent(new Event("change"));
    }
    return !silenced;
  }

  /** Any click or key lets sound begin, where a browser waits for one. */
  gesture() {
    if (!this.silenced) return;
    if (this.wanted) this.begin(this.wanted);
    else this.running();
  }

  /** @param {number} seconds @param {Note[]} notes */
  render(seconds, notes) {
    const { sampleRate } = this.open();
    const buffer = new AudioBuffer({ length: Math.round(seconds * sampleRate), sampleRate });
    const samples = buffer.getChannelData(0);
    for (const note of notes) {
      const first = Math.round(note.at * sampleRate);
      const length = Math.min(Math.round(note.for * sampleRate), samples.length - first);
      for (let at = 0; at < length; at += 1) {
        const time = at / sampleRate;
        const edge = Math.min(1, time / EDGE, (note.for - time) / EDGE);
        const fade = note.fade ? Math.exp(-6 * time / note.for) : 1;
        let sum = 0;
        note.hertz.forEach((hertz, overtone) => {
          sum += Math.sin(2 * Math.PI * hertz * time) * (note.fade && overtone > 0 ? 0.25 : 1);
        });
        samples[first + at] += sum * note.gain * edge * fade;
      }
    }
    return buffer;
  }
}
