// Shows one dashboard with Grafana's own components. ?board=NAME&from=&to=
import React from 'react';
import { createRoot } from 'react-dom/client';
import { initPluginTranslations } from '@grafana/i18n';
import { FieldType, getDisplayProcessor, ThemeContext, toDataFrame, type DataFrame } from '@grafana/data';
import { BigValue, BigValueColorMode, BigValueGraphMode, BigValueTextMode, GlobalStyles, PanelChrome, Table, TimeSeries } from '@grafana/ui';
import { configured, frames, theme, timeRange, type Series } from './fields';
import { Heat } from './heat';
import { instant, range } from './prometheus';

const params = new URLSearchParams(location.search);
const from = Number(params.get('from')), to = Number(params.get('to')), step = 2;
const width = 1400, column = width / 24, gap = 8, row = 38; // as Grafana lays panels out

interface Asked { panel: any; series: Series[]; table?: DataFrame }

async function ask(panel: any): Promise<Asked> {
  if (panel.type === 'table') return { panel, series: [], table: await join(panel) };
  const all = await Promise.all((panel.targets ?? []).map((t: any) => range(t, from, to, step)));
  return { panel, series: all.flat() };
}

// join does what the transformations merge and organize do.
async function join(panel: any): Promise<DataFrame> {
  const names = panel.transformations[1].options.renameByName;
  const columns = await Promise.all(panel.targets.map((t: any) => instant(t, to)));
  const nodes = [...new Set(columns.flat().map((s: any) => s.metric.instance))].sort();
  return toDataFrame({
    fields: [
      { name: names.instance, type: FieldType.string, values: nodes, config: {} },
      ...columns.map((c: any[], i: number) => ({
        name: names['Value #' + panel.targets[i].refId], type: FieldType.number, config: {},
        values: nodes.map((n) => c.find((s) => s.metric.instance === n)?.value ?? null),
      })),
    ],
  });
}

function Body({ asked, w, h, marks }: { asked: Asked; w: number; h: number; marks: number[] }) {
  const { panel, series, table } = asked;
  if (panel.type === 'table') return <Table data={configured([table!], panel.fieldConfig)[0]} width={w} height={h} />;
  if (panel.type === 'heatmap') return <Heat series={series} from={from} to={to} unit={panel.options.yAxis.unit} width={w} height={h} />;
  if (series.length === 0) return <div style={{ padding: 20 }}>No data</div>;
  const data = configured(frames(series, from, to, step), panel.fieldConfig);
  if (panel.type === 'stat') return <Figure frame={data[0]} w={w} h={h} />;
  return (
    <TimeSeries frames={data} timeRange={timeRange(from, to)} timeZone="utc" width={w} height={h} legend={panel.options.legend} options={{}}>
      {(builder) => {
        builder.addHook('draw', (u) => {
          u.ctx.strokeStyle = 'rgb(184, 119, 217)';
          for (const t of marks) {
            const x = u.valToPos(t * 1000, 'x', true);
            u.ctx.beginPath();
            u.ctx.moveTo(x, u.bbox.top);
            u.ctx.lineTo(x, u.bbox.top + u.bbox.height);
            u.ctx.stroke();
          }
        });
        return null;
      }}
    </TimeSeries>
  );
}

function Figure({ frame, w, h }: { frame: DataFrame; w: number; h: number }) {
  const field = frame.fields[1];
  const values = field.values.filter((v) => v != null);
  const display = field.display ?? getDisplayProcessor({ field, theme });
  return (
    <BigValue theme={theme} width={w} height={h} value={{ ...display(values.at(-1)), title: '' }} textMode={BigValueTextMode.Value}
      colorMode={BigValueColorMode.Value} graphMode={BigValueGraphMode.Area} sparkline={{ x: frame.fields[0], y: field }} />
  );
}

function Board({ board, all, marks }: { board: any; all: Asked[]; marks: number[] }) {
  const height = Math.max(...board.panels.map((p: any) => (p.gridPos.y + p.gridPos.h) * row)) + 60;
  return (
    <div id="board" style={{ position: 'relative', width: width + 2 * gap, height, background: theme.colors.background.canvas }}>
      <div style={{ padding: '14px 16px', fontSize: 18, color: theme.colors.text.primary }}>{board.title.replace('/', '›')}</div>
      {all.map((asked) => {
        const g = asked.panel.gridPos;
        const place = { position: 'absolute' as const, left: g.x * column + gap, top: 52 + g.y * row };
        const w = g.w * column - gap, h = g.h * row - gap;
        if (asked.panel.type === 'row') return <div key={asked.panel.id} style={{ ...place, fontSize: 16, fontWeight: 500, paddingTop: 6, color: theme.colors.text.primary }}>⌄ {asked.panel.title}</div>;
        return (
          <div key={asked.panel.id} style={place}>
            <PanelChrome title={asked.panel.title} width={w} height={h}>
              {(iw: number, ih: number) => <Body asked={asked} w={iw} h={ih} marks={marks} />}
            </PanelChrome>
          </div>
        );
      })}
    </div>
  );
}

// changed are the times at which an annotation begins.
async function changed(board: any): Promise<number[]> {
  const times: number[] = [];
  for (const a of board.annotations.list) {
    for (const s of await range({ expr: a.expr.replace('[1m]', '[4s]'), legendFormat: '' }, from, to, step)) {
      let last = 0;
      for (const [t] of s.values) {
        if (t - last > 2 * step) times.push(t);
        last = t;
      }
    }
  }
  return times;
}

async function main() {
  await initPluginTranslations('pushfleet', []);
  const board = await (await fetch('/board/' + params.get('board') + '.json')).json();
  const all = await Promise.all(board.panels.map(ask));
  const marks = await changed(board);
  createRoot(document.getElementById('root')!).render(
    <ThemeContext.Provider value={theme}><GlobalStyles /><Board board={board} all={all as Asked[]} marks={marks} /></ThemeContext.Provider>
  );
}

main().catch((e) => { document.title = 'failed: ' + e; console.error(e); });
