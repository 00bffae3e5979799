/**
 * In place of `react-style-singleton`: the dialogs' lock on scrolling writes a style element, which
 * the policy of the page refuses. The page itself does not scroll.
 */
const nothing = () => null;

export const styleSingleton = () => nothing;
