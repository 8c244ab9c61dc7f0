// What the tests of the compiler driver share: folders of their own, scripts that stand for compilers, and bundles for
// what needs another process or thread.

import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "vite";
import { onTestFinished } from "vitest";
import type { Toolchain } from "../../../../src/backends/cpu/native/toolchain.ts";

export const isRoot = process.geteuid?.() === 0;

/** A new folder that goes with the test. */
export function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "gradus-test-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Writes an executable of the shell and gives its path. */
export function script(folder: string, name: string, lines: string): string {
  const file = join(folder, name);
  writeFileSync(file, `#!/bin/sh\n${lines}\n`);
  chmodSync(file, 0o755);
  return file;
}

/** A toolchain whose compiler is a script: in it, $2 is the library and $3 the source. */
export function scriptedToolchain(folder: string, lines: string): { toolchain: Toolchain; runs: () => number } {
  const log = join(folder, "log");
  writeFileSync(log, "");
  const command = script(folder, "compiler", `echo run >> '${log}'\nwhile [ "$1" != -o ]; do shift; done\n${lines}`);
  return {
    toolchain: { command, name: "script 1.0.0", flags: ["-O3"], macros: new Map(), fingerprint: "f00d" },
    runs: () => readFileSync(log, "utf8").split("\n").length - 1,
  };
}

/** Bundles source that imports modules of the driver by `native/<name>.ts`, and gives the bundle's path. */
export async function bundle(folder: string, source: string): Promise<string> {
  const native = fileURLToPath(new URL("../../../../src/backends/cpu/native", import.meta.url));
  writeFileSync(join(folder, "entry.mjs"), source);
  await build({
    root: folder,
    configFile: false,
    logLevel: "error",
    resolve: { alias: { native } },
    build: {
      ssr: join(folder, "entry.mjs"),
      outDir: "out",
      target: "es2022",
      rolldownOptions: { output: { entryFileNames: "bundle.mjs" } },
    },
  });
  return join(folder, "out", "bundle.mjs");
}
