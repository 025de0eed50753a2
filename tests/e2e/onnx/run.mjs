// run.mjs FOLDER: runs every FOLDER/*.onnx in ONNX Runtime (its WebAssembly build) and compares with FOLDER/*.json.
import fs from 'node:fs';
import path from 'node:path';
import * as ort from 'onnxruntime-web';

const TOLERANCE = 1e-5;  // of 1 + |expected|: float32 sums of at most 16 terms in another order

ort.env.wasm.numThreads = 1;
ort.env.logLevel = 'error';

function compareNumbers(name, actual, expected) {
  if (actual.length !== expected.length) throw new Error(`${name}: ${actual.length} numbers, expected ${expected.length}`);
  let worst = 0;
  for (let i = 0; i < expected.length; ++i) {
    const difference = Math.abs(actual[i] - expected[i]) / (1 + Math.abs(expected[i]));
    if (!(difference <= TOLERANCE)) throw new Error(`${name}[${i}]: ${actual[i]}, expected ${expected[i]}`);
    worst = Math.max(worst, difference);
  }
  return worst;
}

async function runCase(folder, name) {
  const expected = JSON.parse(fs.readFileSync(path.join(folder, `${name}.json`), 'utf8'));
  const session = await ort.InferenceSession.create(fs.readFileSync(path.join(folder, `${name}.onnx`)));
  const input = new ort.Tensor('float32', Float32Array.from(expected.input), [expected.rows, expected.features]);
  const output = await session.run({features: input});
  if (expected.value.length > 0) return compareNumbers('value', output.value.data, expected.value);
  if (expected.labels.length > 0) {
    compareNumbers('labels', Array.from(output.labels.data, Number), expected.labels);
    return compareNumbers('probabilities', output.probabilities.data, expected.probabilities);
  }
  const labels = Array.from(output.label.data);
  const wrong = labels.findIndex((label, i) => label !== expected.label[i]);
  if (wrong >= 0 || labels.length !== expected.rows) {
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
