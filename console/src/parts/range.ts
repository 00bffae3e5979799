/** The time ranges of figures, up to now. */
import { router } from '../app/router.svelte';
import { texts } from '../texts';
import { HOUR_MS } from './time';

export type Range = keyof typeof texts.ranges;

export const lengths: Record<Range, number> = { '1h': HOUR_MS, '24h': 24 * HOUR_MS, '7d': 7 * 24 * HOUR_MS };
export const USUAL: Range = '24h';

/** The range that the address names under this name. */
export function rangeIn(name: string): Range {
  const asked = router.query.get(name) ?? USUAL;
  return Object.hasOwn(lengths, asked) ? (asked as Range) : USUAL;
}
