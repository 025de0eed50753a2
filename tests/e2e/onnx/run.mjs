// run.mjs FOLDER: runs every FOLDER/*.onnx in ONNX Runtime (its WebAssembly build) and compares with FOLDER/*.json.
import fs from 'node:fs';
import path from 'node:path';
import * as ort from 'onnxruntime-web';

const TOLERANCE = 1e-5;  // of 1 + |expected|: float32 sums of at most 20 terms in another order

ort.env.wasm.numThreads = 1;
ort.env.logLevel = 'error';

// `expected` has null for NaN: the row is refused.
function compareNumbers(name, actual, expected) {
  if (actual.length !== expected.length) throw new Error(`${name}: ${actual.length} numbers, expected ${expected.length}`);
  let worst = 0;
  for (let i = 0; i < expected.length; ++i) {
    if (expected[i] === null && Number.isNaN(actual[i])) continue;
    const difference = Math.abs(actual[i] - expected[i]) / (1 + Math.abs(expected[i]));
    if (expected[i] === null || !(difference <= TOLERANCE)) throw new Error(`${name}[${i}]: ${actual[i]}, expected ${expected[i]}`);
    worst = Math.max(worst, difference);
  }
  return worst;
}

// Every input takes its column's cells: the file's metadata is not read, a model says itself what it takes. Text is
// fed where the runtime refuses numbers.
function tensor(type, cells, width, missing) {
  if (type === 'string') return new ort.Tensor('string', cells, [cells.length / width, width]);
  const numbers = cells.map((cell) => (missing.includes(cell) ? NaN : Number(cell)));
  return new ort.Tensor('float32', Float32Array.from(numbers), [cells.length / width, width]);
}

function feedsOf(expected, types) {
  const missing = ['', '?', 'NA'];
  if (expected.inputs.length !== expected.cells[0].length) {
    return {features: tensor('float32', expected.cells.flat(), expected.cells[0].length, missing)};
  }
  const feeds = {};
  expected.inputs.forEach((name, i) => {
    feeds[name] = tensor(types[i], expected.cells.map((row) => row[i]), 1, missing);
  });
  return feeds;
}

async function runCase(folder, name) {
  const expected = JSON.parse(fs.readFileSync(path.join(folder, `${name}.json`), 'utf8'));
  const model = JSON.parse(fs.readFileSync(path.join(folder, `${name}.model.json`), 'utf8'));
  const types = model.preprocessing.columns.map(
      (column) => (column.encoding === 'number' || column.numeric_categories ? 'float32' : 'string'));
  const session = await ort.InferenceSession.create(fs.readFileSync(path.join(folder, `${name}.onnx`)));
  const output = await session.run(feedsOf(expected, types));
  await session.release();
  if (expected.value.length > 0) return compareNumbers('value', output.value.data, expected.value);
  if (expected.labels.length > 0) {
    compareNumbers('labels', Array.from(output.labels.data, Number), expected.labels);
    return compareNumbers('probabilities', output.probabilities.data, expected.probabilities);
  }
  const labels = Array.from(output.label.data);
  const wrong = labels.findIndex((label, i) => label !== expected.label[i]);
  if (wrong >= 0 || labels.length !== expected.cells.length) {
    throw new Error(`label[${wrong}] of ${labels.length}: ${labels[wrong]}, expected ${expected.label[wrong]}`);
  }
  return compareNumbers('probabilities', output.probabilities.data, expected.probabilities);
}

const folder = process.argv[2];
const names = fs.readdirSync(folder).filter((file) => file.endsWith('.onnx')).map((file) => file.slice(0, -5)).sort();
if (names.length === 0) throw new Error(`no models in ${folder}`);
let failed = 0;
for (const name of names) {
  try {
    console.log(`ok ${name}: largest relative difference ${(await runCase(folder, name)).toExponential(2)}`);
  } catch (error) {
    ++failed;
    console.log(`FAILED ${name}: ${error.message ?? error}`);
  }
}
console.log(`${names.length} models, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
