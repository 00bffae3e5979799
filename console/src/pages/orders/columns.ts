import type { Sort } from './queries';

/** The columns of the list, in their order. */
export const COLUMNS = ['state', 'status', 'customer', 'total', 'placedAt', 'updatedAt', 'endedAt', 'workflow', 'lines', 'steps', 'placedBy', 'stuckReason'] as const;
export type Column = (typeof COLUMNS)[number];

const USUAL: Column[] = ['state', 'status', 'customer', 'total', 'placedAt', 'updatedAt', 'workflow'];

/** The sort of a column: ascending and descending. */
export const SORTS: Partial<Record<Column, [Sort, Sort]>> = {
  total: ['TOTAL_ASC', 'TOTAL_DESC'],
  placedAt: ['PLACED_AT_ASC', 'PLACED_AT_DESC'],
  updatedAt: ['UPDATED_AT_ASC', 'UPDATED_AT_DESC'],
  endedAt: ['ENDED_AT_ASC', 'ENDED_AT_DESC'],
};

export const USUAL_SORT: Sort = 'PLACED_AT_DESC';

export function columnsIn(query: URLSearchParams): Column[] {
  const names = query.get('columns')?.split(',');
  return names ? COLUMNS.filter((column) => names.includes(column)) : USUAL;
}

/** The value for the address; `undefined`: the usual columns. */
export function columnsText(columns: Column[]): string | undefined {
  const text = COLUMNS.filter((column) => columns.includes(column)).join(',');
  return text === USUAL.join(',') ? undefined : text || 'id';
}

export function sortIn(query: URLSearchParams): Sort {
  const text = query.get('sort');
  return Object.values(SORTS).flat().find((sort) => sort === text) ?? USUAL_SORT;
}
