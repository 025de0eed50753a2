// Course: how a class experiences the service, and whether its grading can be relied on.
import * as dashboard from "@grafana/grafana-foundation-sdk/dashboard";

import {
  assignmentVariable,
  bars,
  graph,
  heat,
  instanceVariable,
  number,
  quantiles,
  queueVariable,
  row,
  trainyardDashboard,
} from "./panels";

const server = 'instance=~"$instance"';
const queue = `${server}, queue=~"$queue"`;
const assignment = `${server}, assignment=~"$assignment"`;
const ended = ["finished", "failed", "cancelled"];
const rate = (metric: string, filter = server) => `rate(${metric}{${filter}}[$__rate_interval])`;

function grading(board: dashboard.DashboardBuilder): void {
  board
    .withRow(row("Grading"))
    .withPanel(number("Being graded", "short", { expr: `sum(trainyard_submissions{${server}})` }, { span: 6 }))
    .withPanel(
      number(
        "Oldest of them",
        "s",
        { expr: `max(instance:trainyard_submission_oldest_active:age_seconds{${server}})` },
        { steps: ["green", ["orange", 3600], ["red", 14400]], span: 6, decimals: 0 },
      ),
    )
    .withPanel(
      number(
        "Median time to grade, 1 h",
        "s",
        {
          expr: `histogram_quantile(0.5, sum by (le) (increase(trainyard_submission_grade_seconds_bucket{${server}}[1h])))`,
        },
        { steps: ["green", ["orange", 600], ["red", 3600]], span: 6, none: "none graded" },
      ),
    )
    .withPanel(
      number(
        "Not gradable by our fault, 24 h",
        "short",
        { expr: `sum(increase(trainyard_submissions_finished_total{${assignment}, outcome="infra_error"}[24h]))` },
        { steps: ["green", ["red", 0.5]], span: 6, decimals: 0, description: "Their attempts are given back." },
      ),
    )
    .withPanel(
      graph(
        "Submissions by outcome",
        "ops",
        [{ expr: `sum by (outcome) (${rate("trainyard_submissions_finished_total", assignment)})`, legend: "{{outcome}}" }],
        {
          stack: true,
          description: "done: has points. ungradable: its spec cannot be trained. infra_error: the service failed. cancelled: taken back.",
        },
      ),
    )
    .withPanel(
      graph(
        "Submissions accepted",
        "ops",
        [
          { expr: `sum(${rate("trainyard_submissions_accepted_total", `${assignment}, cached="false"`)})`, legend: "to be trained" },
          { expr: `sum(${rate("trainyard_submissions_accepted_total", `${assignment}, cached="true"`)})`, legend: "graded before" },
        ],
        { stack: true, description: "The same spec has the same points: it is not trained again, and costs no attempt." },
      ),
    )
    .withPanel(
      bars("Accepted in the time shown, by assignment", "short", {
        expr: `sum by (assignment) (increase(trainyard_submissions_accepted_total{${assignment}}[$__range]))`,
        legend: "{{assignment}}",
      }),
    )
    .withPanel(
      graph("Submissions by state", "short", [{ expr: `sum by (state) (trainyard_submissions{${server}})`, legend: "{{state}}" }], {
        stack: true,
      }),
    )
    .withPanel(
      graph("Wait of submissions", "s", quantiles("trainyard_submission_queue_wait_seconds", server, [0.5, 0.99]), {
        description: "From acceptance until the first training begins. It never counts as lateness.",
      }),
    )
    .withPanel(
      graph("Time to grade", "s", quantiles("trainyard_submission_grade_seconds", server, [0.5, 0.99]), {
        description: "From acceptance to the end.",
      }),
    )
    .withPanel(
      heat("Points that students were told", "percentunit", "trainyard_submission_points_ratio", assignment, {
        description: "Shares of the maximum. Points that wait for the close of an assignment are not here before it.",
      }),
    )
    .withPanel(
      bars("Submissions refused, by reason", "short", {
        expr: `sum by (reason) (increase(trainyard_submissions_rejected_total{${server}}[$__range])) > 0`,
        legend: "{{reason}}",
      }),
    )
    .withPanel(
      graph(
        "Attempts given back",
        "ops",
        [{ expr: `sum by (outcome) (${rate("trainyard_attempts_refunded_total")})`, legend: "{{outcome}}" }],
        { stack: true },
      ),
    );
}

function integrity(board: dashboard.DashboardBuilder): void {
  board
    .withRow(row("Integrity"))
    .withPanel(
      number(
        "Replays that differed, 24 h",
        "short",
        { expr: `sum(increase(trainyard_grading_replays_total{${server}, result="different"}[24h]))` },
        { steps: ["green", ["red", 0.5]], span: 8, decimals: 0, description: "Trained again, a submission must give the same bits." },
      ),
    )
    .withPanel(
      number(
        "Points waiting to be sent for",
        "s",
        { expr: `max(instance:trainyard_delivery_oldest_waiting:age_seconds{${server}})` },
        { steps: ["green", ["orange", 300], ["red", 900]], span: 8, decimals: 0 },
      ),
    )
    .withPanel(
      number(
        "Deliveries given up",
        "short",
        { expr: `sum(trainyard_deliveries_given_up{${server}})` },
        { steps: ["green", ["red", 1]], span: 8, description: "They are not tried again until somebody asks for it." },
      ),
    )
    .withPanel(
      bars(
        "Leak limits used",
        "percentunit",
        {
          expr: `max by (assignment, limit) (trainyard_leak_limit_used_ratio{${assignment}})`,
          legend: "{{assignment}}, {{limit}}",
        },
        {
          max: 1,
          description: "How much of what may be learned of the evaluation data was: by the student who learned most, and by the class.",
        },
      ),
    )
    .withPanel(
      graph("Replays", "ops", [{ expr: `sum by (result) (${rate("trainyard_grading_replays_total")})`, legend: "{{result}}" }], {
        stack: true,
      }),
    )
    .withPanel(
      graph("Trainings begun again", "ops", [{ expr: `sum(${rate("trainyard_submission_infra_retries_total")})`, legend: "retries" }], {
        description: "After a fault of the service; they cost no attempt.",
      }),
    )
    .withPanel(
      graph(
        "Age of the oldest delivery that waits",
        "s",
        [{ expr: `instance:trainyard_delivery_oldest_waiting:age_seconds{${server}}`, legend: "{{instance}}" }],
        { steps: ["transparent", ["red", 900]] },
      ),
    )
    .withPanel(
      graph("Deliveries that wait", "short", [
        { expr: `sum by (instance) (trainyard_deliveries_waiting{${server}})`, legend: "{{instance}}" },
      ]),
    )
    .withPanel(
      graph("Attempts to deliver", "ops", [
        { expr: `sum by (kind, outcome) (${rate("trainyard_delivery_attempts_total")})`, legend: "{{kind}} {{outcome}}" },
      ]),
    )
    .withPanel(graph("Time to deliver", "s", quantiles("trainyard_delivery_seconds", server, [0.5, 0.99], "kind")));
}

function waiting(board: dashboard.DashboardBuilder): void {
  board
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
    );
}

function jobs(board: dashboard.DashboardBuilder): void {
  board
    .withRow(row("Jobs"))
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

export function course(): dashboard.DashboardBuilder {
  const board = trainyardDashboard({
    uid: "trainyard-course",
    title: "Trainyard: course",
    description: "How long students wait, how much they submit, how it ends, and what leaves the server. Nothing here names a person.",
    from: "now-24h",
    variables: [instanceVariable, assignmentVariable, queueVariable],
  });
  for (const part of [grading, integrity, waiting, jobs]) part(board);
  return board;
}
