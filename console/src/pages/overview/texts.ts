/** The texts of the overview. */
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
  circuits: {
    title: 'Participants',
    none: 'No participant was called since this server started.',
    states: { closed: 'answers', open: 'circuit open; tried again in', halfOpen: 'is tested', 'half-open': 'is tested' },
    calls: (calls: number, waiting: number) => `${calls} in flight${waiting > 0 ? `, ${waiting} wait` : ''}`,
  },
};
