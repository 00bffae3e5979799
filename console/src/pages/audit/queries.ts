import { get, post, send } from '../../query/http';
import type { Json } from '../../query/json';

/** What a verification found. */
export interface Report {
  clean: boolean;
  lookedAt: string[];
  notes: string[];
  findings: { [key: string]: Json }[];
  /** Findings that are not listed. */
  more: number;
}

/** The verification of everything. */
export interface Verification {
  state: 'none' | 'running' | 'done' | 'failed';
  startedAt?: string;
  endedAt?: string;
  events?: number;
  position?: string;
  end?: string;
  report?: Report;
  error?: string;
}

export interface Seal {
  number: number;
  at: string;
  position: number | string;
  orders: number;
  faultyOrders: number;
  publicKey: string;
  root: string;
}

/** A pass through the log may take two minutes on the server. */
const PATIENCE_MS = 130_000;

export const FORMATS = ['html', 'bundle', 'csv', 'jsonl'] as const;
export type Format = (typeof FORMATS)[number];

export const verification = (signal: AbortSignal) => get<Verification>('/audit/verification', signal);
export const verifyAll = () => post<Verification>('/audit/verification', {});
export const seals = (signal: AbortSignal) => get<{ seals: Seal[] }>('/audit/seals', signal);

export async function verifyOrder(id: string, signal: AbortSignal): Promise<Report> {
  const response = await send(`/audit/orders/${encodeURIComponent(id)}`, { signal, timeLimitMs: PATIENCE_MS });
  return (await response.json()) as Report;
}

/** Saves an order's history as a file. */
export async function download(id: string, format: Format): Promise<void> {
  const response = await send(`/audit/orders/${encodeURIComponent(id)}/export?format=${format}`, { timeLimitMs: PATIENCE_MS });
  const name = /filename="([^"]+)"/.exec(response.headers.get('content-disposition') ?? '')?.[1] ?? `order.${format}`;
  const address = URL.createObjectURL(await response.blob());
  const link = document.createElement('a');
  link.href = address;
  link.download = name;
  link.click();
  // The browser has begun to read it by then.
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}
