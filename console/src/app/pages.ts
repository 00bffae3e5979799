/** The pages, one a line: where each is, what it is called, and what it needs to be offered. */
import type { Component } from 'svelte';
import { texts } from '../texts';
import Approvals from '../pages/approvals/Page.svelte';
import Audit from '../pages/audit/Page.svelte';
import Order from '../pages/order/Page.svelte';
import Orders from '../pages/orders/Page.svelte';
import Overview from '../pages/overview/Page.svelte';
import Participants from '../pages/participants/Page.svelte';
import Stuck from '../pages/stuck/Page.svelte';
import Workflow from '../pages/workflow/Page.svelte';
import Workflows from '../pages/workflows/Page.svelte';
import { session } from './session.svelte';

export interface Page {
  /** The path; `{name}` stands for one segment. */
  path: string;
  title: string;
  component: Component<{ parameters: Record<string, string> }> | Component;
  /** The key that goes there after `g`; without one, the navigation does not list the page. */
  key?: string;
  /** The operation that a caller must have to be offered the page. */
  operation?: string;
}

export const pages: Page[] = [
  { path: '/', title: texts.overview.title, component: Overview, key: 'h', operation: 'countOrders' },
  { path: '/ui/orders', title: texts.orders.title, component: Orders, key: 'o', operation: 'readOrders' },
  { path: '/ui/orders/{id}', title: texts.order.title, component: Order },
  { path: '/ui/stuck', title: texts.stuck.title, component: Stuck, key: 's', operation: 'readOrders' },
  { path: '/ui/approvals', title: texts.approvals.title, component: Approvals, key: 'a', operation: 'readOrders' },
  { path: '/ui/workflows', title: texts.workflows.title, component: Workflows, key: 'w', operation: 'readWorkflows' },
  { path: '/ui/workflows/{name}', title: texts.workflow.title, component: Workflow },
  { path: '/ui/participants', title: texts.participants.title, component: Participants, key: 'p', operation: 'countOrders' },
  { path: '/ui/audit', title: texts.audit.title, component: Audit, key: 'u', operation: 'audit' },
];

/** The pages that the navigation lists for this caller. */
export const offeredPages = (): Page[] => pages.filter((page) => page.key && (!page.operation || !session.me || session.may(page.operation)));

/** The page at a path, with the values of its parameters. */
export function pageAt(path: string): { page: Page; parameters: Record<string, string> } | undefined {
  for (const page of pages) {
    const parameters = match(page.path, path);
    if (parameters) return { page, parameters };
  }
  return undefined;
}

function match(pattern: string, path: string): Record<string, string> | undefined {
  const wanted = pattern.split('/');
  const given = (path.length > 1 ? path.replace(/\/$/, '') : path).split('/');
  if (wanted.length !== given.length) return undefined;
  const parameters: Record<string, string> = {};
  for (const [index, part] of wanted.entries()) {
    const value = given[index] ?? '';
    if (part.startsWith('{')) parameters[part.slice(1, -1)] = decoded(value);
    else if (part !== value) return undefined;
  }
  return parameters;
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}
