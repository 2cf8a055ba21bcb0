// The settings of fields that Grafana registers when it starts: without them
// units, colours and thresholds are ignored.
import {
  createTheme, FieldConfigOptionsRegistry, FieldType, getDefaultTimeRange, dateTime, standardFieldConfigEditorRegistry,
  applyFieldOverrides, toDataFrame, type DataFrame, type FieldConfigSource, type TimeRange,
} from '@grafana/data';

export const theme = createTheme({ colors: { mode: 'dark' } });

const standard = ['unit', 'min', 'max', 'decimals', 'displayName', 'noValue', 'thresholds', 'mappings', 'color', 'links'];
const custom = ['drawStyle', 'lineWidth', 'fillOpacity', 'showPoints', 'lineInterpolation', 'stacking', 'axisPlacement', 'scaleDistribution',
  'spanNulls', 'gradientMode', 'pointSize', 'hideFrom', 'lineStyle', 'axisLabel', 'axisSoftMax', 'align', 'minWidth', 'filterable', 'cellOptions'];

const item = (id: string, path: string, isCustom: boolean): any => ({
  id, path, isCustom, name: id, description: '', editor: () => null, override: () => null,
  process: (v: any) => v, shouldApply: () => true, settings: {},
});

standardFieldConfigEditorRegistry.setInit(() => standard.map((id) => item(id, id, false)));
const registry = new FieldConfigOptionsRegistry(() => [
  ...standard.map((id) => item(id, id, false)), ...custom.map((id) => item('custom.' + id, id, true)),
]);

export function timeRange(from: number, to: number): TimeRange {
  const range = { from: dateTime(from * 1000), to: dateTime(to * 1000) };
  return { ...getDefaultTimeRange(), ...range, raw: range };
}

export interface Series { name: string; metric: Record<string, string>; values: Array<[number, string]> }

// numbers reads the database's way to write them.
const number = (text: string) => (text === 'NaN' ? null : text === '+Inf' ? Infinity : Number(text));

// frames are series on one axis of time; where there is no sample is a gap.
export function frames(all: Series[], from: number, to: number, step: number): DataFrame[] {
  const times: number[] = [];
  for (let t = from; t <= to; t += step) times.push(t);
  return all.map((s) => {
    const by = new Map(s.values.map(([t, v]) => [Math.round((t - from) / step), number(v)]));
    return toDataFrame({
      fields: [
        { name: 'Time', type: FieldType.time, values: times.map((t) => t * 1000), config: { interval: step * 1000 } },
        { name: s.name, type: FieldType.number, values: times.map((_, i) => by.get(i) ?? null), config: { displayNameFromDS: s.name } },
      ],
    });
  });
}

export function configured(data: DataFrame[], fieldConfig: FieldConfigSource): DataFrame[] {
  return applyFieldOverrides({
    data, fieldConfig: fieldConfig ?? { defaults: {}, overrides: [] }, replaceVariables: (v: string) => v, theme,
    fieldConfigRegistry: registry as any, timeZone: 'utc',
  });
}
