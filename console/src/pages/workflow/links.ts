/** Where links about workflows lead. */
import { addressOf } from '../../app/router.svelte';

const OPEN = ['RUNNING', 'WAITING', 'PAUSED', 'COMPENSATING', 'STUCK'];
const ENDED = ['COMPLETED', 'CANCELED'];

/** A workflow's page. */
export function page(name: string, version?: number | string, more: Record<string, string> = {}): string {
  const query = new URLSearchParams({ ...(version === undefined ? {} : { version: String(version) }), ...more });
  return addressOf(`/ui/workflows/${encodeURIComponent(name)}`, query);
}

/** An order's page, as of an event if one is named. */
export function order(id: string, revision?: number): string {
  return addressOf(`/ui/orders/${encodeURIComponent(id)}`, new URLSearchParams(revision === undefined ? {} : { at: String(revision) }));
}

/** The orders that follow a version. */
export function orders(name: string, version: number, which: 'open' | 'ended' | 'STUCK'): string {
  const states = which === 'open' ? OPEN : which === 'ended' ? ENDED : [which];
  const query = new URLSearchParams([['workflow', `${name}@${version}`], ...states.map((state) => ['state', state])]);
  return addressOf('/ui/orders', query);
}

/** How many orders are in a state. */
export function countIn(orders: { byState: readonly { state: string; count: number }[] } | null, state: string): number {
  return orders?.byState.find((row) => row.state === state)?.count ?? 0;
}
