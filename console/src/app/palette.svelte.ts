/** What the page in view offers to the search: its actions, which it also has as buttons. */
export interface PageAction {
  label: string;
  run: () => void;
}

class Palette {
  actions = $state.raw<PageAction[]>([]);

  /** Offers actions until the returned function is called: for an effect. */
  offer(actions: PageAction[]): () => void {
    this.actions = actions;
    return () => {
      if (this.actions === actions) this.actions = [];
    };
  }
}

export const palette = new Palette();
