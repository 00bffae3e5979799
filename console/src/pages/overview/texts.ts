/** The texts of the overview. */
import { texts as shared } from '../../texts';

export const texts = {
  orders: 'orders',
  stuck: 'stuck, wait for an operator',
  waiting: 'wait for an answer',
  retrying: 'Orders with a step that waits for its next attempt',
  changed: 'Changed in the last hour',
  canceled: 'Canceled in the last hour',
  parked: 'events set aside',
  parkedHint: 'Events that could not be projected: tenuto projector parked lists them.',
  lag: 'views behind the log',
  lagHint: 'The age of the first event that the views do not have.',
  hours: 'Placed, by hour',
  last: 'last event',
  byState: 'By state',
  byStatus: 'By status',
  past: {
    asOf: 'As of',
    now: 'Now',
    noMoment: (text: string) => `“${text}” is not a moment. Moments are like 2026-01-31T09:00:00Z.`,
    unknown: (count: number) => `${shared.count.orders(count)} went on then besides. Where they stood is not in the views: tenuto rebuild fills it in.`,
  },
  ends: {
    title: 'Ended',
    table: 'Time to end, by workflow',
    byHour: 'Ended, by hour',
    workflow: 'Workflow',
    count: 'Ended',
    canceled: 'Canceled',
    p50: 'p50',
    p95: 'p95',
    hint: 'From placing to end: half of the orders took at most p50, 95 of 100 at most p95.',
    none: 'No order ended in this time.',
    truncated: 'More than 200,000 orders ended in this time: the figures are those of the latest 200,000.',
  },
  circuits: {
    title: 'Participants',
    none: 'No participant was called since this server started.',
    states: { closed: 'answers', open: 'circuit open; tried again in', halfOpen: 'is tested', 'half-open': 'is tested' },
    calls: (calls: number, waiting: number) => `${calls} in flight${waiting > 0 ? `, ${waiting} wait` : ''}`,
  },
};
