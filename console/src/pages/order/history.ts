/** What the events of an order say about its steps: attempts, and the time that they took. */
import { objectOf, textOf, type Json } from '../../query/json';
import type { OrderEvent } from './queries';

/** An attempt at a step, or at its undo; or a wait. */
export interface Attempt {
  step: string;
  direction: 'do' | 'undo';
  number: number;
  /** `call`, `request`, `wait` or `await`. */
  mode: string;
  from: number;
  /** When the participant accepted, and the wait for its answer began. */
  acceptedAt?: number;
  /** Missing: under way. */
  to?: number;
  input?: Json;
  outcome?: string;
  /** The basis of an outcome that is no answer. */
  basis?: string;
  answer?: Json;
  error?: string;
  retryAt?: string;
  deadline?: string;
  /** What a person is asked for. */
  awaits?: string;
  /** An answer came, and another one may follow until then. */
  openUntil?: string;
  revision: number;
}

/** The attempts of all steps, in the order in which they began. */
export function attemptsOf(events: OrderEvent[]): Attempt[] {
  const attempts: Attempt[] = [];
  const open = new Map<string, Attempt>();
  const inputs = new Map<string, Json>();
  for (const event of events) {
    const data = objectOf(event.data);
    const step = event.step ?? '';
    const direction = data['direction'] === 'undo' ? 'undo' : 'do';
    const key = `${direction} ${step}`;
    const at = Date.parse(textOf(data['at']) ?? event.recordedAt);
    const current = open.get(key);
    switch (event.type) {
      case 'StepStarted':
      case 'WaitStarted': {
        const input = data['input'] ?? inputs.get(key);
        if (input !== undefined) inputs.set(key, input);
        const attempt: Attempt = {
          step,
          direction,
          ...(input === undefined ? {} : { input }),
          number: typeof data['attempt'] === 'number' ? data['attempt'] : 1,
          mode: textOf(data['mode']) ?? 'call',
          from: at,
          revision: event.revision,
          ...texts({ awaits: data['awaits'], deadline: data['deadline'] }),
        };
        attempts.push(attempt);
        open.set(key, attempt);
        break;
      }
      case 'StepAccepted':
        if (current) Object.assign(current, { acceptedAt: at }, texts({ deadline: data['deadline'] }));
        break;
      case 'StepCompleted': {
        if (!current) break;
        Object.assign(current, texts({ outcome: data['outcome'], basis: data['basis'], openUntil: data['openUntil'] }), { answer: data['data'] });
        if (data['openUntil'] === undefined) {
          delete current.openUntil;
          current.to = at;
          open.delete(key);
        }
        break;
      }
      case 'StepAttemptFailed':
      case 'StepFailed':
        if (!current) break;
        Object.assign(current, { to: at }, texts({ error: data['error'], retryAt: data['retryAt'] }));
        open.delete(key);
        break;
      case 'OrderCanceled':
      case 'OrderCompleted':
        for (const attempt of open.values()) attempt.to ??= at;
        open.clear();
        break;
      case 'StepSkipped':
        for (const way of ['do', 'undo']) {
          const skipped = open.get(`${way} ${step}`);
          if (skipped) skipped.to = at;
          open.delete(`${way} ${step}`);
        }
        break;
      default:
        break;
    }
  }
  return attempts;
}

/** The attempt before this one, at the same step in the same direction. */
export function previousOf(attempt: Attempt, attempts: readonly Attempt[]): Attempt | undefined {
  const isSame = (other: Attempt) => other.step === attempt.step && other.direction === attempt.direction;
  return attempts.findLast((other) => isSame(other) && other.revision < attempt.revision);
}

const written = (value: Json) => JSON.stringify(value, null, 2);

/** What an attempt sent, as a text with lines. */
export const inputOf = ({ input }: Attempt) => (input === undefined ? '' : written(input));

/** What came back, as a text with lines; nothing yet: empty. */
export function answerOf({ outcome, answer, error }: Attempt): string {
  const came = Object.entries({ outcome, error, data: answer }).filter((entry): entry is [string, Json] => entry[1] !== undefined && entry[1] !== null);
  return came.length === 0 ? '' : written(Object.fromEntries(came));
}

/** Those that are texts. */
function texts(values: Record<string, Json | undefined>): Record<string, string> {
  return Object.fromEntries(Object.entries(values).filter((entry): entry is [string, string] => typeof entry[1] === 'string'));
}

/** Why each skipped step was skipped: the guard that did not hold. */
export function guardsOf(events: OrderEvent[]): Map<string, string> {
  const guards = new Map<string, string>();
  for (const event of events) {
    const because = textOf(objectOf(event.data)['because']);
    if (event.type === 'StepSkipped' && event.step && because) guards.set(event.step, because);
  }
  return guards;
}
