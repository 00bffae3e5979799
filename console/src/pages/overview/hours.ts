import { HOUR_MS } from '../../parts/time';

/** The orders of each hour of a time range, by state, also of the hours without any. */
export interface Hour {
  at: number;
  count: number;
  states: Map<string, number>;
}

/** When the first of so many hours begins, the last of which is the present one. */
export function firstHour(now: number, hours: number): number {
  return (Math.floor(now / HOUR_MS) - (hours - 1)) * HOUR_MS;
}

export function hoursOf(counts: { hour: string; state: string; count: number }[], now: number, hours: number): Hour[] {
  const first = firstHour(now, hours);
  const all = Array.from({ length: hours }, (_, index): Hour => ({ at: first + index * HOUR_MS, count: 0, states: new Map() }));
  const byTime = new Map(all.map((hour) => [hour.at, hour]));
  for (const { hour, state, count } of counts) {
    const own = byTime.get(Date.parse(hour));
    if (!own) continue;
    own.count += count;
    own.states.set(state, (own.states.get(state) ?? 0) + count);
  }
  return all;
}
