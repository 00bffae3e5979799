import { session } from '../app/session.svelte';
import { linesOf } from './lines';
import { problemIn } from './problem';

/** How long a request may take. */
const TIME_LIMIT_MS = 20_000;
/** An answer in lines may take hours; a server that sends nothing for so long is given up. */
const SILENCE_MS = 60_000;
const LONGEST_MS = 12 * 60 * 60 * 1000;

/** Sends a request with the caller's credentials. An answer that is no success is thrown. */
export async function send(path: string, request: RequestInit & { timeLimitMs?: number } = {}): Promise<Response> {
  const headers = new Headers(request.headers);
  if (session.token !== undefined) headers.set('authorization', `Bearer ${session.token}`);
  const limit = AbortSignal.timeout(request.timeLimitMs ?? TIME_LIMIT_MS);
  const signal = request.signal ? AbortSignal.any([request.signal, limit]) : limit;
  const response = await fetch(path, { ...request, headers, signal, redirect: 'error' });
  if (response.ok) return response;
  if (response.status === 401) session.refused();
  throw await problemIn(response);
}

/** Sends JSON, and reads JSON. */
export async function post<Answer>(path: string, body: unknown, signal?: AbortSignal): Promise<Answer> {
  const response = await send(path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
    ...(signal ? { signal } : {}),
  });
  return (await response.json()) as Answer;
}

/** Reads JSON. */
export async function get<Answer>(path: string, signal?: AbortSignal): Promise<Answer> {
  const response = await send(path, signal ? { signal } : {});
  return (await response.json()) as Answer;
}

/** Sends JSON, and reads the lines of the answer as they come: an object of JSON each. */
export async function* postForLines(path: string, body: object, signal: AbortSignal): AsyncGenerator<Record<string, unknown>> {
  const silence = new AbortController();
  const limit = () => setTimeout(() => silence.abort(new DOMException('silence', 'TimeoutError')), SILENCE_MS);
  let timer = limit();
  try {
    const response = await send(path, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
      signal: AbortSignal.any([signal, silence.signal]),
      timeLimitMs: LONGEST_MS,
    });
    if (!response.body) return;
    for await (const line of linesOf(response.body.pipeThrough(new TextDecoderStream()))) {
      clearTimeout(timer);
      timer = limit();
      yield JSON.parse(line) as Record<string, unknown>;
    }
  } finally {
    clearTimeout(timer);
  }
}
