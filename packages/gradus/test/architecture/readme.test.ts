// The README's example is what newcomers copy: it is compiled and run here as it stands, against the built package, as a
// user's project would do it.

import { execFile } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const run = promisify(execFile);
const root = fileURLToPath(new URL("../../../../", import.meta.url));
const built = join(root, "packages/gradus/dist/index.js");

/** The TypeScript blocks of the README that use Gradus. */
function examples(): string[] {
  const readme = join(root, "README.md");
  if (!existsSync(readme)) throw new Error("README.md is not there. Write it, with an example in a ```ts block.");
  const blocks = [...readFileSync(readme, "utf8").matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map(([, code]) => code);
  const found = blocks.filter((code) => /from "(gradus|@gradus\/\w+)(\/node)?"/.test(code));
  if (found.length === 0) throw new Error('README.md has no ```ts block that imports "gradus". Add the example.');
  return found;
}

/** A project of its own below node_modules, where packages are found as in a user's. */
let project = "";

beforeAll(async () => {
  if (!existsSync(built)) throw new Error(`${built} is not there. Build first: npm run build.`);
  const cache = join(root, "node_modules/.cache");
  mkdirSync(cache, { recursive: true });
  project = mkdtempSync(join(cache, "readme-"));
  const files = examples().map((code, i) => {
    writeFileSync(join(project, `example${i}.mts`), code);
    return `example${i}.mts`;
  });
  const compilerOptions = {
    target: "es2022",
    lib: ["es2023", "dom"],
    module: "nodenext",
    strict: true,
    skipLibCheck: true,
    types: ["node"],
  };
  writeFileSync(join(project, "tsconfig.json"), JSON.stringify({ compilerOptions, files }));
}, 60_000);

afterAll(() => {
  if (project !== "") rmSync(project, { recursive: true, force: true });
});

describe("the README's examples", () => {
  test("compile in a strict project", { timeout: 60_000 }, async () => {
    const compiler = join(root, "node_modules/typescript/bin/tsc");
    await run(process.execPath, [compiler, "-p", project]).catch((error: { stdout: string }) => {
      throw new Error(`The README's example does not compile:\n${error.stdout}`);
    });
  });

  test("train: the first runs in Node, and its loss falls", { timeout: 60_000 }, async () => {
    const { stdout, stderr } = await run(process.execPath, [join(project, "example0.mjs")]);
    expect(stderr).toBe("");
    const losses = [...stdout.matchAll(/(\d+(?:\.\d+)?(?:e-?\d+)?)\s*$/gm)].map(([, number]) => Number(number));
    expect(losses.length).toBeGreaterThan(1);
    expect(losses[losses.length - 1]).toBeLessThan(losses[0] / 2);
  });
});
