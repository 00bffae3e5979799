import { get, post, send } from '../../query/http';
import { graphql, type ResultOf } from '../../query/graphql';

export const participantsQuery = graphql(`
  query Participants {
    participants { truncated nodes { name workflows waiting overdue stuck waitingSince byStatus { status count } } }
  }
`);

export type Waiting = ResultOf<typeof participantsQuery>['participants']['nodes'][number];

export const callsQuery = graphql(`
  query Calls($from: DateTime!, $to: DateTime!) {
    calls(from: $from, to: $to) { truncated nodes { participant step action count failed p50Seconds p95Seconds p99Seconds } }
  }
`);

export type Calls = ResultOf<typeof callsQuery>['calls'];

/** A failure on purpose. */
export interface Fault {
  participant: string;
  action: string;
  respond?: { status: number; detail?: string };
  delayMs?: number;
  loseAnswer?: boolean;
  crash?: 'before' | 'after';
  times?: number;
  forMs?: number;
  rate?: number;
}

export const actions: Record<string, string[]> = {
  orders: ['create', 'cancel', 'update_status'],
  payments: ['charge', 'refund'],
  shipping: ['ship', 'cancel_shipment'],
  notifications: ['send'],
};

export const faults = (signal: AbortSignal) => get<Fault[]>('/participants/faults', signal);
export const addFault = (fault: Fault) => post<Fault[]>('/participants/faults', [fault]);
export const endFaults = () => send('/participants/faults', { method: 'DELETE' });

export interface Mail {
  messageId: string;
  orderId: string;
  template: string;
  to: string;
  subject: string;
  body: string;
  queuedAt: string;
  lastError: string | null;
}

export const mailbox = (signal: AbortSignal) => get<{ total: number; mails: Mail[] }>('/participants/notifications/mailbox?limit=50', signal);
