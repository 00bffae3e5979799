import { texts } from '../texts';

/** One fault of a request, with its place. */
export interface Fault {
  pointer: string;
  detail: string;
}

/** What went wrong, for people. */
export class Problem extends Error {
  readonly kind: 'network' | 'time' | 'credentials' | 'refused' | 'server';
  readonly status: number | undefined;
  /** The code of a GraphQL error. */
  readonly code: string | undefined;
  /** The state of the order that refused an operation. */
  readonly state: string | undefined;
  readonly faults: Fault[];

  constructor(
    kind: Problem['kind'],
    message: string,
    more: { status?: number; code?: string | undefined; state?: string | undefined; faults?: Fault[] } = {},
  ) {
    super(message);
    this.kind = kind;
    this.status = more.status;
    this.code = more.code;
    this.state = more.state;
    this.faults = more.faults ?? [];
  }
}

/** Any thrown value as a problem. */
export function problemOf(error: unknown): Problem {
  if (error instanceof Problem) return error;
  if (error instanceof DOMException && error.name === 'TimeoutError') return new Problem('time', texts.problem.time);
  if (error instanceof TypeError) return new Problem('network', texts.problem.network);
  return new Problem('server', error instanceof Error ? error.message : String(error));
}

interface Body {
  detail?: unknown;
  title?: unknown;
  state?: unknown;
  errors?: unknown;
}

/** An answer that is no success (RFC 9457, or any other text). */
export async function problemIn(response: Response): Promise<Problem> {
  const body = (await response.json().catch(() => ({}))) as Body;
  const status = response.status;
  const faults = Array.isArray(body.errors) ? (body.errors as Partial<Fault>[]) : [];
  const detail = [body.detail, body.title].find((text) => typeof text === 'string') as string | undefined;
  const kind = status === 401 ? 'credentials' : status >= 500 ? 'server' : 'refused';
  return new Problem(kind, detail ?? texts.problem.status(status), {
    status,
    state: typeof body.state === 'string' ? body.state : undefined,
    faults: faults
      .filter((fault) => typeof fault.detail === 'string')
      .map((fault) => ({ pointer: String(fault.pointer ?? ''), detail: String(fault.detail) })),
  });
}

/** Whether a request was given up by its sender. */
export function isAbort(error: unknown): boolean {
  return error instanceof DOMException && error.name === 'AbortError';
}
