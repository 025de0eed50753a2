// Course: how a class experiences the service. What needs grades comes with grading.
import * as dashboard from "@grafana/grafana-foundation-sdk/dashboard";

import { bars, graph, instanceVariable, number, quantiles, queueVariable, row, trainyardDashboard } from "./panels";

const server = 'instance=~"$instance"';
const queue = `${server}, queue=~"$queue"`;
const ended = ["finished", "failed", "cancelled"];

export function course(): dashboard.DashboardBuilder {
  return trainyardDashboard({
    uid: "trainyard-course",
    title: "Trainyard: course",
    description: "How long students wait, how much they submit, and how it ends. Nothing here names a person.",
    from: "now-24h",
    variables: [instanceVariable, queueVariable],
  })
    .withRow(row("Waiting"))
    .withPanel(number("Pending now", "short", { expr: `sum(trainyard_jobs{${queue}, state="pending"})` }, { span: 4 }))
    .withPanel(
      number(
        "Median wait, 1 h",
        "s",
        {
          expr: `histogram_quantile(0.5, sum by (le) (increase(trainyard_job_queue_wait_seconds_bucket{${queue}}[1h])))`,
        },
        { steps: ["green", ["orange", 300], ["red", 1800]], span: 4, none: "no job started" },
      ),
    )
    .withPanel(
      number(
        "Started within a minute, 1 h",
        "percentunit",
        {
          expr: `sum(increase(trainyard_job_queue_wait_seconds_bucket{${queue}, le="60"}[1h])) / (sum(increase(trainyard_job_queue_wait_seconds_count{${queue}}[1h])) > 0)`,
        },
        { steps: ["red", ["orange", 0.5], ["green", 0.9]], span: 4, none: "no job started" },
      ),
    )
    .withPanel(
      graph(
        "Wait, p95 by priority",
        "s",
        [
          {
            expr: `instance_queue:trainyard_job_queue_wait_seconds:p95_5m{${queue}}`,
            legend: "{{queue}}",
          },
        ],
        { span: 12, steps: ["transparent", ["orange", 300], ["red", 1800]] },
      ),
    )
    .withPanel(
      graph("Wait by priority, now", "s", quantiles("trainyard_job_queue_wait_seconds", queue, [0.5, 0.95], "queue"), { span: 12 }),
    )
    .withPanel(
      graph(
        "Pending by priority",
        "short",
        [
          {
            expr: `sum by (queue) (trainyard_jobs{${queue}, state="pending"})`,
            legend: "{{queue}}",
          },
        ],
        { stack: true, span: 12 },
      ),
    )
    .withRow(row("Submissions"))
    .withPanel(
      graph(
        "Submitted, by priority",
        "ops",
        [
          {
            expr: `sum by (queue) (rate(trainyard_jobs_submitted_total{${queue}}[$__rate_interval]))`,
            legend: "{{queue}}",
          },
        ],
        { stack: true, span: 12 },
      ),
    )
    .withPanel(
      graph(
        "Ended",
        "ops",
        ended.map((how) => ({
          expr: `sum(rate(trainyard_jobs_${how}_total{${queue}}[$__rate_interval]))`,
          legend: how,
        })),
        { stack: true, span: 12 },
      ),
    )
    .withPanel(
      bars("Submitted in the time shown", "short", {
        expr: `sum by (queue) (increase(trainyard_jobs_submitted_total{${queue}}[$__range]))`,
        legend: "{{queue}}",
      }),
    )
    .withPanel(
      bars(
        "What goes wrong",
        "short",
        {
          expr: `sum by (reason) (increase(trainyard_jobs_failed_total{${queue}}[$__range])) > 0`,
          legend: "{{reason}}",
        },
        {
          description: "Failed jobs in the time shown. NON_FINITE_LOSS in numbers: teach learning rates.",
        },
      ),
    )
    .withPanel(
      bars("Refused, by reason", "short", {
        expr: `sum by (reason) (increase(trainyard_jobs_rejected_total{${server}}[$__range])) > 0`,
        legend: "{{reason}}",
      }),
    )
    .withPanel(
      graph("People who watch", "short", [{ expr: `sum(trainyard_watch_streams{${server}})`, legend: "open watches" }], { span: 12 }),
    )
    .withPanel(
      graph(
        "Rows of uploads dropped",
        "rowsps",
        [
          {
            expr: `sum by (reason) (rate(trainyard_dataset_rejected_rows_total{${server}}[$__rate_interval]))`,
            legend: "{{reason}}",
          },
        ],
        { span: 12 },
      ),
    );
}
