/** The caller's key or token, which is kept in this tab only. */
const KEY = 'tenuto-token';

export const storedToken = {
  get: (): string | undefined => sessionStorage.getItem(KEY) ?? undefined,
  set: (token: string) => sessionStorage.setItem(KEY, token),
  remove: () => sessionStorage.removeItem(KEY),
};
