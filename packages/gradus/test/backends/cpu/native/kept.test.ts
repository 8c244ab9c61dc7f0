// What native code leaves on disk, from end to end: that it is found again, that it can be missing, and that nothing is
// loaded which somebody else could have put there. Every run is a process with an environment of its own.

import { createHash } from "node:crypto";
import {
  chmodSync,
  cpSync,
  existsSync,
  lstatSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import type { Config } from "gradus";
import { beforeAll, describe, expect, it } from "vitest";
import { NativeCompiler } from "../../../../src/backends/cpu/native/compiler.ts";
import { LibraryCache } from "../../../../src/backends/cpu/native/library-cache.ts";
import { findToolchain, type Toolchain } from "../../../../src/backends/cpu/native/toolchain.ts";
import { hasNative } from "../../../support/native.ts";
import { announcement, compilerThat, install, run, train } from "./installed.ts";
import { isRoot, newFolder } from "./support.ts";

describe.skipIf(!hasNative)("native code", () => {
  let home = "";
  /** A cache with all that `compute` runs, and what it came to when nothing was there. */
  let filled = "";
  let cold: Computed;
  /** A library that leaves a mark when it is loaded. */
  let stranger = "";

  beforeAll(async () => {
    home = await install({ koffi: true });
    filled = join(home, "filled");
    cold = await compute({ GRADUS_CACHE_DIR: filled });
    const source = `
      #include <fcntl.h>
      #include <stdlib.h>
      __attribute__((constructor)) static void leave_mark(void) {
        const char *mark = getenv("GRADUS_TEST_MARK");
        if (mark != NULL) open(mark, O_CREAT | O_WRONLY, 0600);
      }`;
    const cache = LibraryCache.open({ folder: join(home, "strange") });
    [stranger] = await new NativeCompiler((await findToolchain()) as Toolchain, cache).compile([source]);
  }, 60_000);

  interface Computed {
    readonly config: Config;
    readonly bits: string;
  }

  /** Runs a small program. */
  async function compute(variables: NodeJS.ProcessEnv): Promise<Computed> {
    const source = `
      import { createHash } from "node:crypto";
      import * as gd from "gradus";
      gd.manualSeed(20250917);
      const values = await gd.randn([40, 24]).matmul(gd.randn([24, 24])).tanh().data();
      const bits = createHash("sha256").update(values).digest("hex");
      console.log(JSON.stringify({ config: gd.config(), bits }));`;
    const { code, out, err } = await run<Computed>(home, source, {}, variables);
    expect([code, err]).toEqual([0, expect.stringMatching(announcement)]);
    return out!;
  }

  const librariesIn = (cache: string): string[] =>
    readdirSync(join(cache, "native")).map((name) => join(cache, "native", name));
  const keyOf = (file: string): string => /([0-9a-f]{64})\.[0-9a-f]{32}\.so$/.exec(file)![1];
  const digestOf = (file: string): string => createHash("sha256").update(readFileSync(file)).digest("hex").slice(0, 32);

  /** A copy of the cache that the first run filled. */
  function filledCache(): string {
    const cache = newFolder();
    cpSync(filled, cache, { recursive: true });
    return cache;
  }

  /** There is one whole library of this user's for each key, and nothing else. */
  function expectSound(cache: string): void {
    for (const file of librariesIn(cache)) {
      expect(file.endsWith(`${keyOf(file)}.${digestOf(file)}.so`)).toBe(true);
      const status = lstatSync(file);
      expect([status.isFile(), status.mode & 0o777]).toEqual([true, 0o600]);
    }
    expect(librariesIn(cache).map(keyOf).sort()).toEqual(librariesIn(filled).map(keyOf).sort());
  }

  it("is kept for this user alone", () => {
    expect(cold.config).toEqual({ device: "cpu", codegen: "native", threads: expect.any(Number) });
    expect(librariesIn(filled).length).toBeGreaterThan(1);
    expectSound(filled);
    expect(statSync(join(filled, "native")).mode & 0o777).toBe(0o700);
  });

  it("gives the same bits when it was kept, which takes no compiler, and with 1 and 2 threads", async () => {
    const log = join(newFolder(), "log");
    const variables = { CC: await compilerThat(`echo run >> '${log}'`), GRADUS_CACHE_DIR: newFolder() };
    const bits: string[] = [];
    for (const threads of [1, 2, 1]) {
      const trained = await train(home, { threads }, variables);
      expect(trained.config).toEqual({ device: "cpu", codegen: "native", threads });
      bits.push(trained.bits);
      const compiled = readFileSync(log, "utf8").split("\n").length - 1;
      expect(compiled).toBe(librariesIn(variables.GRADUS_CACHE_DIR).length);
    }
    expect(new Set(bits).size).toBe(1);
  });

  it("gives the same bits in two processes that start at once with nothing kept", async () => {
    const GRADUS_CACHE_DIR = join(newFolder(), "cache");
    const [one, other] = await Promise.all([1, 2].map(() => compute({ GRADUS_CACHE_DIR })));
    expect([one, other]).toEqual([cold, cold]);
    // Each may have made its own.
    const keys = new Set(librariesIn(GRADUS_CACHE_DIR).map(keyOf));
    expect([...keys].sort()).toEqual(librariesIn(filled).map(keyOf).sort());
  });

  describe("where it cannot be kept", () => {
    const advice = "Set GRADUS_CACHE_DIR to a folder of your own to keep it.";

    /** Runs all the same, and gives the note. What was made meanwhile is gone. */
    async function noteWith(cache: string, variables: NodeJS.ProcessEnv = {}): Promise<string> {
      const TMPDIR = newFolder();
      const { config, bits } = await compute({ GRADUS_CACHE_DIR: cache, TMPDIR, ...variables });
      expect([config.codegen, bits]).toEqual(["native", cold.bits]);
      expect(readdirSync(TMPDIR)).toEqual([]);
      return config.note!;
    }

    it("because the folder would be below a file runs, and a note says so in one line", async () => {
      const file = join(newFolder(), "file");
      writeFileSync(file, "no folder");
      const note = await noteWith(join(file, "below"));
      expect(note).toMatch(/^Native code is kept for this process only: ENOTDIR\b.*\. Set/);
      expect(note.endsWith(`. ${advice}`)).toBe(true);
    });

    it.skipIf(isRoot)("because the folder may only be read runs, and a note says so in one line", async () => {
      const folder = newFolder();
      chmodSync(folder, 0o500);
      expect(await noteWith(join(folder, "cache"))).toMatch(/^Native code is kept for this process only: EACCES\b/);
    });

    it("because others may write to the folder runs without what is in there, and a note says so", async () => {
      const cache = filledCache();
      for (const file of librariesIn(cache)) planting["as it is"](file);
      chmodSync(join(cache, "native"), 0o777);
      const mark = join(newFolder(), "mark");
      const note = await noteWith(cache, { GRADUS_TEST_MARK: mark });
      const reason = `${join(cache, "native")} may be written by others (mode 777)`;
      expect(note).toBe(`Native code is kept for this process only: ${reason}. ${advice}`);
      expect(existsSync(mark)).toBe(false);
    });

    it("nor be made in a temporary folder leaves WebAssembly, and a note says so in one line", async () => {
      const file = join(newFolder(), "file");
      writeFileSync(file, "no folder");
      const { config } = await compute({ GRADUS_CACHE_DIR: join(file, "below"), TMPDIR: join(file, "below") });
      expect(config.codegen).toBe("wasm");
      expect(config.note).toMatch(/^Native code cannot be made: .*ENOTDIR.*set TMPDIR to another folder\.$/);
    });
  });

  /** Ways to put the stranger in a library's place under a name that tells its own digest. */
  const planting = {
    "as it is": (file: string): string => {
      const planted = join(dirname(file), `${keyOf(file)}.${digestOf(stranger)}.so`);
      rmSync(file);
      cpSync(stranger, planted);
      chmodSync(planted, 0o600);
      return planted;
    },
    "as a file that others may write": (file: string) => chmodSync(planting["as it is"](file), 0o622),
    "as a link": (file: string) => {
      const planted = planting["as it is"](file);
      rmSync(planted);
      symlinkSync(stranger, planted);
    },
  };

  /** What may have become of a library. */
  const damages: { readonly [how: string]: (file: string) => unknown } = {
    "cut short": (file) => truncateSync(file, lstatSync(file).size >> 1),
    emptied: (file) => truncateSync(file, 0),
    "changed in one bit": (file) => {
      const bytes = readFileSync(file);
      bytes[bytes.length >> 1] ^= 0x10;
      writeFileSync(file, bytes);
    },
    "made writable by others": (file) => chmodSync(file, 0o622),
    "overwritten by another": (file) => writeFileSync(file, readFileSync(stranger)),
    "renamed to another": (file) => renameSync(file, file.replace(/\.[0-9a-f]{32}/, `.${"0".repeat(32)}`)),
    "replaced by another that others may write": planting["as a file that others may write"],
    "replaced by a link to another": planting["as a link"],
  };

  it.each(Object.entries(damages))("that was %s is never loaded, but made anew", async (_, damage) => {
    const cache = filledCache();
    for (const file of librariesIn(cache)) damage(file);
    const mark = join(newFolder(), "mark");
    const again = await compute({ GRADUS_CACHE_DIR: cache, GRADUS_TEST_MARK: mark });
    expect(again).toEqual(cold);
    expect(existsSync(mark)).toBe(false);
    expectSound(cache);
  });

  // Without this the test before would show nothing.
  it("of this user's own making is loaded whatever it is, and then tells by a mark", async () => {
    const cache = filledCache();
    for (const file of librariesIn(cache)) planting["as it is"](file);
    const mark = join(newFolder(), "mark");
    const { config } = await compute({ GRADUS_CACHE_DIR: cache, GRADUS_TEST_MARK: mark });
    expect(existsSync(mark)).toBe(true);
    expect(config.codegen).toBe("wasm");
    expect(config.note).toMatch(/did not make the runtime: .* cannot be loaded: .*Have it compiled anew\.$/);
  });
});
