// Writes each dashboard as DIR/<name>.json: node generate.js DIR
import { mkdirSync, writeFileSync } from "node:fs";

import { course } from "./course";
import { jobs } from "./jobs";
import { service } from "./service";

const folder = process.argv[2];
mkdirSync(folder, { recursive: true });
for (const [name, make] of Object.entries({ service, jobs, course })) {
  writeFileSync(`${folder}/${name}.json`, `${JSON.stringify(make().build(), null, 2)}\n`);
}
