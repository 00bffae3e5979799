import { session } from '../app/session.svelte';

/** The name of the person at the console, while callers are not authenticated: kept in this browser. */
const KEY = 'tenuto-actor';

export function rememberedActor(): string {
  return localStorage.getItem(KEY) ?? '';
}

function remember(name: string) {
  if (name === '') localStorage.removeItem(KEY);
  else localStorage.setItem(KEY, name);
}

/** Who acts and why, as fields of a request. A caller that is authenticated is the actor. */
export function signed(reason: string, actor: string): { reason: string; actor?: string } {
  const name = actor.trim();
  remember(name);
  return { reason: reason.trim(), ...(session.me?.principal || name === '' ? {} : { actor: name }) };
}
