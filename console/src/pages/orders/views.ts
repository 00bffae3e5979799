/** Filters of the list under names: pure. */
import { firstPage } from './filter';

/** A filter under a name: the query string of its address, with sort and columns. */
export interface View {
  name: string;
  query: string;
}

export const MAX_NAME = 80;

/** The views in a stored text; what is no view is left out. */
export function viewsIn(text: string | null): View[] {
  let value: unknown;
  try {
    value = JSON.parse(text ?? '[]');
  } catch {
    return [];
  }
  return Array.isArray(value) ? value.filter(isView).map(({ name, query }) => ({ name, query })) : [];
}

function isView(value: unknown): value is View {
  const { name, query } = (value ?? {}) as Partial<Record<keyof View, unknown>>;
  return typeof name === 'string' && name !== '' && typeof query === 'string';
}

/** The address of the list, as a view keeps it: from its first page on. */
export const queryOf = (address: URLSearchParams): string => firstPage(address).toString();

export const addressOf = (view: View): string => (view.query === '' ? '/ui/orders' : `/ui/orders?${view.query}`);

/** The views with one more. One of the same name is replaced. */
export function saved(views: readonly View[], name: string, query: string): View[] {
  const view = { name: name.trim().slice(0, MAX_NAME), query };
  if (view.name === '') return [...views];
  return views.some((other) => other.name === view.name) ? views.map((other) => (other.name === view.name ? view : other)) : [...views, view];
}

/** The views with another name for one; unchanged if another view has that name. */
export function renamed(views: readonly View[], from: string, to: string): View[] {
  const name = to.trim().slice(0, MAX_NAME);
  if (name === '' || views.some((view) => view.name === name)) return [...views];
  return views.map((view) => (view.name === from ? { ...view, name } : view));
}

/** The views as links, a line each. */
export function links(views: readonly View[], origin: string): string {
  return views.map((view) => `${view.name}: ${origin}${addressOf(view)}`).join('\n');
}
