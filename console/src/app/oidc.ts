/**
 * Sign-in with an OIDC issuer: authorization code with PKCE (RFC 7636), as a public client. What
 * has to survive the way to the issuer and back is in this tab's storage.
 */
import { Problem } from '../query/problem';
import { texts } from '../texts';

/** Where the issuer sends the browser back to. */
export const RETURN_PATH = '/ui/signed-in';

const STORED = 'tenuto-sign-in';
const TIME_LIMIT_MS = 15_000;

export interface Issuer {
  name: string;
  url: string;
  clientId: string;
  scope: string;
}

interface Started {
  state: string;
  verifier: string;
  issuer: string;
  /** The address where the person was. */
  returnTo: string;
}

interface Discovery {
  issuer: string;
  authorization_endpoint: string;
  token_endpoint: string;
}

/** Sends the browser to the issuer. */
export async function begin(issuer: Issuer, returnTo: string): Promise<void> {
  if (!('subtle' in crypto)) throw new Problem('refused', texts.signIn.insecure);
  const { authorization_endpoint } = await discover(issuer);
  const [state, verifier] = [random(), random()];
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(verifier));
  const started: Started = { state, verifier, issuer: issuer.name, returnTo };
  sessionStorage.setItem(STORED, JSON.stringify(started));
  const to = new URL(authorization_endpoint);
  const query = {
    response_type: 'code',
    client_id: issuer.clientId,
    redirect_uri: location.origin + RETURN_PATH,
    scope: issuer.scope,
    state,
    code_challenge: base64url(new Uint8Array(digest)),
    code_challenge_method: 'S256',
  };
  for (const [name, value] of Object.entries(query)) to.searchParams.set(name, value);
  location.assign(to);
}

/** Ends a sign-in that the issuer sent back: the token, and the address where the person was. */
export async function finish(issuers: Issuer[], query: URLSearchParams): Promise<{ token: string; returnTo: string }> {
  const stored = sessionStorage.getItem(STORED);
  sessionStorage.removeItem(STORED);
  const started = stored === null ? undefined : (JSON.parse(stored) as Started);
  const issuer = issuers.find(({ name }) => name === started?.issuer);
  if (started === undefined || issuer === undefined || query.get('state') !== started.state) {
    throw new Problem('refused', texts.signIn.notBegun);
  }
  const [code, error] = [query.get('code'), query.get('error')];
  if (code === null) {
    const reason = query.get('error_description') ?? error ?? texts.signIn.noCode;
    throw new Problem('refused', texts.signIn.denied(issuer.name, reason));
  }
  // RFC 9207: the answer is that of the issuer that was asked.
  const named = query.get('iss');
  if (named !== null && named !== issuer.url) throw new Problem('refused', texts.signIn.notBegun);
  const { token_endpoint } = await discover(issuer);
  const body = new URLSearchParams({
    grant_type: 'authorization_code',
    code,
    redirect_uri: location.origin + RETURN_PATH,
    client_id: issuer.clientId,
    code_verifier: started.verifier,
  });
  const answer = (await json(issuer, token_endpoint, { method: 'POST', body })) as { access_token?: unknown };
  if (typeof answer.access_token !== 'string') throw new Problem('refused', texts.signIn.noToken(issuer.name));
  return { token: answer.access_token, returnTo: started.returnTo };
}

async function discover(issuer: Issuer): Promise<Discovery> {
  const url = `${issuer.url.replace(/\/+$/, '')}/.well-known/openid-configuration`;
  const found = (await json(issuer, url)) as Discovery;
  if (found.issuer !== issuer.url) throw new Problem('refused', texts.signIn.otherIssuer(issuer.name));
  return found;
}

async function json(issuer: Issuer, url: string, request: RequestInit = {}): Promise<unknown> {
  const signal = AbortSignal.timeout(TIME_LIMIT_MS);
  let response: Response;
  try {
    response = await fetch(url, { ...request, signal, redirect: 'error', referrerPolicy: 'no-referrer' });
  } catch {
    throw new Problem('network', texts.signIn.away(issuer.name));
  }
  if (!response.ok) throw new Problem('refused', texts.signIn.answers(issuer.name, response.status));
  return response.json();
}

/** 256 bits, as a text of 43 characters. */
function random(): string {
  return base64url(crypto.getRandomValues(new Uint8Array(32)));
}

function base64url(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes)).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}
