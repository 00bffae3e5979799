/** GraphiQL, for a browser that opens `/graphql`. No page of the console loads it. */
import { GraphiQL } from 'graphiql';
import { buildSchema } from 'graphql';
import { createElement } from 'react';
import { createRoot } from 'react-dom/client';
import type { Configuration } from '../app/session.svelte';
import { storedToken } from '../app/token';
import { texts } from './texts';
import { examples } from './examples';
import { fetcher } from './fetcher';
import 'graphiql/style.css';
import './page.css';

/** The text at a public address of this server. */
async function textAt(path: string): Promise<string> {
  const response = await fetch(path, { redirect: 'error' });
  if (!response.ok) throw new Error(texts.away(path, response.status));
  return response.text();
}

/** Where callers are authenticated and this tab has no token: what to do. */
function hint(configuration: Configuration) {
  if (configuration.authentication === 'none' || storedToken.get() !== undefined) return undefined;
  const link = createElement('a', { href: '/' }, texts.signIn);
  return createElement(GraphiQL.Footer, null, createElement('p', { className: 'hint' }, link, ` ${texts.orHeader}`));
}

async function show(target: HTMLElement) {
  const [schema, configuration] = await Promise.all([textAt('/schema.graphql'), textAt('/console.json')]);
  // What is kept may hold credentials, so it ends with the tab.
  const options = { fetcher, schema: buildSchema(schema), storage: sessionStorage, defaultTabs: examples, showPersistHeadersSettings: false };
  const home = createElement(GraphiQL.Logo, null, createElement('a', { href: '/' }, texts.product));
  createRoot(target).render(createElement(GraphiQL, options, home, hint(JSON.parse(configuration) as Configuration)));
}

const target = document.getElementById('graphiql');
if (target) show(target).catch((error: unknown) => (target.textContent = texts.failed(String(error))));
