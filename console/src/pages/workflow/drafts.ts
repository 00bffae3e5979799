/** Texts that were changed and not registered, by the version that they began with: until the page is left. */
export const drafts = new Map<string, string>();
