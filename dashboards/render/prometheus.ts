import type { Series } from './fields';

// fill puts values in for the variables: the job whose dashboard it is, all else,
// and the rates that suit a scrape a second.
const job = new URLSearchParams(location.search).get('board') === 'keeper' ? 'keeper' : 'pushd';
const fill = (expr: string) =>
  expr.replaceAll('$__rate_interval', '10s').replaceAll('$__interval', '2s').replaceAll('$job', job).replace(/\$\w+/g, '.*');

const called = (legend: string, metric: Record<string, string>) =>
  legend ? legend.replace(/{{\s*(\w+)\s*}}/g, (_, label) => metric[label] ?? '') : Object.values(metric).join(' ') || 'value';

async function get(path: string, q: Record<string, string>) {
  const r = await fetch('/prom/api/v1/' + path + '?' + new URLSearchParams(q));
  const a = await r.json();
  if (a.status !== 'success') throw new Error(q.query + ': ' + a.error);
  return a.data.result as any[];
}

export async function range(target: any, from: number, to: number, step: number): Promise<Series[]> {
  const all = await get('query_range', { query: fill(target.expr), start: String(from), end: String(to), step: String(step) });
  return all.map((s) => ({ name: called(target.legendFormat, s.metric), metric: s.metric, values: s.values }));
}

export async function instant(target: any, at: number) {
  const all = await get('query', { query: fill(target.expr), time: String(at) });
  return all.map((s) => ({ metric: s.metric as Record<string, string>, value: Number(s.value[1]) }));
}
