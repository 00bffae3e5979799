import { send } from '../../query/http';

function request(text: string, signal?: AbortSignal): RequestInit {
  return { method: 'POST', headers: { 'content-type': 'application/yaml' }, body: text, ...(signal ? { signal } : {}) };
}

/** Checks a file; nothing is recorded. */
export async function check(text: string, signal: AbortSignal): Promise<{ workflow: string; version: number; isRegistered: boolean }> {
  return (await (await send('/workflows/check', request(text, signal))).json()) as { workflow: string; version: number; isRegistered: boolean };
}

/** Registers a file. */
export async function register(text: string): Promise<{ workflow: string; version: number }> {
  return (await (await send('/workflows', request(text))).json()) as { workflow: string; version: number };
}
