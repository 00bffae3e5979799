/** Moments and durations, for people. */

const exactFormat = new Intl.DateTimeFormat('en-GB', {
  day: '2-digit', month: 'short', year: 'numeric', hour: '2-digit', minute: '2-digit', second: '2-digit',
});
const dayFormat = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit' });
const clockFormat = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' });

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

export const HOUR_MS = HOUR * 1000;

/** A duration in at most two units: `3 h 20 min`. */
export function duration(ms: number): string {
  if (!Number.isFinite(ms)) return '–';
  const whole = Math.abs(ms);
  if (whole < 1000) return `${Math.round(whole)} ms`;
  const seconds = whole / 1000;
  if (seconds < 10) return `${(Math.floor(seconds * 10) / 10).toFixed(1)} s`;
  if (seconds < MINUTE) return `${Math.floor(seconds)} s`;
  const [large, small, names] =
    seconds < HOUR ? [MINUTE, 1, ['min', 's']] : seconds < DAY ? [HOUR, MINUTE, ['h', 'min']] : [DAY, HOUR, ['d', 'h']];
  const most = Math.floor(seconds / (large as number));
  const rest = Math.floor((seconds % (large as number)) / (small as number));
  const unit = names as string[];
  return rest === 0 || most >= 100 ? `${most} ${unit[0]}` : `${most} ${unit[0]} ${rest} ${unit[1]}`;
}

/** How far a moment is from now: `3 min ago`, `in 2 h`. */
export function relative(at: number, now: number): string {
  const ms = now - at;
  if (Math.abs(ms) < 5000) return 'just now';
  const far = Math.abs(ms);
  const unit = far < MINUTE * 1000 ? 1000 : far < HOUR * 1000 ? MINUTE * 1000 : far < DAY * 1000 ? HOUR * 1000 : DAY * 1000;
  const text = duration(Math.floor(far / unit) * unit);
  return ms > 0 ? `${text} ago` : `in ${text}`;
}

/** In the viewer's zone, to the second. */
export function exact(at: Date): string {
  return exactFormat.format(at);
}

/** In the viewer's zone, as short as is clear. */
export function short(at: Date, now: number): string {
  return now - at.getTime() < 20 * HOUR * 1000 && now >= at.getTime() ? clockFormat.format(at) : dayFormat.format(at);
}

/** In the viewer's zone, as an input of type `datetime-local` has it. */
export function local(at: Date): string {
  const shifted = new Date(at.getTime() - at.getTimezoneOffset() * MINUTE * 1000);
  return shifted.toISOString().slice(0, 19);
}
