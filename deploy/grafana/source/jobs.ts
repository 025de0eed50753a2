// Jobs live: loss curves while they happen, for whoever trains.
import * as common from "@grafana/grafana-foundation-sdk/common";
import * as dashboard from "@grafana/grafana-foundation-sdk/dashboard";
import * as table from "@grafana/grafana-foundation-sdk/table";

import {
  bars,
  datasource,
  graph,
  instanceVariable,
  instantTarget,
  jobVariable,
  number,
  Query,
  refId,
  row,
  trainyardDashboard,
} from "./panels";

const uid = "trainyard-jobs";
const server = 'instance=~"$instance"';
const chosen = `${server}, job_id=~"$job_id"`;
// Ended jobs stay at /metrics/jobs for a while; this is of running ones only.
const age = `time() - trainyard_job_last_update_timestamp_seconds{${server}}`;

// As often as prometheus.yml scrapes /metrics/jobs.
const interval = "5s";

const losses: Query[] = [{ expr: `trainyard_job_loss{${chosen}}`, legend: "{{job_id}} {{split}}" }];

function curves(board: dashboard.DashboardBuilder): void {
  board
    .withRow(row("Curves of the chosen jobs"))
    .withPanel(
      graph("Loss", "none", losses, {
        span: 12,
        height: 11,
        interval,
        description:
          "A scrape every few seconds misses steps of short jobs: `trainyard job watch` and `trainyard job plot` have all of them.",
      }),
    )
    .withPanel(graph("Loss, logarithmic", "none", losses, { span: 12, height: 11, interval, logScale: true }))
    .withPanel(
      graph("Objective", "none", [{ expr: `trainyard_job_objective{${chosen}}`, legend: "{{job_id}}" }], {
        description: "The metric on validation rows that decides which model is kept.",
        interval,
      }),
    )
    .withPanel(graph("Learning rate", "none", [{ expr: `trainyard_job_learning_rate{${chosen}}`, legend: "{{job_id}}" }], { interval }))
    .withPanel(graph("Epochs", "short", [{ expr: `trainyard_job_epoch{${chosen}}`, legend: "{{job_id}}" }], { interval }))
    .withPanel(
      bars("Progress", "percentunit", { expr: `trainyard_job_progress_ratio{${chosen}}`, legend: "{{job_id}}" }, { max: 1, span: 12 }),
    )
    .withPanel(
      graph("Progress over time", "percentunit", [{ expr: `trainyard_job_progress_ratio{${chosen}}`, legend: "{{job_id}}" }], {
        max: 1,
        span: 12,
        interval,
      }),
    );
}

// Columns of the table: query, title, unit. The first one brings labels; its value, 1, is not
// shown.
const columns: [string, string, string][] = [
  [`trainyard_job_info{${server}}`, "", "none"],
  [`sum by (instance, job_id) (trainyard_job_progress_ratio{${server}})`, "Progress", "percentunit"],
  [`sum by (instance, job_id) (trainyard_job_epoch{${server}})`, "Epochs", "none"],
  [`sum by (instance, job_id) (trainyard_job_loss{${server}, split="train"})`, "Train loss", "none"],
  [`sum by (instance, job_id) (trainyard_job_loss{${server}, split="validation"})`, "Validation loss", "none"],
  [`sum by (instance, job_id) (trainyard_job_learning_rate{${server}})`, "Learning rate", "none"],
  [`sum by (instance, job_id) (${age})`, "Silent for", "s"],
];

function jobTable(): table.PanelBuilder {
  const shown = columns.slice(1);
  const renamed = Object.fromEntries(shown.map(([, title], index) => [`Value #${refId(index + 1)}`, title]));
  const panel = new table.PanelBuilder()
    .title("Live jobs")
    .description(
      "Running jobs, and those that ended a few minutes ago (without `Silent for`). A click on the job shows its curve. Owner and name are there with --metrics-job-level=full.",
    )
    .datasource(datasource)
    .span(24)
    .height(10)
    .targets(columns.map(([expr], index) => instantTarget({ expr }, index)))
    // One row for what has the same time, instance and job_id.
    .withTransformation({ id: "merge", options: {} })
    .withTransformation({
      id: "organize",
      options: {
        excludeByName: { Time: true, __name__: true, job: true, "Value #A": true },
        renameByName: renamed,
      },
    })
    .overrideByName("job_id", [
      {
        id: "links",
        value: [
          {
            title: "Show its curve",
            url: `/d/${uid}?var-job_id=\${__value.raw}&\${datasource:queryparam}&\${__url_time_range}`,
          },
        ],
      },
      { id: "displayName", value: "Job" },
    ])
    .overrideByName("Progress", [
      {
        id: "custom.cellOptions",
        value: { type: common.TableCellDisplayMode.Gauge, mode: common.BarGaugeDisplayMode.Basic },
      },
      { id: "min", value: 0 },
      { id: "max", value: 1 },
    ]);
  for (const [, title, unit] of shown) panel.overrideByName(title, [{ id: "unit", value: unit }]);
  return panel;
}

function overview(board: dashboard.DashboardBuilder): void {
  board
    .withRow(row("All live jobs"))
    .withPanel(
      number(
        "Shown",
        "short",
        { expr: `sum(trainyard_job_series{${server}})` },
        { description: "Running jobs and those that ended a few minutes ago." },
      ),
    )
    .withPanel(number("Running", "short", { expr: `sum(trainyard_jobs{${server}, state="running"})` }))
    .withPanel(
      number(
        "Silent for longest",
        "s",
        { expr: `max(${age})` },
        { steps: ["green", ["orange", 30], ["red", 120]], none: "no job runs", decimals: 0 },
      ),
    )
    .withPanel(jobTable())
    .withPanel(
      bars(
        "Slowest: least progress a minute",
        "percentunit",
        {
          expr: `bottomk(10, delta(trainyard_job_progress_ratio{${server}}[1m]) and on (instance, job_id) trainyard_job_last_update_timestamp_seconds)`,
          legend: "{{job_id}}",
        },
        { span: 12 },
      ),
    )
    .withPanel(
      bars(
        "Highest training loss",
        "none",
        { expr: `topk(10, trainyard_job_loss{${server}, split="train"})`, legend: "{{job_id}}" },
        { span: 12 },
      ),
    );
}

export function jobs(): dashboard.DashboardBuilder {
  const board = trainyardDashboard({
    uid,
    title: "Trainyard: jobs live",
    description: "What running jobs report, as it comes in.",
    from: "now-15m",
    variables: [instanceVariable, jobVariable],
  });
  curves(board);
  overview(board);
  return board;
}
