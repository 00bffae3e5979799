/** The orders of each hour of a time range, by state, also of the hours without any. */
export interface Hour {
  at: number;
  count: number;
  states: Map<string, number>;
}

const HOUR_MS = 3_600_000;

export function hoursOf(counts: { hour: string; state: string; count: number }[], now: number, hours: number): Hour[] {
  const last = Math.floor(now / HOUR_MS) * HOUR_MS;
  const all = Array.from({ length: hours }, (_, index): Hour => ({ at: last - (hours - 1 - index) * HOUR_MS, count: 0, states: new Map() }));
  const byTime = new Map(all.map((hour) => [hour.at, hour]));
  for (const { hour, state, count } of counts) {
    const own = byTime.get(Date.parse(hour));
    if (!own) continue;
    own.count += count;
    own.states.set(state, (own.states.get(state) ?? 0) + count);
  }
  return all;
}
