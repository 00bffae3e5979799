/** The address of the page: the only place of its state that a link can carry. */
class Router {
  path = $state(location.pathname);
  query = $state.raw(new URLSearchParams(location.search));

  constructor() {
    window.addEventListener('popstate', () => this.#read());
  }

  /** Goes to an address of the console. */
  go(address: string, options: { replaces?: boolean } = {}) {
    if (options.replaces) history.replaceState(null, '', address);
    else history.pushState(null, '', address);
    this.#read();
  }

  /** Changes values of the query string; `undefined` removes one. */
  set(changes: Record<string, string | undefined>, options: { replaces?: boolean } = {}) {
    const query = new URLSearchParams(this.query);
    for (const [name, value] of Object.entries(changes)) {
      if (value === undefined || value === '') query.delete(name);
      else query.set(name, value);
    }
    this.go(addressOf(this.path, query), options);
  }

  #read() {
    this.path = location.pathname;
    this.query = new URLSearchParams(location.search);
  }
}

/** An address with a query string, if it has one. */
export function addressOf(path: string, query: URLSearchParams): string {
  const text = query.toString();
  return text === '' ? path : `${path}?${text}`;
}

export const router = new Router();

/** Follows links of the console without loading the page again. */
export function followLink(event: MouseEvent) {
  if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  const link = (event.target as Element | null)?.closest?.('a[href]') as HTMLAnchorElement | SVGAElement | null;
  if (!link || link.getAttribute('target') !== null || link.hasAttribute('download')) return;
  const url = new URL(link.getAttribute('href') ?? '', location.href);
  const isOurs = url.origin === location.origin && (url.pathname === '/' || url.pathname.startsWith('/ui/'));
  if (!isOurs || url.pathname.startsWith('/ui/assets/') || (url.hash !== '' && url.pathname === location.pathname)) return;
  event.preventDefault();
  router.go(url.pathname + url.search);
}
