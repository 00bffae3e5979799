/** The saved views of this browser. */
import { viewsIn, type View } from './views';

const KEY = 'tenuto-views';

class Views {
  list = $state.raw<View[]>(viewsIn(localStorage.getItem(KEY)));

  constructor() {
    // Another tab has changed them.
    window.addEventListener('storage', (event) => {
      if (event.key === KEY) this.list = viewsIn(event.newValue);
    });
  }

  set(list: View[]) {
    if (list.length === 0) localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, JSON.stringify(list));
    this.list = list;
  }
}

export const views = new Views();
