/** Where the page finds itself: what the server offers, who the caller is, and what it may do. */
import type { Issuer } from './oidc';
import { storedToken } from './token';

/** `GET /console.json`. */
export interface Configuration {
  version: string;
  authentication: 'none' | 'required';
  /** Where people sign in. */
  issuers: Issuer[];
  /** Whether this server takes commands. */
  commands: boolean;
  /** Whether the reference services are at `/participants`: in `tenuto dev`. */
  referenceServices: boolean;
}

/** `GET /me`. */
export interface Me {
  /** Missing: callers are not authenticated. */
  principal?: string;
  roles: string[];
  operations: string[];
}

class Session {
  token = $state<string | undefined>(storedToken.get());
  configuration = $state.raw<Configuration | undefined>(undefined);
  me = $state.raw<Me | undefined>(undefined);
  /** The server refused the credentials, or wants some. */
  needsSignIn = $state(false);
  wasRefused = $state(false);
  /** Why the last sign-in with an issuer failed. */
  failure = $state<string | undefined>(undefined);

  /** Whether the caller may do this, of the operations of `GET /me`. */
  may(operation: string): boolean {
    return this.me?.operations.includes(operation) ?? false;
  }

  /** Whether the caller may do this command here. */
  mayCommand(operation: string): boolean {
    return (this.configuration?.commands ?? false) && this.may(operation);
  }

  signIn(token: string) {
    storedToken.set(token);
    this.token = token;
    this.failure = undefined;
    this.wasRefused = false;
    this.needsSignIn = false;
  }

  signOut() {
    storedToken.remove();
    this.token = undefined;
    this.me = undefined;
    this.needsSignIn = this.configuration?.authentication === 'required';
  }

  /** The server did not accept the credentials. */
  refused() {
    this.wasRefused = this.token !== undefined;
    storedToken.remove();
    this.token = undefined;
    this.needsSignIn = true;
  }
}

export const session = new Session();
