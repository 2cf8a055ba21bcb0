// A heat map of a histogram. Grafana does not publish its own on npm, so this
// one is drawn here; its colours are those of the scheme Oranges.
import React from 'react';
import { getValueFormat, formattedValueToString } from '@grafana/data';
import { theme, type Series } from './fields';

const oranges = ['#1f1f23', '#4d2608', '#7f2704', '#a63603', '#d94801', '#f16913', '#fd8d3c', '#fdae6b', '#fdd0a2', '#fff5eb'];

function colour(share: number) {
  const at = Math.pow(share, 0.5) * (oranges.length - 1);
  return oranges[Math.max(1, Math.round(at))];
}

export function Heat(p: { series: Series[]; from: number; to: number; unit: string; width: number; height: number }) {
  const left = 60, bottom = 22;
  const rows = p.series
    .map((s) => ({ le: s.metric.le === '+Inf' ? Infinity : Number(s.metric.le), by: new Map(s.values.map(([t, v]) => [t, Number(v)])) }))
    .sort((a, b) => a.le - b.le);
  const times = [...new Set(p.series.flatMap((s) => s.values.map(([t]) => t)))].sort((a, b) => a - b);
  // The buckets are cumulative; what is between two is in the upper one.
  const cells = times.map((t) => rows.map((r, i) => Math.max(0, (r.by.get(t) ?? 0) - (i ? rows[i - 1].by.get(t) ?? 0 : 0))));
  const used = rows.map((_, i) => i).filter((i) => cells.some((c) => c[i] > 1e-9));
  const low = Math.max(0, (used[0] ?? 0) - 1), high = Math.min(rows.length - 1, (used.at(-1) ?? 0) + 1);
  const shown = rows.slice(low, high + 1);
  const most = Math.max(1e-9, ...cells.flat());
  const w = (p.width - left) / Math.max(1, times.length), h = (p.height - bottom) / Math.max(1, shown.length);
  const format = getValueFormat(p.unit);
  const name = (le: number) => (le === Infinity ? 'more' : formattedValueToString(format(le)));
  const every = Math.ceil(shown.length / Math.max(1, Math.floor((p.height - bottom) / 18)));
  const text = { fill: theme.colors.text.primary, fontSize: 12, fontFamily: theme.typography.fontFamily };
  return (
    <svg width={p.width} height={p.height}>
      {times.map((t, x) => shown.map((r, y) => {
        const v = cells[x][low + y];
        return v > 1e-9 && <rect key={t + ' ' + y} x={left + x * w} y={(shown.length - 1 - y) * h} width={Math.max(1, w - 1)} height={Math.max(1, h - 1)} fill={colour(v / most)} />;
      }))}
      {shown.map((r, y) => y % every === 0 && <text key={y} {...text} x={left - 6} y={(shown.length - y) * h - h / 2 + 4} textAnchor="end">{name(r.le)}</text>)}
      {[0.1, 0.5, 0.9].map((at) => (
        <text key={at} {...text} x={left + at * (p.width - left)} y={p.height - 6} textAnchor="middle">
          {new Date((p.from + at * (p.to - p.from)) * 1000).toISOString().slice(11, 19)}
        </text>
      ))}
    </svg>
  );
}
