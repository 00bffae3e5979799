import type { Json } from '../../query/json';
import { textOf } from '../../query/json';

/** A finding, for people: where, the order if there is one, and what is wrong. */
export interface Finding {
  place: string;
  order: string | undefined;
  text: string;
}

const FLAWS: Record<string, string> = {
  changed: 'the event was changed: its hash does not fit its contents',
  moved: 'the event is not in its original place',
  missing: 'events are missing',
  repeated: 'the revision is not greater than the one before it',
  foreign: 'the event belongs to another order',
  unreadable: 'the event has no hash that can be checked',
  cut: 'events are missing at the end',
  signature: 'the signature does not hold',
};
/** What the place has already. */
const SHOWN = new Set(['in', 'order', 'revision', 'fault', 'reason', 'stream', 'seal', 'table', 'row', 'column', 'log', 'view']);

export function inWords(finding: { [key: string]: Json }): Finding {
  const text = (name: string) => {
    const value = finding[name];
    return typeof value === 'number' ? String(value) : textOf(value);
  };
  const [kind, order] = [text('in') ?? '', text('order')];
  const places: Record<string, (string | undefined)[]> = {
    stream: ['stream', text('stream')],
    order: ['order', order, text('revision') === undefined ? undefined : `revision ${text('revision')}`],
    seal: ['seal', text('seal')],
    sealed: ['seal', text('seal')],
    view: ['view', text('table'), 'row', text('row'), text('column')],
  };
  const place = (places[kind] ?? [kind]).filter((part) => part !== undefined).join(' ');
  return { place, order: kind === 'order' || kind === 'view' ? order : undefined, text: kind === 'view' ? ofView(text) : reasonOf(finding, text) };
}

function ofView(text: (name: string) => string | undefined): string {
  if (text('column') !== undefined) return `the log has ${text('log') ?? 'nothing'}, the view has ${text('view') ?? 'nothing'}`;
  return text('log') === undefined ? 'the row has no events in the log' : 'the row is missing, but the log has its events';
}

function reasonOf(finding: { [key: string]: Json }, text: (name: string) => string | undefined): string {
  const fault = text('fault');
  const reason = text('reason') ?? (fault === undefined ? undefined : (FLAWS[fault] ?? fault)) ?? '';
  const more = Object.entries(finding).filter(([name, value]) => !SHOWN.has(name) && value !== null);
  const details = more.map(([name, value]) => `${name} ${typeof value === 'string' ? value : JSON.stringify(value)}`);
  return [reason, ...details].filter((part) => part !== '').join(', ');
}
