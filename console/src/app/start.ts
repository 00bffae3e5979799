import { get } from '../query/http';
import { problemOf } from '../query/problem';
import { finish, RETURN_PATH } from './oidc';
import { router } from './router.svelte';
import { session, type Configuration, type Me } from './session.svelte';

/** Reads what the server offers and who the caller is. */
export async function start(): Promise<void> {
  session.configuration = await get<Configuration>('/console.json');
  if (router.path === RETURN_PATH) {
    const query = router.query;
    // The code is used once, and does not stay in the address.
    router.go('/', { replaces: true });
    const { token, returnTo } = await finish(session.configuration.issuers, query).catch((error: unknown) => {
      session.needsSignIn = true;
      session.failure = problemOf(error).message;
      return { token: undefined, returnTo: '/' };
    });
    if (token === undefined) return;
    router.go(returnTo, { replaces: true });
    session.signIn(token);
  }
  if (session.configuration.authentication === 'required' && session.token === undefined) {
    session.needsSignIn = true;
    return;
  }
  session.me = await get<Me>('/me');
}
