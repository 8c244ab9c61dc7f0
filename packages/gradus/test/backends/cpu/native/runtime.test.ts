import { execFile, execFileSync } from "node:child_process";
import {
  constants as access,
  accessSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import {
  importKoffi,
  type Koffi,
  type Library,
  NativeRuntime,
  NativeRuntimeError,
  type Pool,
  type ProgramHandle,
} from "../../../../src/backends/cpu/native/runtime.ts";
import { abiHeader, runtimeSource } from "../../../../src/backends/cpu/native/sources.ts";
import { randomIntegers } from "../assemble.ts";

const koffi = await importKoffi();
const compiler = (process.env.PATH ?? "")
  .split(delimiter)
  .map((folder) => join(folder, "cc"))
  .find((file) => {
    try {
      accessSync(file, access.X_OK);
      return true;
    } catch {
      return false;
    }
  });
const onLinux = process.platform === "linux";

let folder = "";
/** Compiles a shared library, without a warning. */
function compile(name: string, source: string, flags: readonly string[] = []): string {
  const file = join(folder, `${name}.c`);
  const library = join(folder, `${name}.so`);
  writeFileSync(file, source);
  const args = ["-std=gnu11", "-O2", "-Wall", "-Wextra", "-fPIC", "-shared", "-pthread", ...flags, "-o", library, file];
  execFileSync(compiler!, [...args, "-Werror"], { stdio: ["ignore", "ignore", "pipe"] });
  return library;
}

const count = 61;
/** What the step `mix` does, over and over. */
function mixed(values: Int32Array, rounds: number): Int32Array {
  let from = values;
  for (let round = 0; round < rounds; round++) {
    const source = from;
    from = source.map((_, i) => Math.imul(31, source[(i + 1) % count]) + source[(7 * i) % count] + i);
  }
  return from;
}

interface Step {
  readonly name: string;
  readonly barrier?: boolean;
  /** Base and offset, of each. */
  readonly places?: readonly (readonly [number, number])[];
  /** Loops that threads share. */
  readonly loops?: number;
}

describe.skipIf(typeof koffi === "string" || compiler === undefined)("the native runtime", () => {
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "gradus-runtime-"));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  describe.each([
    { waiting: "futexes", flags: [] },
    { waiting: "condition variables", flags: ["-DGRADUS_NO_FUTEX"] },
  ])("whose threads sleep on $waiting", ({ waiting, flags }) => {
    const random = randomIntegers(11);
    const scratch = 3 * 65536;
    const memory = new WebAssembly.Memory({ initial: 4, maximum: 4, shared: true });
    const heap = new Uint8Array(memory.buffer);
    /** Words from an address on. */
    const words = (address: number, length: number) => new Int32Array(memory.buffer, address, length);
    const bases = Float64Array.of(1024, 65536, 2 * 65536);

    let runtime: NativeRuntime;
    let runtimePath: string;
    let steps: Library;
    beforeAll(async () => {
      const name = waiting.replaceAll(" ", "-");
      runtimePath = compile(`runtime-on-${name}`, runtimeSource(), flags);
      runtime = await NativeRuntime.load(koffi as Koffi, runtimePath);
      const source = abiHeader() + readFileSync(new URL("runtime-steps.c", import.meta.url), "utf8");
      steps = runtime.open(compile(`steps-for-${name}`, source));
    });

    const pools: Pool[] = [];
    const newPool = (threads: number): Pool => {
      const pool = runtime.createPool(threads);
      pools.push(pool);
      return pool;
    };
    const programs: ProgramHandle[] = [];
    const newProgram = (...list: readonly Step[]): ProgramHandle => {
      const rows: number[] = [];
      const places: number[] = [];
      for (const step of list) {
        const address = runtime.symbol(steps, step.name);
        rows.push(address, step.barrier === true ? 1 : 0, places.length / 2, step.loops ?? 0);
        places.push(...(step.places ?? []).flat());
      }
      const table = Float64Array.of(list.length, places.length / 2, ...rows, ...places);
      const program = runtime.createProgram(table);
      table.fill(-1); // a program keeps nothing of its table
      programs.push(program);
      return program;
    };
    afterEach(() => {
      pools.splice(0).forEach((pool) => {
        runtime.destroyPool(pool);
      });
      programs.splice(0).forEach((program) => {
        runtime.destroyProgram(program);
      });
      heap.fill(0);
    });
    const run = (pool: Pool, program: ProgramHandle, parallel = true) =>
      runtime.run(pool, program, heap, bases, scratch, 128, parallel);

    /** The address of a function of the runtime, for C to call. */
    const entry = (name: string): number => runtime.symbol(runtime.open(runtimePath), name);
    /** A function of runtime-steps.c that is called from here. */
    const driver = (name: string, parameters: string[]) =>
      (koffi as Koffi).decode(runtime.symbol(steps, name), (koffi as Koffi).proto("int32_t", parameters)) as (
        ...values: unknown[]
      ) => number;

    /** Mixes words to and fro between bases 0 and 1. */
    const mixing = (rounds: number): ProgramHandle =>
      newProgram(
        ...Array.from({ length: rounds }, (_, i): Step => {
          const places: Step["places"] = [
            [0, 8],
            [1, 12],
          ];
          return { name: "mix", barrier: true, places: i % 2 === 0 ? places : [places[1], places[0]] };
        }),
      );
    /** Has random words mixed; returns where the result differs. */
    function mistakes(pool: Pool, program: ProgramHandle, rounds: number, parallel = true): number {
      const values = Int32Array.from({ length: count }, random);
      words(bases[0] + 8, count).set(values);
      if (!run(pool, program, parallel)) return Number.NaN;
      const result = rounds % 2 === 0 ? words(bases[0] + 8, count) : words(bases[1] + 12, count);
      return mixed(values, rounds).filter((x, i) => x !== result[i]).length;
    }

    describe.each([1, 2, 3, 4])("with %i threads", (threads) => {
      it("has every thread see what the others wrote before a barrier, through 4000 of them", () => {
        const pool = newPool(threads);
        const [many, few] = [mixing(51), mixing(2)];
        for (let i = 0; i < 70; i++) expect(mistakes(pool, many, 51)).toBe(0);
        for (let i = 0; i < 200; i++) expect(mistakes(pool, few, 2)).toBe(0);
      });

      it("calls each step once on each thread, which has scratch of its own", () => {
        const pool = newPool(threads);
        const program = newProgram(
          { name: "record", places: [[2, 0]] },
          { name: "record", barrier: true, places: [[2, 64]] },
        );
        expect(run(pool, program)).toBe(true);
        for (const address of [bases[2], bases[2] + 64]) {
          const once = Array.from({ length: 8 }, (_, i) => (i < threads ? 1 : 0));
          expect([...words(address, 9)]).toEqual([...once, threads]);
        }
        for (let t = 0; t < 5; t++) expect(words(scratch + 128 * t, 1)[0]).toBe(t < threads ? t + 1 : 0);
      });

      it.runIf(threads > 1)("has each piece of a shared loop taken by one thread, in every run", () => {
        const pool = newPool(threads);
        const help = (base: number): Step => ({ name: "help", barrier: true, places: [[base, 0]], loops: 2 });
        const program = newProgram(help(0), { name: "record", barrier: true, places: [[1, 0]] }, help(2));
        const check = mixing(2);
        for (let i = 1; i <= 50; i++) {
          expect(run(pool, program)).toBe(true);
          // Those of threads that there are, in both loops of both steps.
          const counts = Array.from({ length: 80 }, (_, k) => (k % 40 < 5 * threads ? i : 0));
          for (const base of [bases[0], bases[2]]) expect([...words(base, 80)]).toEqual(counts);
        }
        expect(mistakes(pool, check, 2)).toBe(0);
      });

      it("runs the caller alone where it is asked for that", () => {
        const pool = newPool(threads);
        expect(run(pool, newProgram({ name: "record", barrier: true, places: [[2, 0]] }), false)).toBe(true);
        expect([...words(bases[2], 9)]).toEqual([1, 0, 0, 0, 0, 0, 0, 0, 1]);
        expect(mistakes(pool, mixing(9), 9, false)).toBe(0);
        expect(mistakes(pool, mixing(9), 9)).toBe(0);
      });

      it("runs part of a program", () => {
        const pool = newPool(threads);
        const places = (i: number): Step["places"] => [[2, 64 * i]];
        const program = newProgram(
          ...[0, 1, 2, 3].map((i): Step => ({ name: "record", barrier: true, places: places(i) })),
        );
        const counts = () => [0, 1, 2, 3].map((i) => words(bases[2] + 64 * i, 1)[0]);
        for (const parallel of [false, true]) runtime.run(pool, program, heap, bases, scratch, 128, parallel, 1, 2);
        expect(counts()).toEqual([0, 2, 2, 0]);
        runtime.run(pool, program, heap, bases, scratch, 128, true, 3);
        runtime.run(pool, program, heap, bases, scratch, 128, true, 0, 0);
        expect(counts()).toEqual([0, 2, 2, 1]);
      });

      it("ends a program with the fault of any thread, and then runs the next", () => {
        const pool = newPool(threads);
        const [trip, record] = [bases[0], bases[2]];
        const program = newProgram(
          { name: "record", places: [[2, 128]] },
          { name: "trip", barrier: true, places: [[0, 0]] },
          { name: "record", barrier: true, places: [[2, 0]] },
          ...Array.from({ length: 20 }, (): Step => ({ name: "record", barrier: true, places: [[2, 0]] })),
        );
        const check = mixing(6);
        for (let i = 0; i < 10 * threads; i++) {
          words(trip, 10).fill(0)[0] = i % threads;
          expect(run(pool, program)).toBe(false);
          expect(words(trip, 10)[1 + (i % threads)]).toBe(0);
          expect([...words(record, 9)]).toEqual(new Array(9).fill(0));
          expect(mistakes(pool, check, 6)).toBe(0);
        }
        words(trip, 1)[0] = 0;
        expect(run(pool, program, false)).toBe(false);
        words(trip, 1)[0] = threads; // nobody
        expect(run(pool, program)).toBe(true);
        expect(words(record, 9)[8]).toBe(threads);
      });

      it("wakes threads that fell asleep at barriers and between programs", async () => {
        const pool = newPool(threads);
        const turn: Step = { name: "dawdle", barrier: true, places: [[2, 0]] };
        const program = newProgram(turn, ...new Array<Step>(7).fill(turn));
        const check = mixing(3);
        for (let i = 0; i < 10; i++) {
          await sleep(2);
          expect(run(pool, program)).toBe(true);
          expect(words(bases[2], 1)[0]).toBeGreaterThan(8 * i);
          await sleep(2);
          expect(mistakes(pool, check, 3)).toBe(0);
        }
      });
    });

    it.each([2, 3])("waits for a thread at work when others of %i have met a fault", (threads) => {
      expect(run(newPool(threads), newProgram({ name: "linger", places: [[0, 0]] }))).toBe(false);
      expect(words(bases[0], 2)[1]).toBe(1);
    });

    it("keeps several pools and programs at once", () => {
      const live = [1, 2, 3, 4, 2].map(newPool);
      const rounds = [1, 2, 17];
      const list = rounds.map(mixing);
      for (let i = 0; i < 60; i++) {
        expect(mistakes(live[i % live.length], list[i % list.length], rounds[i % list.length])).toBe(0);
      }
    });

    it("lets threads of the system's run programs on one pool in turn, and on two at the same time", () => {
      const fromTwo = driver("run_from_two", [
        ...["uintptr_t", "void *", "void *", "void *", "void *", "double", "double"],
      ]);
      const [a, b] = [newPool(2), newPool(3)];
      const places: Step["places"] = [[0, 0]];
      const program = newProgram(
        { name: "enter", places },
        {
          name: "mix",
          barrier: true,
          places: [
            [0, 256],
            [0, 512],
          ],
        },
        {
          name: "mix",
          barrier: true,
          places: [
            [0, 512],
            [0, 256],
          ],
        },
        { name: "leave", barrier: true, places },
      );
      expect(fromTwo(entry("gradus_run"), a, a, program, heap, bases[0], bases[0])).toBe(0);
      expect([...words(bases[0], 2)]).toEqual([0, 0]);
      expect(fromTwo(entry("gradus_run"), a, b, program, heap, bases[0], bases[1])).toBe(0);
      expect([...words(bases[1], 2)]).toEqual([0, 0]);
    });

    it("takes no time while idle", async () => {
      const pool = newPool(4);
      expect(mistakes(pool, mixing(4), 4)).toBe(0);
      await sleep(20);
      const before = process.cpuUsage();
      await sleep(300);
      const { user, system } = process.cpuUsage(before);
      expect(user + system).toBeLessThan(150_000); // microseconds: one spinning thread alone would take 300,000
    });

    it("runs programs in a forked process on its only thread", () => {
      const inFork = driver("run_in_fork", ["uintptr_t", "uintptr_t", "void *", "void *"]);
      const pool = newPool(3);
      const step: Step = { name: "record", barrier: true, places: [[0, 0]] };
      const program = newProgram(step, step);
      expect(run(pool, program)).toBe(true);
      const [gradusRun, destroy] = [entry("gradus_run"), entry("gradus_pool_destroy")];
      for (let i = 0; i < 3; i++) expect(inFork(gradusRun, destroy, pool, program)).toBe(0);
      expect(mistakes(pool, mixing(5), 5)).toBe(0);
    });

    it.runIf(onLinux)("has threads that carry its name and leave signals to others, until their pool ends", () => {
      const threads = () =>
        readdirSync("/proc/self/task")
          .map((id) => readFileSync(`/proc/self/task/${id}/status`, "utf8"))
          .filter((status) => /^Name:\tgradus$/m.test(status));
      const before = threads().length;
      const pool = runtime.createPool(4);
      expect(run(pool, newProgram({ name: "record", places: [[0, 0]] }))).toBe(true);
      const found = threads();
      expect(found.length - before).toBe(3);
      // SIGKILL and SIGSTOP cannot be blocked, and the C library keeps two (bits 31 and 32) for itself.
      for (const status of found) expect(status).toMatch(/^SigBlk:\tfffffff[0-9a-f]7ffbfeff$/m);
      runtime.destroyPool(pool);
      expect(threads().length).toBe(before);
    });

    it("refuses tables that are no programs, and runs that do not fit theirs", () => {
      const step = runtime.symbol(steps, "record");
      for (const table of [
        [],
        [1],
        [1, 0],
        [1, 0, step, 0, 0],
        [1, 0, step, 0, 0, 0, 0],
        [1, 0, 0, 0, 0, 0],
        [1, 0, step, 2, 0, 0],
        [1, 0, step, 0, 1, 0],
        [1, 0, step, 0, 0.5, 0],
        [1, 0, step, 0, 0, -1],
        [1, 0, step, 0, 0, 0.5],
        [1, 0, step, 0, 0, 2 ** 21],
        [1, 0, Number.NaN, 0, 0, 0],
        [-1, 3, 0],
        [1e300, 0],
        [0, 1, -1, 0],
        [0, 1, 0, 0.25],
      ]) {
        expect(() => runtime.createProgram(Float64Array.from(table)), String(table)).toThrow(NativeRuntimeError);
      }
      const pool = newPool(2);
      const program = newProgram({ name: "record", places: [[2, 0]] });
      expect(() => runtime.run(pool, program, heap, bases.subarray(0, 2), 0, 0, true)).toThrow(/2 bases/);
      expect(() => runtime.run(pool, program, heap, bases, 0, 0, true, 2)).toThrow(/from step 2/);
      expect(() => runtime.run(pool, program, heap, bases, 0, 0, true, 0, 2)).toThrow(/2 steps/);
      expect(run(pool, newProgram())).toBe(true);
      expect([...words(bases[2], 9)]).toEqual(new Array(9).fill(0));
    });

    it("says what is wrong with a library, a symbol or a number of threads", async () => {
      expect(() => runtime.open(join(folder, "nowhere.so"))).toThrow(/nowhere\.so/);
      expect(() => runtime.symbol(steps, "nothing")).toThrow(/nothing/);
      for (const threads of [-1, 0, 1025]) expect(() => runtime.createPool(threads)).toThrow(/out of bounds/);
      const other = compile("other", "int gradus_none = 0;");
      await expect(NativeRuntime.load(koffi as Koffi, other)).rejects.toThrow(NativeRuntimeError);
    });

    /** Runs a program on a pool of 4 that is never ended, then `end`, in a process or a worker of it. */
    const script = (end: string): string => `
      const { readFileSync } = require("node:fs");
      const { createRequire } = require("node:module");
      const { isMainThread, parentPort, Worker } = require("node:worker_threads");
      const koffi = createRequire(${JSON.stringify(import.meta.url)})("koffi");
      const path = ${JSON.stringify(runtimePath)};
      const work = () => {
        const library = koffi.load(path);
        const address = "void *";
        const pool = library.func("gradus_pool_create", address, ["int"])(4);
        const program = library.func("gradus_program_create", address, [address, "int"])(Float64Array.of(0, 0), 2);
        const run = library.func("gradus_run", "int", [address, address, address, address, "int", "double", "double", "int", "int", "int"]);
        const code = run(pool, program, new Uint8Array(64), new Float64Array(1), 1, 0, 0, 1, 0, -1);
        process.stdout.write("ran " + code);
      };
      ${end}`;

    it.each([
      { end: "with its event loop", code: "work();" },
      { end: "at once, its threads awake", code: "work(); process.exit();" },
      { end: "after a while, its threads asleep", code: "work(); setTimeout(process.exit, 20);" },
      {
        end: "after the Node worker that made the pool",
        code: `
          if (!isMainThread) work();
          else new Worker(__filename).on("exit", () => setTimeout(() => {
            // The threads sleep in the library's code, which koffi by then has given up.
            const { platform } = process;
            const there = platform !== "linux" || readFileSync("/proc/self/maps", "utf8").includes(path);
            process.stdout.write(there ? "." : ", unloaded");
          }, 50));`,
      },
    ])("lets a process end $end", async ({ code }) => {
      const file = join(folder, "process.cjs");
      writeFileSync(file, script(code));
      // A process that hangs would be killed here, and the promise reject, as it does for one that crashes.
      const { stdout } = await promisify(execFile)(process.execPath, [file], { timeout: 20_000 });
      expect(stdout).toMatch(/^ran 0\.?$/);
    });
  });

  it("is one translation unit that includes no file of Gradus", () => {
    expect(runtimeSource()).not.toMatch(/#include "/);
    expect(runtimeSource()).toContain(abiHeader());
  });
});
