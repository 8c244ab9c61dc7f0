import { execFile } from "node:child_process";
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { CompilationError, NativeCompiler } from "../../../../src/backends/cpu/native/compiler.ts";
import { LibraryCache } from "../../../../src/backends/cpu/native/library-cache.ts";
import { findToolchain } from "../../../../src/backends/cpu/native/toolchain.ts";
import { bundle, newFolder, scriptedToolchain } from "./support.ts";

const installed = await findToolchain();

/** Stands for compiling: the library is a copy of the source. */
const copy = 'cp "$3" "$2"';

/** A compiler on a script, in an empty cache. */
function scripted(lines: string) {
  const folder = newFolder();
  const { toolchain, runs } = scriptedToolchain(folder, lines);
  const cache = LibraryCache.open({ folder });
  const reports: string[] = [];
  const compiler = new NativeCompiler(toolchain, cache, { concurrency: 2, report: (line) => reports.push(line) });
  return { compiler, toolchain, cache, runs, reports };
}

const forms = [
  { form: "waiting", compile: (compiler: NativeCompiler, sources: string[]) => compiler.compile(sources) },
  { form: "blocking", compile: async (compiler: NativeCompiler, sources: string[]) => compiler.compileSync(sources) },
] as const;

describe.each(forms)("compiling, $form", ({ compile }) => {
  it("gives a library for each source, in order, and runs the compiler once for each that is new", async () => {
    const { compiler, cache, toolchain, runs } = scripted(copy);
    const paths = await compile(compiler, ["int a;", "int b;", "int a;"]);
    expect(paths.map((path) => readFileSync(path, "utf8"))).toEqual(["int a;", "int b;", "int a;"]);
    expect(runs()).toBe(2);
    expect(readdirSync(cache.folder)).toHaveLength(2);
    expect(await compile(compiler, ["int b;", "int c;"])).toEqual([paths[1], expect.any(String)]);
    expect(runs()).toBe(3);
    const another = new NativeCompiler(toolchain, LibraryCache.open({ folder: dirname(cache.folder) }));
    expect(await compile(another, ["int a;"])).toEqual([paths[0]]);
    expect(await compile(another, [])).toEqual([]);
    expect(runs()).toBe(3);
  });

  it("passes the flags, the library, the source and the mathematics library", async () => {
    const folder = newFolder();
    const { toolchain } = scriptedToolchain(folder, "");
    writeFileSync(toolchain.command, '#!/bin/sh\necho "$@" > "$3"\n');
    const compiler = new NativeCompiler(toolchain, LibraryCache.open({ folder }));
    const [path] = await compile(compiler, ["int a;"]);
    expect(readFileSync(path, "utf8")).toMatch(/^-O3 -o \S+\.so \S+\.c -lm\n$/);
  });

  it.each([
    { how: "fails", lines: 'cp "$3" "$2"; for i in 1 2 3 4; do echo "problem $i" >&2; done; exit 4' },
    { how: "is ended by a signal", lines: 'cp "$3" "$2"; kill -INT $$' },
    { how: "writes nothing", lines: "" },
  ])("raises an error if the compiler $how, and keeps nothing", async ({ how, lines }) => {
    const { compiler, cache, toolchain } = scripted(lines);
    const error = await compile(compiler, ["int a;"]).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(CompilationError);
    const ending = {
      fails: "it failed with exit code 4.\nproblem 1\nproblem 2\nproblem 3",
      "is ended by a signal": "it was ended by SIGINT.",
      "writes nothing": "it succeeded but wrote no library.",
    }[how];
    expect((error as Error).message).toBe(
      `script 1.0.0 (${toolchain.command}) compiled no native code: ${ending}\n` +
        "Set GRADUS_CODEGEN=wasm to do without native code.",
    );
    expect(readdirSync(cache.folder)).toEqual([]);
  });

  it("raises an error if the compiler is gone", async () => {
    const { compiler, toolchain, cache } = scripted(copy);
    rmSync(toolchain.command);
    await expect(compile(compiler, ["int a;"])).rejects.toThrow(/could not be started\.\n.*ENOENT/);
    expect(readdirSync(cache.folder)).toEqual([]);
  });

  it("keeps what compiles beside what does not", async () => {
    const { compiler, runs, cache } = scripted(`grep -q good "$3" && ${copy}`);
    await expect(compile(compiler, ["good 1", "bad", "good 2"])).rejects.toThrow(CompilationError);
    expect(await compile(compiler, ["good 2", "good 1"])).toHaveLength(2);
    expect(runs()).toBe(3);
    expect(readdirSync(cache.folder)).toHaveLength(2);
  });

  it("says so if it lasts longer than a second", async () => {
    const { compiler, cache, reports } = scripted(`sleep 1.3; ${copy}`);
    await compile(compiler, ["int a;", "int b;"]);
    expect(reports).toEqual([
      "gradus: compiling 2 files of native code with script 1.0.0; " +
        `it is kept in ${cache.folder} for the next time`,
    ]);
  });

  it("goes on in a private folder if the cache's is gone", async () => {
    const { compiler, cache, reports } = scripted(copy);
    const [first] = await compile(compiler, ["int a;"]);
    rmSync(cache.folder, { recursive: true });
    writeFileSync(cache.folder, "no folder");
    const [path] = await compile(compiler, ["int b;"]);
    expect(readFileSync(path, "utf8")).toBe("int b;");
    expect(dirname(path)).not.toBe(dirname(first));
    expect(reports).toEqual([expect.stringMatching(/^gradus: Native code is kept for this process only: ENOTDIR/)]);
    expect(await compile(compiler, ["int b;"])).toEqual([path]);
    rmSync(dirname(path), { recursive: true });
  });

  it("goes on in a private folder if the disk is full, with what was not kept", async () => {
    const { compiler, cache, runs, reports } = scripted(
      `case "$2 $(cat "$3")" in */native/*big) echo 'ld: No space left on device' >&2; exit 1;; *) ${copy};; esac`,
    );
    const [small, big] = await compile(compiler, ["small", "big"]);
    expect(dirname(small)).toBe(cache.folder);
    expect(dirname(big)).not.toBe(cache.folder);
    expect(runs()).toBe(3);
    expect(reports).toEqual([expect.stringContaining(`in ${cache.folder}: No space left on device. Set`)]);
    expect(await compile(compiler, ["big", "small"])).toEqual([big, small]);
    expect(readdirSync(cache.folder)).toHaveLength(1);
    rmSync(dirname(big), { recursive: true });
  });
});

describe("sources given at once", () => {
  it("are compiled once", async () => {
    const { compiler, runs } = scripted(`sleep 0.1; ${copy}`);
    const [first, second] = await Promise.all([
      compiler.compile(["int a;", "int b;"]),
      compiler.compile(["int c;", "int b;", "int a;"]),
    ]);
    expect(second.slice(1)).toEqual([first[1], first[0]]);
    expect(runs()).toBe(3);
  });

  it("fail for those alone who asked for what does not compile", async () => {
    const { compiler } = scripted(`sleep 0.1; grep -q good "$3" && ${copy}`);
    const [both, good] = await Promise.allSettled([compiler.compile(["good", "bad"]), compiler.compile(["good"])]);
    expect(both.status).toBe("rejected");
    expect(good.status).toBe("fulfilled");
  });
});

describe("the key of a source", () => {
  it("changes with the source and with the toolchain", () => {
    const { compiler, toolchain, cache } = scripted(copy);
    const other = new NativeCompiler({ ...toolchain, fingerprint: "beef" }, cache);
    const keys = [compiler.keyOf("int a;"), compiler.keyOf("int b;"), other.keyOf("int a;")];
    expect(new Set(keys).size).toBe(3);
    for (const key of keys) expect(key).toMatch(/^[0-9a-f]{64}$/);
    expect(compiler.keyOf("int a;")).toBe(keys[0]);
  });
});

describe("lines about what lasts", () => {
  const write = process.stderr.write;
  let written = "";
  beforeEach(() => {
    written = "";
    process.stderr.write = (text: string | Uint8Array) => {
      written += text;
      return true;
    };
  });
  afterEach(() => {
    process.stderr.write = write;
  });

  it("go to the standard error, and tell if nothing is kept", async () => {
    const { toolchain } = scripted(`sleep 1.1; ${copy}`);
    const cache = LibraryCache.private("of a test");
    await new NativeCompiler(toolchain, cache).compile(["int a;"]);
    expect(written).toBe(
      "gradus: compiling 1 file of native code with script 1.0.0; it is kept for this process only\n",
    );
    rmSync(cache.folder, { recursive: true });
  });
});

describe.skipIf("missing" in installed)("the installed compiler", () => {
  const source = (name: string) => `#include <math.h>\nfloat ${name}(float x) { return sqrtf(x) + expf(x); }\n`;

  it("makes a shared library of a source, and nothing of what is no C", async () => {
    if ("missing" in installed) return;
    const compiler = new NativeCompiler(installed, LibraryCache.open({ folder: newFolder() }));
    const [path] = await compiler.compile([source("gradus_test_sum")]);
    expect(readFileSync(path).includes("gradus_test_sum")).toBe(true);
    const error = await compiler.compile(["float f(float x) { return y; }\n"]).catch((reason: Error) => reason);
    expect(String(error)).toMatch(/^CompilationError: .*exit code 1\.\n.*\n?.*:1:\d+: error: .*undeclared/);
  });

  it("serves two processes that start at once on an empty cache", { timeout: 20_000 }, async () => {
    const folder = newFolder();
    const file = await bundle(
      folder,
      `import { NativeCompiler } from "native/compiler.ts";
       import { LibraryCache } from "native/library-cache.ts";
       import { findToolchain } from "native/toolchain.ts";
       const compiler = new NativeCompiler(await findToolchain(), LibraryCache.open());
       const sources = JSON.parse(process.argv[2]);
       console.log(JSON.stringify(process.argv[3] === "wait" ? await compiler.compile(sources) : compiler.compileSync(sources)));`,
    );
    const sources = ["gradus_a", "gradus_b", "gradus_c"].map(source);
    const env = { ...process.env, GRADUS_CACHE_DIR: join(folder, "cache") };
    const runs = ["wait", "block"].map((form) =>
      promisify(execFile)(process.execPath, [file, JSON.stringify(sources), form], { env, timeout: 15_000 }),
    );
    for (const { stdout } of await Promise.all(runs)) {
      const paths = JSON.parse(stdout) as string[];
      expect(paths).toHaveLength(3);
      for (const path of paths) {
        expect(dirname(path)).toBe(join(folder, "cache", "native"));
        expect(existsSync(path)).toBe(true);
      }
    }
    expect(readdirSync(join(folder, "cache", "native")).filter((name) => name.startsWith("tmp-"))).toEqual([]);
  });
});
