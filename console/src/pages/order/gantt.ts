/** A scale of time on which idle stretches are short. */

export interface Gap {
  from: number;
  to: number;
  /** Its place on the scale, from 0 to 1. */
  at: number;
  width: number;
}

export interface Scale {
  /** The place of a moment, from 0 to 1. */
  place(at: number): number;
  /** The idle stretches that were shortened. */
  gaps: Gap[];
}

/** What a shortened stretch gets of the scale. */
const GAP_SHARE = 0.06;

/**
 * A scale from the first to the last of these moments. Between two neighbours that are much further
 * apart than the others, nothing happened: such a stretch is shortened.
 */
export function scaleOf(moments: number[]): Scale {
  const sorted = [...new Set(moments)].filter(Number.isFinite).sort((a, b) => a - b);
  const lengths = sorted.slice(1).map((at, index) => at - (sorted[index] ?? at));
  const usual = median(lengths.filter((length) => length > 0));
  const limit = Math.max(usual * 12, 1);
  const isGap = lengths.map((length) => length > limit);
  const count = isGap.filter(Boolean).length;
  const shareOfGaps = Math.min(0.5, count * GAP_SHARE);
  const active = lengths.reduce((sum, length, index) => sum + (isGap[index] ? 0 : length), 0);
  const knots: [number, number][] = [];
  const gaps: Gap[] = [];
  let place = 0;
  for (const [index, at] of sorted.entries()) {
    knots.push([at, place]);
    const length = lengths[index];
    if (length === undefined) break;
    const width = isGap[index] ? shareOfGaps / count : active > 0 ? (length / active) * (1 - shareOfGaps) : 1 / lengths.length;
    if (isGap[index]) gaps.push({ from: at, to: at + length, at: place, width });
    place += width;
  }
  const whole = place || 1;
  return {
    place: (at) => between(knots, at) / whole,
    gaps: gaps.map((gap) => ({ ...gap, at: gap.at / whole, width: gap.width / whole })),
  };
}

function between(knots: [number, number][], at: number): number {
  const first = knots[0];
  if (!first || at <= first[0]) return first?.[1] ?? 0;
  for (let index = 1; index < knots.length; index += 1) {
    const [from, start] = knots[index - 1] as [number, number];
    const [to, end] = knots[index] as [number, number];
    if (at <= to) return start + ((at - from) / (to - from)) * (end - start);
  }
  return knots.at(-1)?.[1] ?? 0;
}

function median(values: number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}
