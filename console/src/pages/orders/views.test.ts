import { expect, test } from 'vitest';
import { addressOf, links, queryOf, renamed, saved, viewsIn } from './views';

test('a view is the filter without its page, and a name is used once', () => {
  const query = queryOf(new URLSearchParams('state=STUCK&after=xyz&columns=id'));
  const views = saved(saved([], ' Stuck ', query), 'Other', '');
  expect(views).toEqual([{ name: 'Stuck', query: 'state=STUCK&columns=id' }, { name: 'Other', query: '' }]);
  expect(saved(views, 'Stuck', 'state=PAUSED')[0]).toEqual({ name: 'Stuck', query: 'state=PAUSED' });
  expect(saved(views, '  ', 'sku=1')).toEqual(views);
  expect(renamed(views, 'Stuck', 'Held').map(({ name }) => name)).toEqual(['Held', 'Other']);
  expect(renamed(views, 'Stuck', 'Other')).toEqual(views);
});

test('views are links', () => {
  const views = [{ name: 'Stuck', query: 'state=STUCK' }, { name: 'All', query: '' }];
  expect(views.map(addressOf)).toEqual(['/ui/orders?state=STUCK', '/ui/orders']);
  expect(links(views, 'http://x')).toBe('Stuck: http://x/ui/orders?state=STUCK\nAll: http://x/ui/orders');
});

test('what is stored and is no view is left out', () => {
  expect(viewsIn(null)).toEqual([]);
  expect(viewsIn('{')).toEqual([]);
  expect(viewsIn('{"name":"a"}')).toEqual([]);
  expect(viewsIn('[null, 7, {"name":"","query":""}, {"name":"a","query":"b=1","more":2}]')).toEqual([{ name: 'a', query: 'b=1' }]);
});
