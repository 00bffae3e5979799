import { get } from '../query/http';
import { session, type Configuration, type Me } from './session.svelte';

/** Reads what the server offers and who the caller is. */
export async function start(): Promise<void> {
  session.configuration = await get<Configuration>('/console.json');
  if (session.configuration.authentication === 'required' && session.token === undefined) {
    session.needsSignIn = true;
    return;
  }
  session.me = await get<Me>('/me');
}
