// The main job from JavaScript, by the proto files alone: upload, finalize, submit, watch, predict.
//
//   node main.mjs HOST:PORT PROTO_DIR TABLE.csv
//
// Prints one JSON line {"job", "model", "events", "accuracy"}; exits with 1 and the reason on stderr otherwise.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';

import grpc from '@grpc/grpc-js';
import protoLoader from '@grpc/proto-loader';

const CHUNK_BYTES = 64 * 1024;
const DEADLINE_MS = 120_000;

function loadContract(protoDir) {
  const files = ['dataset', 'job', 'model'].map((name) => `trainyard/v1/${name}.proto`);
  const options = { includeDirs: [protoDir], keepCase: true, longs: Number, enums: String, oneofs: true, defaults: true };
  return grpc.loadPackageDefinition(protoLoader.loadSync(files, options)).trainyard.v1;
}

// A stub whose unary methods return promises.
function connect(Service, address) {
  const stub = new Service(address, grpc.credentials.createInsecure());
  const call = (method, request) => promisify(stub[method]).call(stub, request, { deadline: Date.now() + DEADLINE_MS });
  return { stub, call };
}

function crc32c(bytes) {
  let crc = ~0;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; ++bit) crc = (crc >>> 1) ^ (crc & 1 ? 0x82f63b78 : 0);
  }
  return ~crc >>> 0;
}

function write(datasets, name, bytes) {
  return new Promise((resolve, reject) => {
    const stream = datasets.stub.WriteDataset((error, answer) => (error ? reject(error) : resolve(answer)));
    for (let offset = 0; offset < bytes.length; offset += CHUNK_BYTES) {
      const data = bytes.subarray(offset, offset + CHUNK_BYTES);
      stream.write({ name, offset, data, crc32c: crc32c(data) });
    }
    stream.end();
  });
}

async function upload(datasets, bytes) {
  const { name } = await datasets.call('CreateDataset', { dataset: { display_name: 'grpc-js' }, request_id: randomUUID() });
  const answer = await write(datasets, name, bytes);
  assert.equal(answer.committed_size_bytes, bytes.length);
  const dataset = await datasets.call('FinalizeDataset', { name });
  assert.equal(dataset.state, 'READY');
  return dataset;
}

async function watch(jobs, name) {
  const sequences = [];
  let last;
  for await (const message of jobs.stub.WatchTrainingJob({ name })) {
    if (message.payload !== 'event') continue;
    last = message.event;
    sequences.push(last.sequence);
  }
  assert.deepEqual(sequences, sequences.map((_, index) => index + 1));
  assert.equal(last.state_change.to, 'JOB_STATE_SUCCEEDED');
  return { events: sequences.length, model: last.state_change.model };
}

// Ratio of rows whose predicted label is the one in the last column.
async function accuracy(models, name, table) {
  const records = table.trim().split('\n').slice(1).map((line) => line.trim().split(','));
  const rows = records.map((cells) => ({ values: cells.slice(0, -1).map(Number) }));
  const { predictions } = await models.call('Predict', { name, rows });
  assert.equal(predictions.length, rows.length);
  return predictions.filter((prediction, i) => prediction.label === records[i].at(-1)).length / rows.length;
}

async function main([address, protoDir, tablePath]) {
  const contract = loadContract(protoDir);
  const bytes = readFileSync(tablePath);
  const datasets = connect(contract.DatasetService, address);
  const jobs = connect(contract.JobService, address);
  const models = connect(contract.ModelService, address);

  const dataset = await upload(datasets, bytes);
  const spec = {
    target_column: 'diagnosis',
    layers: [{ units: 16, activation: 'ACTIVATION_RELU' }],
    optimizer: { kind: 'ADAM', learning_rate: 0.01 },
    epochs: 20,
    seed: 7,
  };
  const job = await jobs.call('CreateTrainingJob', { training_job: { dataset: dataset.name, spec }, request_id: randomUUID() });
  const { events, model } = await watch(jobs, job.name);
  const ratio = await accuracy(models, model, bytes.toString());
  assert.ok(ratio >= 0.95, `accuracy ${ratio} is below 0.95`);
  console.log(JSON.stringify({ job: job.name, model, events, accuracy: ratio }));
  for (const client of [datasets, jobs, models]) client.stub.close();
}

main(process.argv.slice(2)).catch((error) => {
  console.error(error);
  process.exit(1);
});
