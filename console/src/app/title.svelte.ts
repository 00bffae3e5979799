/** The title of the page in the browser's list of tabs, if a page has its own. */
class Title {
  of = $state<string | undefined>(undefined);
}

export const title = new Title();
