/** The circuits of the command handler that answers, to its participants. */
import { get } from './http';

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
