/** The name of the person at the console, while callers are not authenticated: kept in this browser. */
const KEY = 'tenuto-actor';

export function rememberedActor(): string {
  return localStorage.getItem(KEY) ?? '';
}

export function rememberActor(name: string) {
  if (name === '') localStorage.removeItem(KEY);
  else localStorage.setItem(KEY, name);
}
