// Service: is it up, does the queue move, is the machine used, is the disk well. For operators.
import * as common from "@grafana/grafana-foundation-sdk/common";
import * as dashboard from "@grafana/grafana-foundation-sdk/dashboard";

import { bars, graph, heat, instanceVariable, number, quantiles, queueVariable, row, trainyardDashboard } from "./panels";

const server = 'instance=~"$instance"';
const queue = `${server}, queue=~"$queue"`;
const rate = (metric: string, filter = server) => `rate(${metric}{${filter}}[$__rate_interval])`;

function now(board: dashboard.DashboardBuilder): void {
  board
    .withRow(row("Now"))
    .withPanel(number("Up", "none", { expr: `min(up{job="trainyard", ${server}})` }, { steps: ["red", ["green", 1]], span: 2 }))
    .withPanel(
      number("Version", "none", { expr: `trainyard_build_info{${server}}`, legend: "{{version}}" }, { span: 2 }).textMode(
        common.BigValueTextMode.Name,
      ),
    )
    .withPanel(
      number("Uptime", "s", { expr: `time() - max(process_start_time_seconds{job="trainyard", ${server}})` }, { span: 2, decimals: 0 }),
    )
    .withPanel(number("Running", "short", { expr: `sum(trainyard_jobs{${queue}, state="running"})` }, { span: 2 }))
    .withPanel(number("Pending", "short", { expr: `sum(trainyard_jobs{${queue}, state="pending"})` }, { span: 2 }))
    .withPanel(
      number(
        "Oldest pending",
        "s",
        {
          expr: `max((time() - trainyard_queue_oldest_pending_timestamp_seconds{${queue}} and on (instance, queue) trainyard_jobs{state="pending"} > 0) or on () vector(0))`,
        },
        { steps: ["green", ["orange", 600], ["red", 3600]], span: 3, decimals: 0 },
      ),
    )
    .withPanel(
      number(
        "Workers busy",
        "percentunit",
        {
          expr: `sum(trainyard_workers_busy{${server}}) / (sum(trainyard_workers{${server}}) > 0)`,
        },
        { span: 2, none: "no worker", description: "Of those that are connected." },
      ),
    )
    .withPanel(
      number(
        "Success, 1 h",
        "percentunit",
        { expr: `avg(instance:trainyard_jobs_finished:ratio_1h{${server}})` },
        { steps: ["red", ["orange", 0.9], ["green", 0.99]], span: 3, none: "no job ended" },
      ),
    )
    .withPanel(
      number(
        "Non-finite stops, 24 h",
        "short",
        { expr: `sum(increase(trainyard_training_nonfinite_total{${server}}[24h]))` },
        { span: 3, decimals: 0 },
      ),
    )
    .withPanel(
      number(
        "Disk free",
        "percentunit",
        {
          expr: `min(trainyard_storage_free_bytes{${server}} / trainyard_storage_size_bytes{${server}})`,
        },
        { steps: ["red", ["orange", 0.05], ["green", 0.15]], span: 3 },
      ),
    );
}

function queues(board: dashboard.DashboardBuilder): void {
  board
    .withRow(row("Queue"))
    .withPanel(
      graph("Jobs by state", "short", [{ expr: `sum by (state) (trainyard_jobs{${queue}})`, legend: "{{state}}" }], { stack: true }),
    )
    .withPanel(
      graph("Jobs a second", "ops", [
        {
          expr: `sum(${rate("trainyard_jobs_submitted_total", queue)})`,
          legend: "submitted",
        },
        { expr: `sum(${rate("trainyard_jobs_finished_total", queue)})`, legend: "finished" },
        { expr: `sum(${rate("trainyard_jobs_failed_total", queue)})`, legend: "failed" },
        {
          expr: `sum(${rate("trainyard_jobs_cancelled_total", queue)})`,
          legend: "cancelled",
        },
      ]),
    )
    .withPanel(graph("Wait before the first start", "s", quantiles("trainyard_job_queue_wait_seconds", queue, [0.5, 0.95, 0.99], "queue")))
    .withPanel(
      bars("Failed in the time shown, by reason", "short", {
        expr: `sum by (reason) (increase(trainyard_jobs_failed_total{${queue}}[$__range])) > 0`,
        legend: "{{reason}}",
      }),
    )
    .withPanel(
      bars("Rejected in the time shown, by reason", "short", {
        expr: `sum by (reason) (increase(trainyard_jobs_rejected_total{${server}}[$__range])) > 0`,
        legend: "{{reason}}",
      }),
    )
    .withPanel(graph("Cancel latency", "s", quantiles("trainyard_job_cancel_latency_seconds", server, [0.5, 0.99])))
    .withPanel(
      graph("Room in the queue", "short", [
        { expr: `sum(trainyard_jobs{${server}})`, legend: "unfinished" },
        { expr: `max(trainyard_queue_capacity_jobs{${server}})`, legend: "limit" },
      ]),
    )
    .withPanel(
      graph("Repeated submits absorbed", "ops", [{ expr: `sum(${rate("trainyard_job_submit_duplicates_total")})`, legend: "duplicates" }], {
        description: "Retries of clients with the same request_id: each one runs once.",
      }),
    )
    .withPanel(
      graph(
        "Preemptions",
        "ops",
        [
          {
            expr: `sum by (queue) (${rate("trainyard_job_preemptions_total", queue)})`,
            legend: "{{queue}}",
          },
        ],
        {
          description: "Batch jobs that yielded their worker to an interactive one; they lose no work.",
        },
      ),
    );
}

function training(board: dashboard.DashboardBuilder): void {
  board
    .withRow(row("Training"))
    .withPanel(
      graph("Rows trained on", "rowsps", [
        {
          expr: `sum by (instance) (${rate("trainyard_training_samples_total")})`,
          legend: "{{instance}}",
        },
      ]),
    )
    .withPanel(
      graph("Steps", "ops", [
        {
          expr: `sum by (instance) (${rate("trainyard_training_steps_total")})`,
          legend: "{{instance}}",
        },
      ]),
    )
    .withPanel(
      graph(
        "Workers' time in training",
        "percentunit",
        [
          {
            expr: `sum by (instance) (${rate("trainyard_training_busy_seconds_total")}) / (sum by (instance) (trainyard_workers{${server}}) > 0)`,
            legend: "{{instance}}",
          },
        ],
        { max: 1 },
      ),
    )
    .withPanel(heat("Run time of jobs", "s", "trainyard_job_run_duration_seconds", queue))
    .withPanel(
      graph("Checkpoints", "s", quantiles("trainyard_checkpoint_write_seconds", server, [0.5, 0.99]), {
        description: "From taking one until it is stored; training goes on meanwhile.",
      }),
    )
    .withPanel(
      graph(
        "Checkpoints lost",
        "ops",
        [
          {
            expr: `sum by (instance) (${rate("trainyard_checkpoint_failures_total")})`,
            legend: "{{instance}}",
          },
        ],
        { description: "They could not be stored; their jobs go on without." },
      ),
    )
    .withPanel(
      graph("Checkpoints stored", "Bps", [
        {
          expr: `sum by (instance) (${rate("trainyard_checkpoint_bytes_total")})`,
          legend: "{{instance}}",
        },
      ]),
    )
    .withPanel(
      graph("Attempts", "ops", [
        { expr: `sum(${rate("trainyard_job_attempts_total", queue)})`, legend: "attempts" },
        {
          expr: `sum(${rate("trainyard_jobs_recovered_total")})`,
          legend: "recovered by a restart",
        },
      ]),
    )
    .withPanel(graph("Rows predicted", "rowsps", [{ expr: `sum(${rate("trainyard_predicted_rows_total")})`, legend: "predicted" }]));
}

function data(board: dashboard.DashboardBuilder): void {
  board
    .withRow(row("Data"))
    .withPanel(
      graph("Uploads", "Bps", [
        {
          expr: `sum by (instance) (${rate("trainyard_dataset_upload_bytes_total")})`,
          legend: "{{instance}}",
        },
      ]),
    )
    .withPanel(graph("Datasets", "short", [{ expr: `sum by (state) (trainyard_datasets{${server}})`, legend: "{{state}}" }]))
    .withPanel(graph("Rows ingested", "rowsps", [{ expr: `sum(${rate("trainyard_dataset_rows_total")})`, legend: "rows" }]))
    .withPanel(
      graph("Rows dropped, by reason", "rowsps", [
        {
          expr: `sum by (reason) (${rate("trainyard_dataset_rejected_rows_total")})`,
          legend: "{{reason}}",
        },
      ]),
    )
    .withPanel(graph("Time to read and freeze a dataset", "s", quantiles("trainyard_dataset_ingest_seconds", server, [0.5, 0.95])))
    .withPanel(
      graph(
        "Stored",
        "bytes",
        [
          {
            expr: `sum by (instance) (trainyard_dataset_stored_bytes{${server}})`,
            legend: "{{instance}}",
          },
        ],
        { description: "Bytes of all datasets, as uploaded." },
      ),
    )
    .withPanel(
      graph("Uploads whose bytes were there already", "ops", [
        { expr: `sum(${rate("trainyard_dataset_dedup_hits_total")})`, legend: "hits" },
      ]),
    );
}

function streams(board: dashboard.DashboardBuilder): void {
  const call = `${server}, grpc_service=~"trainyard.*"`;
  board
    .withRow(row("Streams and API"))
    .withPanel(
      graph("Open watches", "short", [
        {
          expr: `sum by (instance) (trainyard_watch_streams{${server}})`,
          legend: "{{instance}}",
        },
      ]),
    )
    .withPanel(
      graph("Events to watchers", "ops", [
        { expr: `sum(${rate("trainyard_watch_events_sent_total")})`, legend: "sent" },
        {
          expr: `sum(${rate("trainyard_watch_coalesced_events_total")})`,
          legend: "left out, as asked for",
        },
        { expr: `sum(${rate("trainyard_watch_resumes_total")})`, legend: "watches resumed" },
      ]),
    )
    .withPanel(
      graph("Calls, by method", "reqps", [
        {
          expr: `sum by (grpc_method) (${rate("grpc_server_started_total", call)}) > 0`,
          legend: "{{grpc_method}}",
        },
      ]),
    )
    .withPanel(
      graph("Calls that failed, by code", "percentunit", [
        {
          expr: `sum by (grpc_code) (${rate("grpc_server_handled_total", `${call}, grpc_code!="OK"`)}) / on () group_left () (sum(${rate(
            "grpc_server_handled_total",
            call,
          )}) > 0)`,
          legend: "{{grpc_code}}",
        },
      ]),
    )
    .withPanel(graph("Duration of unary calls", "s", quantiles("grpc_server_handling_seconds", call, [0.5, 0.95, 0.99])))
    .withPanel(
      graph("Messages", "ops", [
        { expr: `sum(${rate("grpc_server_msg_received_total", call)})`, legend: "received" },
        { expr: `sum(${rate("grpc_server_msg_sent_total", call)})`, legend: "sent" },
      ]),
    );
}

function durability(board: dashboard.DashboardBuilder): void {
  const self = `job="trainyard", ${server}`;
  board
    .withRow(row("Durability and host"))
    .withPanel(
      graph("Time to make writes durable", "s", quantiles("trainyard_store_fsync_seconds", server, [0.5, 0.99]), {
        steps: ["transparent", ["red", 0.25]],
      }),
    )
    .withPanel(
      graph("Metadata on disk", "bytes", [
        {
          expr: `sum by (instance) (trainyard_store_size_bytes{${server}})`,
          legend: "{{instance}}",
        },
      ]),
    )
    .withPanel(
      graph("Metadata written", "Bps", [
        {
          expr: `sum by (instance) (${rate("trainyard_store_appended_bytes_total")})`,
          legend: "{{instance}}",
        },
      ]),
    )
    .withPanel(
      graph("Writes that failed", "ops", [
        {
          expr: `sum by (instance) (${rate("trainyard_store_errors_total")})`,
          legend: "{{instance}}",
        },
      ]),
    )
    .withPanel(
      graph("Disk free, and in a day at this pace", "bytes", [
        { expr: `trainyard_storage_free_bytes{${server}}`, legend: "free {{instance}}" },
        {
          expr: `clamp_min(predict_linear(trainyard_storage_free_bytes{${server}}[6h], 86400), 0)`,
          legend: "in a day {{instance}}",
        },
      ]),
    )
    .withPanel(
      number("Last start read what is stored in", "s", { expr: `max(trainyard_store_replay_duration_seconds{${server}})` }, { span: 4 }),
    )
    .withPanel(
      number(
        "Takes jobs and uploads",
        "none",
        { expr: `1 - max(trainyard_storage_full{${server}})` },
        {
          steps: ["red", ["green", 1]],
          span: 4,
          description: "0 while the disk has less left than --free-bytes-floor.",
        },
      ),
    )
    .withPanel(
      graph("Memory", "bytes", [
        { expr: `process_resident_memory_bytes{${self}}`, legend: "resident {{instance}}" },
        { expr: `process_virtual_memory_bytes{${self}}`, legend: "virtual {{instance}}" },
      ]),
    )
    .withPanel(graph("CPU cores used by the server", "short", [{ expr: rate("process_cpu_seconds_total", self), legend: "{{instance}}" }]))
    .withPanel(
      graph(
        "Descriptors and threads",
        "short",
        [
          { expr: `process_open_fds{${self}}`, legend: "descriptors {{instance}}" },
          { expr: `process_max_fds{${self}}`, legend: "limit {{instance}}" },
          { expr: `process_threads{${self}}`, legend: "threads {{instance}}" },
        ],
        { logScale: true },
      ),
    );
}

function selfCheck(board: dashboard.DashboardBuilder): void {
  board
    .withRow(row("Self-check"))
    .withPanel(
      graph("Jobs at /metrics/jobs", "short", [
        {
          expr: `sum by (instance) (trainyard_job_series{${server}})`,
          legend: "shown {{instance}}",
        },
        {
          expr: `sum by (instance) (increase(trainyard_job_series_dropped_total{${server}}[$__rate_interval]))`,
          legend: "left out {{instance}}",
        },
      ]),
    )
    .withPanel(
      graph("Scrapes", "s", [
        {
          expr: `scrape_duration_seconds{job=~"trainyard.*", ${server}}`,
          legend: "{{job}} {{instance}}",
        },
      ]),
    )
    .withPanel(
      graph(
        "Series",
        "short",
        [
          {
            expr: `scrape_samples_scraped{job=~"trainyard.*", ${server}}`,
            legend: "{{job}} {{instance}}",
          },
        ],
        { description: "At most 1 000 of the service, 22 of each assignment, and 8 of each live job." },
      ),
    );
}

export function service(): dashboard.DashboardBuilder {
  const board = trainyardDashboard({
    uid: "trainyard-service",
    title: "Trainyard: service",
    description: "One Trainyard server or several: queue, training, data, streams, durability.",
    from: "now-3h",
    variables: [instanceVariable, queueVariable],
  });
  for (const part of [now, queues, training, data, streams, durability, selfCheck]) part(board);
  return board;
}
