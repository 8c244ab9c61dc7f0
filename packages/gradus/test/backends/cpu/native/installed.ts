// Gradus as npm installs it, made of the present source: the files that its package.json names, and beside them the
// packages that a test wants there and no others. Scripts run against it in processes of their own, with no variables of
// the environment but those that are given.

import { execFile } from "node:child_process";
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Config } from "gradus";
import { transformWithOxc } from "vite";
import { afterAll, expect } from "vitest";
import { findToolchain } from "../../../../src/backends/cpu/native/toolchain.ts";
import { newFolder, script } from "./support.ts";

const packageFolder = fileURLToPath(new URL("../../../../", import.meta.url));
const modules = join(packageFolder, "../../node_modules");

/** Puts Gradus into a new folder's node_modules, and koffi where it is wanted; gives the folder, which goes in the end. */
export async function install({ koffi }: { readonly koffi: boolean }): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "gradus-installed-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const target = join(folder, "node_modules", "gradus");
  mkdirSync(target, { recursive: true });
  const manifest = readFileSync(join(packageFolder, "package.json"), "utf8");
  writeFileSync(join(target, "package.json"), manifest);
  for (const entry of (JSON.parse(manifest) as { readonly files: readonly string[] }).files) {
    if (entry === "dist") {
      await build(join(target, "dist"));
      continue;
    }
    const [from, ending] = [dirname(entry), entry.slice(entry.lastIndexOf("*") + 1)];
    mkdirSync(join(target, from), { recursive: true });
    for (const name of readdirSync(join(packageFolder, from)).filter((file) => file.endsWith(ending)))
      cpSync(join(packageFolder, from, name), join(target, from, name));
  }
  if (koffi) symlinkSync(realpathSync(join(modules, "koffi")), join(folder, "node_modules", "koffi"));
  return folder;
}

/** Translates the source file by file. */
async function build(target: string): Promise<void> {
  const source = join(packageFolder, "src");
  for (const name of readdirSync(source, { recursive: true, encoding: "utf8" })) {
    if (!name.endsWith(".ts")) continue;
    const text = readFileSync(join(source, name), "utf8");
    const { code } = await transformWithOxc(text, join(source, name), {
      typescript: { rewriteImportExtensions: true },
    });
    const file = join(target, name.replace(/\.ts$/, ".js"));
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, code);
  }
}

/** How a script ended. */
export interface Ended<T> {
  readonly code: number;
  /** What it printed, read as JSON; null if it printed nothing. */
  readonly out: T | null;
  readonly err: string;
}

let scripts = 0;

/**
 * Runs a script that prints JSON or nothing.
 * @param folder where Gradus was installed
 * @param options what the script finds as `options`
 * @param variables of the environment, beside those by which the installed compiler is found
 */
export function run<T>(
  folder: string,
  source: string,
  options: object,
  variables: NodeJS.ProcessEnv,
): Promise<Ended<T>> {
  const file = join(folder, `script-${scripts++}.mjs`);
  writeFileSync(file, `const options = ${JSON.stringify(options)};\n${source}`);
  const env = { PATH: process.env.PATH, CC: process.env.CC, HOME: "/nonexistent", ...variables };
  return new Promise((resolve, reject) => {
    execFile(process.execPath, [file], { env, timeout: 60_000, killSignal: "SIGKILL" }, (error, out, err) => {
      if (error !== null && typeof error.code !== "number") return reject(new Error(`${error.message}\n${err}`));
      resolve({ code: Number(error?.code ?? 0), out: out === "" ? null : (JSON.parse(out) as T), err });
    });
  });
}

/** The head of a script: a model whose work is enough for two threads to share, and a step of its training. */
export const model = `
  import { createHash } from "node:crypto";
  import * as gd from "gradus";
  await gd.init(options);
  gd.manualSeed(20250917);
  const model = new gd.nn.Sequential(new gd.nn.Linear(64, 96), new gd.nn.Tanh(), new gd.nn.Linear(96, 10));
  const optimizer = new gd.optim.SGD(model.parameters(), { lr: 0.5 });
  const x = gd.randn([128, 64]);
  const classes = gd.tensor(Array.from({ length: 128 }, (_, i) => (3 * i) % 10), { dtype: "int32" });
  async function step() {
    optimizer.zeroGrad();
    const loss = gd.F.crossEntropy(model.forward(x), classes);
    loss.backward();
    await optimizer.step();
    return loss.item();
  }`;

const training = `${model}
  const losses = [];
  for (let i = 0; i < 8; i++) losses.push(await step());
  const digest = createHash("sha256");
  for (const parameter of model.parameters()) digest.update(await parameter.data());
  console.log(JSON.stringify({ config: gd.config(), losses, bits: digest.digest("hex") }));`;

export interface Training {
  readonly config: Config;
  readonly losses: readonly number[];
  /** A digest of the trained parameters. */
  readonly bits: string;
}

/** That it compiles is told where that takes long, as on a machine that is busy; nothing else is to be printed. */
export const announcement = /^(gradus: compiling \d+ files? of native code with .*\n)*$/;

/** Trains the model for eight steps. */
export async function train(folder: string, options: object, variables: NodeJS.ProcessEnv): Promise<Training> {
  const { code, out, err } = await run<Training>(folder, training, options, variables);
  expect([code, err]).toEqual([0, expect.stringMatching(announcement)]);
  return out!;
}

/** WebAssembly and native code round differently; over a few steps that stays small. */
export function expectClose(found: readonly number[], expected: readonly number[]): void {
  expect(found.length).toBe(expected.length);
  for (const [i, value] of expected.entries()) expect(Math.abs(found[i] - value)).toBeLessThan(1e-4 * Math.abs(value));
}

/** A compiler that does as the lines say before it compiles `$source`, the `$part` runtime or program. */
export async function compilerThat(lines: string): Promise<string> {
  const toolchain = await findToolchain();
  const installed = process.env.CC || ("missing" in toolchain ? "cc" : toolchain.command);
  return script(
    newFolder(),
    "compiler",
    `case " $* " in *" -E "*) exec ${installed} "$@";; esac
     for file in "$@"; do case "$file" in *.c) source="$file";; esac; done
     case "$(cat "$source")" in *gradus_pool_create*) part=runtime;; *) part=program;; esac
     ${lines}
     exec ${installed} "$@"`,
  );
}
