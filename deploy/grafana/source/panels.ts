// What our panels and dashboards have in common, over Grafana's own typed builders. A misspelt
// option does not compile, and the JSON has the shape that Grafana's schema says.
import * as bargauge from "@grafana/grafana-foundation-sdk/bargauge";
import { Builder } from "@grafana/grafana-foundation-sdk/cog";
import * as common from "@grafana/grafana-foundation-sdk/common";
import * as dashboard from "@grafana/grafana-foundation-sdk/dashboard";
import * as heatmap from "@grafana/grafana-foundation-sdk/heatmap";
import * as prometheus from "@grafana/grafana-foundation-sdk/prometheus";
import * as stat from "@grafana/grafana-foundation-sdk/stat";
import * as timeseries from "@grafana/grafana-foundation-sdk/timeseries";

export const datasource: dashboard.DataSourceRef = {
  type: "prometheus",
  uid: "${datasource}",
};

// Units as Grafana calls them.
export type Unit = "none" | "short" | "s" | "dateTimeAsIso" | "bytes" | "Bps" | "percentunit" | "ops" | "reqps" | "rowsps" | "cps";

// One expression, and what its series are called: "{{queue}}" takes a label.
export interface Query {
  expr: string;
  legend?: string;
}

// Colours from a value on; the first one is that of everything below.
export type Steps = [string, ...[string, number][]];

// A, B, C, …
export function refId(index: number): string {
  return String.fromCharCode("A".charCodeAt(0) + index);
}

function target(query: Query, index: number): prometheus.DataqueryBuilder {
  return new prometheus.DataqueryBuilder()
    .refId(refId(index))
    .datasource(datasource)
    .expr(query.expr)
    .legendFormat(query.legend ?? "__auto");
}

export function instantTarget(query: Query, index: number): prometheus.DataqueryBuilder {
  return target(query, index).instant().format(prometheus.PromQueryFormat.Table);
}

export function thresholds([below, ...steps]: Steps): dashboard.ThresholdsConfigBuilder {
  return new dashboard.ThresholdsConfigBuilder()
    .mode(dashboard.ThresholdsMode.Absolute)
    .steps([{ value: null, color: below }, ...steps.map(([color, value]) => ({ value, color }))]);
}

interface GraphOptions {
  description?: string;
  stack?: boolean;
  // Drawn as lines, where people should begin to worry.
  steps?: Steps;
  logScale?: boolean;
  max?: number;
  span?: number;
  height?: number;
  // Shortest time between two points; default: the data source's, which is the service's scrape
  // interval.
  interval?: string;
}

// A graph over time, from 0 unless its scale is logarithmic.
export function graph(title: string, unit: Unit, queries: Query[], options: GraphOptions = {}): timeseries.PanelBuilder {
  const panel = new timeseries.PanelBuilder()
    .title(title)
    .datasource(datasource)
    .unit(unit)
    .span(options.span ?? 8)
    .height(options.height ?? 8)
    .lineWidth(1)
    .fillOpacity(options.stack ? 40 : 5)
    .showPoints(common.VisibilityMode.Never)
    // NaN and missing samples are gaps: nothing is made up.
    .spanNulls(false)
    .legend(
      new common.VizLegendOptionsBuilder()
        .displayMode(common.LegendDisplayMode.List)
        .placement(common.LegendPlacement.Bottom)
        .showLegend(true),
    )
    .tooltip(new common.VizTooltipOptionsBuilder().mode(common.TooltipDisplayMode.Multi).sort(common.SortOrder.Descending))
    .targets(queries.map(target));
  if (options.description !== undefined) panel.description(options.description);
  if (options.max !== undefined) panel.max(options.max);
  if (options.interval !== undefined) panel.interval(options.interval);
  if (options.stack) panel.stacking(new common.StackingConfigBuilder().mode(common.StackingMode.Normal).group("A"));
  if (options.steps !== undefined) {
    panel
      .thresholds(thresholds(options.steps))
      .thresholdsStyle(new common.GraphThresholdsStyleConfigBuilder().mode(common.GraphThresholdsStyleMode.Dashed));
  }
  if (options.logScale)
    return panel.scaleDistribution(new common.ScaleDistributionConfigBuilder().type(common.ScaleDistribution.Log).log(10));
  return panel.min(0);
}

interface NumberOptions {
  steps?: Steps;
  description?: string;
  span?: number;
  decimals?: number;
  // Shown when there is no series.
  none?: string;
}

// The newest value, large.
export function number(title: string, unit: Unit, query: Query, options: NumberOptions = {}): stat.PanelBuilder {
  const panel = new stat.PanelBuilder()
    .title(title)
    .datasource(datasource)
    .unit(unit)
    .span(options.span ?? 3)
    .height(4)
    .colorMode(common.BigValueColorMode.Background)
    .graphMode(common.BigValueGraphMode.None)
    .reduceOptions(new common.ReduceDataOptionsBuilder().calcs(["lastNotNull"]))
    .thresholds(thresholds(options.steps ?? ["blue"]))
    .withTarget(target(query, 0));
  if (options.description !== undefined) panel.description(options.description);
  if (options.decimals !== undefined) panel.decimals(options.decimals);
  if (options.none !== undefined) panel.noValue(options.none);
  return panel;
}

// One bar per series, as of now.
export function bars(
  title: string,
  unit: Unit,
  query: Query,
  options: { description?: string; max?: number; span?: number } = {},
): bargauge.PanelBuilder {
  const panel = new bargauge.PanelBuilder()
    .title(title)
    .datasource(datasource)
    .unit(unit)
    .min(0)
    .span(options.span ?? 8)
    .height(8)
    .orientation(common.VizOrientation.Horizontal)
    .displayMode(common.BarGaugeDisplayMode.Gradient)
    .noValue("none")
    .reduceOptions(new common.ReduceDataOptionsBuilder().calcs(["lastNotNull"]))
    .withTarget(target(query, 0).instant());
  if (options.description !== undefined) panel.description(options.description);
  if (options.max !== undefined) panel.max(options.max);
  return panel;
}

// A histogram's buckets over time.
export function heat(
  title: string,
  unit: Unit,
  metric: string,
  filter: string,
  options: { description?: string; span?: number } = {},
): heatmap.PanelBuilder {
  const expr = `sum by (le) (increase(${metric}_bucket{${filter}}[$__rate_interval]))`;
  const panel = new heatmap.PanelBuilder()
    .title(title)
    .datasource(datasource)
    .span(options.span ?? 8)
    .height(8)
    .calculate(false)
    .yAxis(new heatmap.YAxisConfigBuilder().unit(unit))
    .color(new heatmap.HeatmapColorOptionsBuilder().mode(heatmap.HeatmapColorMode.Scheme).scheme("Oranges").steps(64))
    .withTarget(target({ expr, legend: "{{le}}" }, 0).format(prometheus.PromQueryFormat.Heatmap));
  if (options.description !== undefined) panel.description(options.description);
  return panel;
}

// Quantiles of a histogram, one query each; `by` keeps labels apart.
export function quantiles(metric: string, filter: string, qs: number[], by?: string): Query[] {
  const labels = by === undefined ? "le" : `le, ${by}`;
  return qs.map((q) => ({
    expr: `histogram_quantile(${q}, sum by (${labels}) (rate(${metric}_bucket{${filter}}[$__rate_interval])))`,
    legend: by === undefined ? `p${q * 100}` : `p${q * 100} {{${by}}}`,
  }));
}

export function row(title: string): dashboard.RowBuilder {
  return new dashboard.RowBuilder(title);
}

interface Variable {
  name: "instance" | "queue" | "job_id" | "assignment";
  label: string;
  // label_values(…) of Prometheus.
  values: string;
}

export const instanceVariable: Variable = {
  name: "instance",
  label: "Server",
  values: "label_values(trainyard_build_info, instance)",
};
export const queueVariable: Variable = {
  name: "queue",
  label: "Priority",
  values: 'label_values(trainyard_jobs{instance=~"$instance"}, queue)',
};
export const jobVariable: Variable = {
  name: "job_id",
  label: "Job",
  values: 'label_values(trainyard_job_info{instance=~"$instance"}, job_id)',
};
export const assignmentVariable: Variable = {
  name: "assignment",
  label: "Assignment",
  values: 'label_values(trainyard_submissions_accepted_total{instance=~"$instance"}, assignment)',
};

function variable({ name, label, values }: Variable): Builder<dashboard.VariableModel> {
  return new dashboard.QueryVariableBuilder(name)
    .label(label)
    .datasource(datasource)
    .query({ query: values, refId: name })
    .refresh(dashboard.VariableRefresh.OnTimeRangeChanged)
    .sort(dashboard.VariableSort.AlphabeticalAsc)
    .multi(true)
    .includeAll(true)
    .allValue(".*")
    .current({ selected: true, text: ["All"], value: ["$__all"] });
}

// The first minute of each process. Not changes(process_start_time_seconds): that misses a restart
// after a long outage, because no window has samples of both.
function restarts(): dashboard.AnnotationQueryBuilder {
  return new dashboard.AnnotationQueryBuilder()
    .name("Restarts")
    .datasource(datasource)
    .enable(true)
    .iconColor("red")
    .expr('time() - process_start_time_seconds{job="trainyard", instance=~"$instance"} < 60');
}

interface DashboardOptions {
  uid: string;
  title: string;
  description: string;
  from: string;
  variables: Variable[];
}

// An empty dashboard of ours: its variables, annotations, and links to the others.
export function trainyardDashboard(options: DashboardOptions): dashboard.DashboardBuilder {
  const builder = new dashboard.DashboardBuilder(options.title)
    .uid(options.uid)
    .description(options.description)
    .tags(["trainyard"])
    .timezone("browser")
    .tooltip(dashboard.DashboardCursorSync.Crosshair)
    .time({ from: options.from, to: "now" })
    .refresh("10s")
    .annotation(restarts())
    .link(
      new dashboard.DashboardLinkBuilder("Trainyard")
        .type(dashboard.DashboardLinkType.Dashboards)
        .tags(["trainyard"])
        .includeVars(true)
        .keepTime(true),
    )
    .withVariable(new dashboard.DatasourceVariableBuilder("datasource").label("Data source").type("prometheus"));
  for (const each of options.variables) builder.withVariable(variable(each));
  return builder;
}
