// The documents that are generated: the API reference builds without a warning, and the table of PyTorch's names is what the
// built packages say.

import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const folder = fileURLToPath(new URL("..", import.meta.url));

function run(command: string, ...argv: string[]): string {
  const { status, stdout, stderr } = spawnSync(process.execPath, [command, ...argv], { cwd: folder, encoding: "utf8" });
  return status === 0 ? "" : `${stdout}${stderr}`;
}

test("the API reference builds without warnings", () => {
  expect(run("node_modules/typedoc/bin/typedoc", "--options", "typedoc.json", "--emit", "none")).toBe("");
}, 120_000);

test("the table of PyTorch's names is up to date", () => {
  expect(run("dist/compatibility.js", "--check")).toBe("");
}, 30_000);
