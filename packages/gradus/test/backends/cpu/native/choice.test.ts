// Which code the cpu device runs, from end to end: what is chosen where, and what is said of it. Every run is a process
// with an environment of its own.

import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Config, InitOptions } from "gradus";
import { describe, expect, it } from "vitest";
import { hasNative } from "../../../support/native.ts";
import { announcement, compilerThat, expectClose, install, run, train } from "./installed.ts";
import { newFolder } from "./support.ts";

const home = await install({ koffi: hasNative });
const withoutKoffi = await install({ koffi: false });

interface Failed {
  readonly error: string;
  readonly message: string;
}

/** What is chosen, or why nothing is. Nothing is said of it unless it is asked for. */
async function choose(
  options: { readonly [K in keyof InitOptions]: InitOptions[K] | string },
  variables: NodeJS.ProcessEnv,
  folder = home,
): Promise<Config & Failed> {
  const source = `
    import * as gd from "gradus";
    try {
      await gd.init(options);
      console.log(JSON.stringify(gd.config()));
    } catch (error) {
      console.log(JSON.stringify({ error: error.name, message: error.message }));
    }`;
  const cache = join(newFolder(), "cache");
  const { code, out, err } = await run<Config & Failed>(folder, source, options, {
    GRADUS_CACHE_DIR: cache,
    ...variables,
  });
  expect([code, err]).toEqual([0, expect.stringMatching(announcement)]);
  return out!;
}

/** Ways to ask for native code. */
const asking = [
  { options: { codegen: "native" }, variables: {} },
  { options: {}, variables: { GRADUS_CODEGEN: "native" } },
] as const;

describe.skipIf(!hasNative)("where a compiler and koffi are there, the choice", () => {
  it("is native code, about which there is nothing to say", async () => {
    const config = await choose({ threads: 2 }, {});
    expect(config).toEqual({ device: "cpu", codegen: "native", threads: 2 });
  });

  it("is WebAssembly for who asks for it by option or variable, and leaves no note and no cache", async () => {
    const cache = join(newFolder(), "cache");
    for (const { options, variables } of [
      { options: {}, variables: { GRADUS_CODEGEN: "wasm" } },
      { options: { codegen: "wasm" }, variables: {} },
      { options: { codegen: "wasm" }, variables: { GRADUS_CODEGEN: "native" } },
    ]) {
      const config = await choose({ threads: 1, ...options }, { GRADUS_CACHE_DIR: cache, ...variables });
      expect(config).toEqual({ device: "cpu", codegen: "wasm", threads: 1 });
    }
    expect(existsSync(cache)).toBe(false);
  });

  it("is native code for who asks for it, the option before the variable", async () => {
    const GRADUS_CACHE_DIR = newFolder();
    for (const { options, variables } of [
      ...asking,
      { options: { codegen: "native" }, variables: { GRADUS_CODEGEN: "wasm" } },
      { options: {}, variables: { GRADUS_CODEGEN: "" } },
    ]) {
      const config = await choose({ threads: 2, ...options }, { GRADUS_CACHE_DIR, ...variables });
      expect(config).toEqual({ device: "cpu", codegen: "native", threads: 2 });
    }
  });

  it("may be made anew, several times at once", async () => {
    const { code, out, err } = await run(
      home,
      `import * as gd from "gradus";
       await gd.init({ threads: 2 });
       // Two that are ready at the same time, and end the one before; its threads must be ended once.
       await Promise.all([1, 2].map(() => gd.init({ device: "reference" })));
       await Promise.all([1, 2, 2].map((threads) => gd.init({ threads })));
       console.log(JSON.stringify([gd.config().codegen, await gd.tensor([1.5, 2]).sum().item()]));`,
      {},
      { GRADUS_CACHE_DIR: newFolder() },
    );
    expect([code, out, err]).toEqual([0, ["native", 3.5], expect.stringMatching(announcement)]);
  });
});

describe("a name that is unknown", () => {
  it("is an error that lists those that are known", async () => {
    expect(await choose({ codegen: "llvm" }, {})).toEqual({
      error: "ArgumentError",
      message: expect.stringMatching(/no codegen "llvm".*wasm or native/s),
    });
    expect(await choose({ warmup: "native" }, {})).toEqual({
      error: "ArgumentError",
      message: expect.stringMatching(/no warmup "native".*Use wasm/s),
    });
    expect(await choose({}, { GRADUS_CODEGEN: "llvm" })).toEqual({
      error: "CpuBackendError",
      message: 'There is no code generator "llvm". Set GRADUS_CODEGEN to wasm or native, or leave it out.',
    });
  });
});

const toInstall = "Install a C compiler (gcc or clang) and the npm package koffi, or leave the choice to Gradus.";

describe.skipIf(!hasNative)("without a compiler", () => {
  const lacking = "Native code cannot be made: no C compiler (cc, gcc or clang) in PATH.";
  const variables = () => ({ PATH: newFolder(), CC: "" });

  it.each([{}, { warmup: "wasm" }])("WebAssembly runs, and the note says why (%j)", async (options) => {
    const { codegen, note } = await choose(options, variables());
    expect([codegen, note]).toEqual(["wasm", lacking]);
  });

  it.each(asking)("native code that is asked for is an error that says what to install (%j)", async (wish) => {
    const failed = await choose(wish.options, { ...variables(), ...wish.variables });
    expect(failed).toEqual({ error: "CpuBackendError", message: `${lacking} ${toInstall}` });
  });

  it("a model learns what it learns with one", async () => {
    const [without, native] = [
      await train(home, {}, variables()),
      await train(home, {}, { GRADUS_CACHE_DIR: newFolder() }),
    ];
    expect([without.config.codegen, native.config.codegen]).toEqual(["wasm", "native"]);
    expectClose(without.losses, native.losses);
    expect(without.losses[7]).toBeLessThan(0.9 * without.losses[0]);
  });
});

describe("without koffi", () => {
  it("WebAssembly runs, and the note says why", async () => {
    const { codegen, note } = await choose({}, {}, withoutKoffi);
    expect(codegen).toBe("wasm");
    expect(note).toMatch(/^Native code cannot be made: koffi cannot be loaded \(Cannot find package 'koffi' .+\)\.$/);
  });

  it.each(asking)("native code that is asked for is an error that says what to install (%j)", async (wish) => {
    const { error, message } = await choose(wish.options, wish.variables, withoutKoffi);
    expect([error, message]).toEqual([
      "CpuBackendError",
      expect.stringMatching(/^Native code .*koffi cannot be loaded/),
    ]);
    expect(message.endsWith(`. ${toInstall}`)).toBe(true);
  });

  it("that works WebAssembly runs too, and the note is one line", async () => {
    const broken = join(withoutKoffi, "node_modules", "koffi");
    mkdirSync(broken);
    writeFileSync(join(broken, "package.json"), '{ "name": "koffi", "exports": "./index.cjs" }');
    writeFileSync(join(broken, "index.cjs"), 'throw new Error("No binary\\nfor this platform");');
    const { codegen, note } = await choose({}, {}, withoutKoffi);
    const lacking = "Native code cannot be made: koffi cannot be loaded (No binary for this platform).";
    expect([codegen, note]).toEqual(["wasm", lacking]);
  });
});

describe.skipIf(!hasNative)("a compiler that fails", () => {
  const failing = (part: string) =>
    compilerThat(`if [ $part = ${part} ]; then
      echo "$source: In function 'start':" >&2
      echo "$source:3:10: fatal error: pthread.h: No such file or directory" >&2
      echo "compilation terminated." >&2
      exit 1
    fi`);
  const inOneLine =
    /^Native code cannot be made: (gcc|clang) [\d.]+ did not make the runtime: it failed with exit code 1 and the message "\S+:3:10: fatal error: pthread\.h: No such file or directory"\./;

  it("at the runtime leaves WebAssembly, with its first error in a note of one line", async () => {
    const { codegen, note } = await choose({}, { CC: await failing("runtime") });
    expect(codegen).toBe("wasm");
    expect(note).toMatch(new RegExp(`${inOneLine.source}$`));
  });

  it.each(asking)("at the runtime is an error where native code is asked for (%j)", async (wish) => {
    const { error, message } = await choose(wish.options, { CC: await failing("runtime"), ...wish.variables });
    expect(error).toBe("CpuBackendError");
    expect(message).toMatch(inOneLine);
    expect(message.endsWith(` ${toInstall}`)).toBe(true);
  });

  it("at a program is an error that says how to do without, each time", async () => {
    const { out } = await run<Failed[]>(
      home,
      `import * as gd from "gradus";
       const failed = [];
       for (let i = 0; i < 2; i++) {
         await gd.tensor([1.5, 2]).exp().sum().item().catch((error) => {
           failed.push({ error: error.name, message: error.message });
         });
       }
       console.log(JSON.stringify(failed));`,
      {},
      { CC: await failing("program"), GRADUS_CACHE_DIR: newFolder() },
    );
    expect(out).toHaveLength(2);
    for (const { error, message } of out!) {
      expect(error).toBe("CompilationError");
      expect(message).toMatch(/pthread\.h: No such file or directory\n/);
      expect(message).toMatch(/\nSet GRADUS_CODEGEN=wasm to do without native code\.$/);
    }
  });
});
