/** The texts about operations that a second person has to approve. */
import { one } from '../texts';

const operations: Record<string, string> = { cancel: 'Cancel', pause: 'Pause', resume: 'Resume', retry: 'Retry', skip: 'Skip' };

export const texts = {
  title: 'Operations that need a second person',
  needed: 'A second person has to approve this. It is not done now: it is recorded as a request, and the order does not wait for it.',
  neededForAll: 'A second person has to approve this for so many orders. It is not done now: it is recorded as one request.',
  asked: (id: string) => `Request ${id} waits for approval.`,
  askedOnly: 'Nothing is done yet. Another person approves or declines it on the page of approvals.',
  page: 'Approvals',
  what: (operation: string, step: string | null) => `${operations[operation] ?? operation}${step === null ? '' : ` ${step}`}`,
  order: 'Order',
  orders: (count: number) => one(count, 'order', 'orders'),
  by: 'asked for by',
  since: 'Since',
  until: 'Until',
  reason: 'Reason',
  own: 'You asked for this, so another person has to approve or decline it.',
  role: (role: string) => `The role ${role} approves or declines this.`,
  verbs: { approve: 'Approve…', decline: 'Decline…', withdraw: 'Withdraw…' },
  about: (verb: string, id: string) => `${verb} request ${id}`,
  dialog: {
    title: {
      approve: (what: string, on: string) => `Approve: ${what}, ${on}`,
      decline: (what: string, on: string) => `Decline: ${what}, ${on}`,
      withdraw: (what: string, on: string) => `Withdraw: ${what}, ${on}`,
    },
    text: {
      approve: 'The operation is carried out now, on the order as it is now. If the order does not allow it any more, nothing is done.',
      decline: 'Nothing is done.',
      withdraw: 'Nothing is done.',
    },
    batch: 'Each order is decided as it is now. If more orders match than were asked for, nothing is done.',
    optional: 'Reason (optional)',
    submit: { approve: 'Approve', decline: 'Decline', withdraw: 'Withdraw' },
    failed: 'This was not recorded',
  },
  done: { approve: (id: string) => `Request ${id} is approved.`, decline: (id: string) => `Request ${id} is declined.`, withdraw: (id: string) => `Request ${id} is withdrawn.` },
};
