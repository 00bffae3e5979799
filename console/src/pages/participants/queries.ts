import { get, post, send } from '../../query/http';
import { graphql, type ResultOf } from '../../query/graphql';

export const participantsQuery = graphql(`
  query Participants {
    participants { truncated nodes { name workflows waiting overdue stuck waitingSince byStatus { status count } } }
  }
`);

export type Waiting = ResultOf<typeof participantsQuery>['participants']['nodes'][number];

/** The circuit of one action. */
export interface ActionCircuit {
  action: string;
  circuit: 'half-open' | 'open';
  attemptsWaiting: number;
  lastError: string | null;
  triedAgainInMs: number | null;
}

/** A row of `GET /circuits`. */
export interface Circuit {
  participants: string[];
  circuit: 'closed' | 'half-open' | 'open';
  cause: 'unclear' | 'misconfigured' | null;
  callsInFlight: number;
  attemptsWaiting: number;
  failuresInARow: number;
  lastError: string | null;
  triedAgainInMs: number | null;
  actions: ActionCircuit[];
}

export const circuits = (signal: AbortSignal) => get<Circuit[]>('/circuits', signal);

export interface Shelf {
  sku: string;
  onHand: number;
  reserved: number;
}

export const stock = (signal: AbortSignal) => get<Shelf[]>('/participants/shipping/stock', signal);
/** Adds to the stock; the back-orders that could be filled. */
export const restock = (sku: string, quantity: number) => post<{ filled: string[] }>('/participants/shipping/restock', [{ sku, quantity }]);

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
