// One sound for each answer, made of plain tones: rising, level, single, falling. Nothing is loaded.
// Browsers keep sound locked until somebody touches the page, unless started with --autoplay-policy (docs/kiosk.md).

export const VOLUMES = [0, 0.08, 0.25, 0.6];

// from and to in hertz, at and lasts in seconds.
export const TONES = {
  accept: [{ from: 660, to: 660, at: 0, lasts: 0.14 }, { from: 990, to: 990, at: 0.16, lasts: 0.24 }],
  provisional: [{ from: 620, to: 620, at: 0, lasts: 0.15 }, { from: 620, to: 620, at: 0.24, lasts: 0.15 }],
  ask: [{ from: 740, to: 740, at: 0, lasts: 0.3 }],
  refuse: [{ from: 340, to: 150, at: 0, lasts: 0.55 }],
};

/** Schedule the tones of an answer on a context (an offline one in tests); volume is a gain of 0 to 1. */
export function schedule(context, answer, volume) {
  for (const { from, to, at, lasts } of TONES[answer]) {
    const starts = context.currentTime + at;
    const tone = new OscillatorNode(context, { type: "triangle", frequency: from });
    const loudness = new GainNode(context, { gain: 0 });
    tone.frequency.setValueAtTime(from, starts);
    tone.frequency.linearRampToValueAtTime(to, starts + lasts);
    loudness.gain.setValueAtTime(0, starts);
    loudness.gain.linearRampToValueAtTime(volume, starts + 0.015); // without a click
    loudness.gain.setValueAtTime(volume, starts + lasts - 0.04);
    loudness.gain.linearRampToValueAtTime(0, starts + lasts);
    tone.connect(loudness).connect(context.destination);
    tone.start(starts);
    tone.stop(starts + lasts);
  }
}

/** The loudspeaker of a page. `changed` is called whenever `is_locked` may have changed. */
export class Speaker {
  constructor(changed) {
    this.context = null;
    this.changed = changed;
    for (const touch of ["pointerdown", "keydown"]) addEventListener(touch, () => this.unlock(), { passive: true });
    this.unlock();
  }

  get is_locked() {
    return this.context?.state !== "running";
  }

  unlock() {
    try {
      if (this.context === null) {
        this.context = new AudioContext({ latencyHint: "interactive" });
        this.context.addEventListener("statechange", this.changed);
      }
      if (this.is_locked) this.context.resume().then(this.changed, () => {});
    } catch {
      this.context = null; // a terminal without a sound card: colour, shape and words say the same
    }
  }

  /** Sound an answer; say whether it could be heard. */
  play(answer, level) {
    if (this.is_locked || !VOLUMES[level] || !(answer in TONES)) return false;
    schedule(this.context, answer, VOLUMES[level]);
    return true;
  }
}
