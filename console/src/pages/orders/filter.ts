/** Which orders: the conditions in the address, as the API takes them. */
import type { Json } from '../../query/json';
import type { Where } from './queries';

/** The conditions with a list of values. */
export const LISTS = ['state', 'status', 'customer', 'sku', 'placedBy', 'participant', 'stepStatus'] as const;
/** The conditions with one value. */
export const TEXTS = ['workflow', 'step', 'olderThan', 'stuckReason', 'late', 'minLines', 'totalFrom', 'totalTo'] as const;
/** The moments of which a condition is a range: `placedFrom` and `placedTo`, for example. */
export const TIMES = ['placed', 'updated', 'ended'] as const;

export type ListName = (typeof LISTS)[number];
export type TextName = (typeof TEXTS)[number];
export type TimeName = (typeof TIMES)[number];

/** Every name that a condition has in the address. */
export const NAMES: string[] = [...LISTS, ...TEXTS, ...TIMES.flatMap((name) => [`${name}From`, `${name}To`]), 'attribute'];

/** A condition that the API would not take, and why. */
export class NotACondition extends Error {}

const UNITS: Record<string, number> = { m: 60_000, h: 3_600_000, d: 86_400_000 };

/** A moment: `-3h` is three hours ago, and anything else a date that the browser reads. */
export function momentOf(text: string, now: number): string {
  const ago = /^-(\d{1,6})([mhd])$/.exec(text);
  const at = ago ? now - Number(ago[1]) * (UNITS[ago[2] ?? ''] ?? 0) : Date.parse(text);
  if (!Number.isFinite(at)) throw new NotACondition(text);
  return new Date(at).toISOString();
}

/** `delivery.floor=3` names a path and a JSON value; without `=`, the attribute exists. A value that is no JSON is a text. */
export function attributeOf(text: string): { path: string[]; value?: Json } {
  const equals = text.indexOf('=');
  const path = (equals < 0 ? text : text.slice(0, equals)).split('.').map((key) => key.trim());
  if (path.some((key) => key === '')) throw new NotACondition(text);
  return equals < 0 ? { path } : { path, value: jsonOf(text.slice(equals + 1)) };
}

function jsonOf(text: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return text;
  }
}

/** The filter of the API for the conditions in an address. */
export function whereOf(query: URLSearchParams, now: number): Where {
  const where: Record<string, unknown> = {};
  const text = (name: string) => query.get(name)?.trim() || undefined;
  for (const name of ['state', 'status', 'customer', 'sku', 'placedBy']) {
    const values = query.getAll(name).filter((value) => value !== '');
    if (values.length > 0) where[name] = values;
  }
  const workflow = text('workflow');
  if (workflow !== undefined) {
    const [, name, version] = /^(.*?)(?:@(\d{1,9}))?$/s.exec(workflow) ?? [];
    where['workflow'] = { name: name ?? workflow, ...(version === undefined ? {} : { version: Number(version) }) };
  }
  const step = stepOf(query);
  if (Object.keys(step).length > 0) where['step'] = step;
  const stuckReason = text('stuckReason');
  if (stuckReason !== undefined) where['stuckReason'] = stuckReason;
  const late = text('late');
  if (late !== undefined) {
    if (late !== 'true' && late !== 'false') throw new NotACondition(late);
    where['late'] = late === 'true';
  }
  const minLines = text('minLines');
  if (minLines !== undefined) {
    if (!/^\d{1,9}$/.test(minLines)) throw new NotACondition(minLines);
    where['minLines'] = Number(minLines);
  }
  const [atLeast, atMost] = [text('totalFrom'), text('totalTo')];
  for (const amount of [atLeast, atMost]) {
    if (amount !== undefined && !/^-?\d+(\.\d+)?$/.test(amount)) throw new NotACondition(amount);
  }
  if (atLeast !== undefined || atMost !== undefined) {
    where['total'] = { ...(atLeast === undefined ? {} : { atLeast }), ...(atMost === undefined ? {} : { atMost }) };
  }
  for (const name of TIMES) {
    const [from, to] = [text(`${name}From`), text(`${name}To`)];
    if (from === undefined && to === undefined) continue;
    where[`${name}At`] = {
      ...(from === undefined ? {} : { from: momentOf(from, now) }),
      ...(to === undefined ? {} : { to: momentOf(to, now) }),
    };
  }
  const attributes = query.getAll('attribute').filter((value) => value.trim() !== '');
  if (attributes.length > 0) where['attributes'] = attributes.map(attributeOf);
  return where as Where;
}

/** The conditions that one step has to meet together. */
function stepOf(query: URLSearchParams): { [key: string]: Json } {
  const [name, olderThan] = [query.get('step')?.trim(), query.get('olderThan')?.trim()];
  if (olderThan && !/^\d{1,6}[smhd]$/.test(olderThan)) throw new NotACondition(olderThan);
  const [status, participant] = ['stepStatus', 'participant'].map((list) => query.getAll(list).filter((value) => value !== ''));
  return {
    ...(name ? { name } : {}),
    ...(status && status.length > 0 ? { status } : {}),
    ...(participant && participant.length > 0 ? { participant } : {}),
    ...(olderThan ? { olderThan } : {}),
  };
}

/** The conditions in an address, one by one: for a list that shows and removes them. */
export function conditionsIn(query: URLSearchParams): { name: string; value: string }[] {
  return [...query].filter(([name, value]) => NAMES.includes(name) && value !== '').map(([name, value]) => ({ name, value }));
}

/** The address without a condition, from its first page on. */
export function without(query: URLSearchParams, name: string, value: string): URLSearchParams {
  const rest = new URLSearchParams([...query].filter(([other, its]) => other !== name || its !== value));
  return firstPage(rest);
}

/** The address with a value of a list more, or less if it has it. */
export function toggled(query: URLSearchParams, name: ListName, value: string): URLSearchParams {
  if (query.getAll(name).includes(value)) return without(query, name, value);
  const more = new URLSearchParams(query);
  more.append(name, value);
  return firstPage(more);
}

/** The address from its first page on. */
export function firstPage(query: URLSearchParams): URLSearchParams {
  const first = new URLSearchParams(query);
  first.delete('after');
  first.delete('before');
  return first;
}
