/** What each state and status looks like: a colour, and a glyph for those who do not see colours. */

/** The groups of states that share a colour. */
export type Tone = 'running' | 'waiting' | 'paused' | 'undoing' | 'done' | 'ended' | 'stuck' | 'pending';

export interface Look {
  tone: Tone;
  /** A path in a square of 16. */
  glyph: string;
}

const dots = 'M8 2.2v1.6M8 12.2v1.6M2.2 8h1.6M12.2 8h1.6M3.9 3.9l1.1 1.1M11 11l1.1 1.1M3.9 12.1 5 11M11 5l1.1-1.1';
const play = 'M5.5 3.2v9.6L13 8z';
const clock = 'M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2zM8 4.8V8l2.2 1.6';
const bars = 'M5.5 3.5v9M10.5 3.5v9';
const back = 'M6 3 3 6l3 3M3 6h6a3.6 3.6 0 0 1 0 7.2H6';
const check = 'M3 8.6 6.4 12 13 4.6';
const cross = 'M4 4l8 8M12 4l-8 8';
const triangle = 'M8 2.4 14 13.2H2zM8 6.6v3M8 11.4v.2';
const again = 'M12.8 8a4.8 4.8 0 1 1-1.5-3.5M12.9 2.4v2.8h-2.8';
const skip = 'M3 8h10';
const person = 'M8 8.2a2.6 2.6 0 1 0 0-5.2 2.6 2.6 0 0 0 0 5.2zM3.2 13.6c.4-2.6 2.4-3.8 4.8-3.8s4.4 1.2 4.8 3.8';

export const glyphs = { dots, play, clock, bars, back, check, cross, triangle, again, skip, person };

export const states: Record<string, Look> = {
  RUNNING: { tone: 'running', glyph: play },
  WAITING: { tone: 'waiting', glyph: clock },
  PAUSED: { tone: 'paused', glyph: bars },
  COMPENSATING: { tone: 'undoing', glyph: back },
  COMPLETED: { tone: 'done', glyph: check },
  CANCELED: { tone: 'ended', glyph: cross },
  STUCK: { tone: 'stuck', glyph: triangle },
};

export const stepStatuses: Record<string, Look> = {
  PENDING: { tone: 'pending', glyph: dots },
  RUNNING: { tone: 'running', glyph: play },
  WAITING: { tone: 'waiting', glyph: clock },
  RETRYING: { tone: 'undoing', glyph: again },
  COMPLETED: { tone: 'done', glyph: check },
  SKIPPED: { tone: 'ended', glyph: skip },
  FAILED: { tone: 'stuck', glyph: cross },
  COMPENSATING: { tone: 'undoing', glyph: back },
  COMPENSATED: { tone: 'ended', glyph: back },
  STUCK: { tone: 'stuck', glyph: triangle },
};

export const unknown: Look = { tone: 'ended', glyph: dots };
