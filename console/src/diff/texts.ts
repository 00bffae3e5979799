/** The texts of a difference between two texts. */
export const texts = {
  changed: 'lines',
  kinds: { added: 'added', removed: 'removed' },
  folded: (lines: number) => `Show ${lines} unchanged lines`,
};
