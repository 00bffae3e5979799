/** The texts of operations on orders. */
import { number } from '../parts/number';

export const names = { cancel: 'Cancel', note: 'Note', pause: 'Pause', resume: 'Resume', retry: 'Retry', skip: 'Skip' };

export const texts = {
  title: (operation: keyof typeof names, count: string) => `${names[operation]} ${count}`,
  effects: {
    cancel: 'What was done is undone, in reverse order. Then the orders end as canceled.',
    note: 'Every reader of the orders sees the note, and nothing else changes. Name no customers.',
    pause: 'Nothing new starts. Answers are recorded, and deadlines move by the length of the pause.',
    resume: 'Paused orders continue.',
    retry: 'The failed step is tried again now, under the same idempotency key.',
    skip: 'The step counts as answered without its participant. Use it where the work was done, or settled, by hand.',
  },
  counting: 'Counting the orders…',
  matches: (count: string) => `${count} will get this instruction. Each is decided as it stands in the log at that moment.`,
  would: (yes: number, no: number) =>
    no === 0 ? `All of the first ${yes} would accept it now.` : `Of the first ${yes + no}, ${yes} would accept it now and ${no} would refuse it:`,
  first: 'The first of them',
  more: (count: number) => `and ${count} more`,
  step: 'Step',
  outcome: 'Outcome to assume',
  outcomeHint: 'Empty: none. For a step that failed to be undone, leave it empty.',
  begin: (operation: keyof typeof names, count: string) => `${names[operation]} ${count}`,
  progress: (done: number, all: number) => `${number(done)} of ${number(all)}`,
  outcomeOf: (done: number, refused: number) => (refused === 0 ? `${number(done)} accepted` : `${number(done)} accepted, ${number(refused)} refused`),
  accepted: 'accepted',
  refused: 'refused',
  stop: 'Stop',
  stopped: 'Stopped. Orders that were reported have the instruction; the others do not.',
  resume: 'Continue after the last reported order',
  done: 'Every order was reported.',
  close: 'Close',
  onlyRefused: 'Only refused',
  omitted: (count: number) => `The first ${count} lines are not shown.`,
};
