import { afterEach, describe, expect, it, vi } from "vitest";
import { controlLayout } from "../../../src/backends/cpu/control.ts";
import { Heap } from "../../../src/backends/cpu/heap.ts";
import { createMath } from "../../../src/backends/cpu/math.ts";
import {
  ProgramError,
  ThreadPool,
  ThreadPoolError,
  type ThreadPoolOptions,
} from "../../../src/backends/cpu/threads.ts";
import { randomIntegers } from "./assemble.ts";
import {
  failing,
  meet,
  mixed,
  mixing,
  programOf,
  summing,
  thread,
  threads as threadsLocal,
} from "./thread-programs.ts";

const random = randomIntegers(5);
const newHeap = (shared = true) => new Heap({ shared, reservedBytes: controlLayout.size });

const pools: ThreadPool[] = [];
async function newPool(heap: Heap, threads: number, options?: ThreadPoolOptions): Promise<ThreadPool> {
  const pool = await ThreadPool.create(heap, threads, options);
  pools.push(pool);
  return pool;
}
afterEach(async () => {
  await Promise.all(pools.splice(0).map((pool) => pool.terminate()));
});

/** Puts words into the heap and returns their address. */
function place(heap: Heap, words: ArrayLike<number>): number {
  const address = heap.allocate(4 * words.length);
  heap.i32(address, words.length).set(words);
  return address;
}

describe.each([
  { threads: 1, shared: false },
  { threads: 1, shared: true },
  { threads: 2, shared: true },
  { threads: 4, shared: true },
])("a pool of $threads threads (shared memory: $shared)", ({ threads, shared }) => {
  it("computes the same as one thread, in each of 1000 runs with several barriers", async () => {
    const heap = newHeap(shared);
    const pool = await newPool(heap, threads);
    const program = pool.load(mixing(heap));
    const [length, rounds] = [61, 5];
    const [a, b] = [place(heap, new Int32Array(length)), place(heap, new Int32Array(length))];
    const parameters = place(heap, [a, b, length, rounds]);
    for (let run = 0; run < 1000; run++) {
      const values = Int32Array.from({ length }, random);
      heap.i32(a, length).set(values);
      pool.run(program, parameters, true);
      const wrong = mixed(values, rounds).some((x, i) => x !== heap.i32(b, length)[i]);
      if (wrong) expect(heap.i32(b, length), `run ${run}`).toEqual(mixed(values, rounds));
    }
    expect(heap.liveBlocks).toBe(3); // the module's bytes are given back
  });

  it("sums an array", async () => {
    const heap = newHeap(shared);
    const pool = await newPool(heap, threads);
    const values = Float64Array.from({ length: 10_000 }, () => (random() % 2000) - 1000);
    const array = heap.allocate(values.byteLength);
    heap.f64(array, values.length).set(values);
    const partials = heap.allocate(8 * (threads + 1)) + 8;
    const parameters = place(heap, [array, values.length, partials]);
    const program = pool.load(summing(heap));
    const sum = values.reduce((sum, x) => sum + x); // exact: integers
    for (const parallel of [true, false, true]) {
      heap.f64(partials - 8, 1)[0] = Number.NaN;
      pool.run(program, parameters, parallel);
      expect(heap.f64(partials - 8, 1)[0]).toBe(sum);
    }
  });

  it("surfaces the failure of any thread, and goes on", async () => {
    const heap = newHeap(shared);
    const pool = await newPool(heap, threads);
    const program = pool.load(failing(heap));
    for (let round = 0; round < 3; round++) {
      for (let faulty = 0; faulty < threads; faulty++) {
        const error = await pool.runAsync(program, faulty, true).catch((error) => error);
        expect(error).toBeInstanceOf(ProgramError);
        expect(error).toMatchObject({ thread: faulty, message: expect.stringMatching(/divide by zero/) });
        pool.run(program, -1, true);
      }
    }
    expect(heap.liveBlocks).toBe(0);
  });

  it("runs the functions of Math on every thread", async () => {
    const heap = newHeap(shared);
    const pool = await newPool(heap, threads);
    const results = heap.allocate(8 * threads);
    const program = pool.load(
      programOf(heap, (run, _, erf) => {
        run.i32(results).get(thread).i32(8).op("i32.mul").op("i32.add");
        run.get(thread).op("f64.convert_i32_s").f64(0.25).op("f64.add").call(erf).memory("f64.store", 0);
      }),
    );
    pool.run(program, 0, true);
    const { erf } = createMath();
    expect([...heap.f64(results, threads)]).toEqual(Array.from({ length: threads }, (_, i) => erf(i + 0.25)));
  });
});

describe("a pool", () => {
  it("sees memory that grew between runs, programs included", async () => {
    const heap = newHeap();
    const pool = await newPool(heap, 3);
    const program = pool.load(mixing(heap));
    for (let run = 0; run < 4; run++) {
      heap.allocate(40 * 2 ** 20); // what follows lies in pages that are new
      const values = Int32Array.from({ length: 100 }, random);
      const [a, b] = [place(heap, values), place(heap, values)];
      const later = pool.load(mixing(heap)); // its bytes, too, are handed over in new pages
      for (const each of [program, later]) {
        heap.i32(a, 100).set(values);
        pool.run(each, place(heap, [a, b, 100, 3]), true);
        expect(heap.i32(b, 100)).toEqual(mixed(values, 3));
      }
    }
  });

  it("runs programs beyond 2 GiB", async () => {
    const heap = newHeap();
    const pool = await newPool(heap, 2);
    heap.allocate(2 ** 31); // never touched
    const values = Int32Array.from({ length: 10 }, random);
    const [a, b] = [place(heap, values), place(heap, values)];
    expect(a).toBeGreaterThan(2 ** 31);
    pool.run(pool.load(mixing(heap)), place(heap, [a, b, 10, 1]), true);
    expect(heap.i32(b, 10)).toEqual(mixed(values, 1));
  });

  it("holds many programs, forgets them, and does not run what it forgot", async () => {
    const heap = newHeap();
    const pool = await newPool(heap, 2);
    const cell = place(heap, [0, 0]);
    const adding = (amount: number) =>
      programOf(heap, (run, barrier) => {
        run.get(thread).i32(4).op("i32.mul").i32(amount).memory("i32.atomic.rmw.add", cell).op("drop");
        meet(run, barrier);
      });
    let total = 0;
    for (let i = 1; i <= 120; i++) {
      const program = pool.load(adding(i));
      pool.run(program, 0, true);
      total += i;
      if (i % 3 === 0) {
        pool.unload(program);
        expect(() => pool.run(program, 0, true)).toThrow(ThreadPoolError);
      }
    }
    expect([...heap.i32(cell, 2)]).toEqual([total, total]);
  });

  it("tells each thread its number and how many there are", async () => {
    const heap = newHeap();
    const pool = await newPool(heap, 4);
    const seen = place(heap, new Int32Array(8));
    const program = pool.load(
      programOf(heap, (run) => {
        run.i32(seen).get(thread).i32(8).op("i32.mul").op("i32.add");
        run.get(thread).get(threadsLocal).i32(16).op("i32.shl").op("i32.or").memory("i32.store", 0);
      }),
    );
    const reported = () => [...heap.i32(seen, 8)].filter((_, i) => i % 2 === 0).map((x) => [x & 0xffff, x >> 16]);
    pool.run(program, 0, true);
    expect(reported()).toEqual([0, 1, 2, 3].map((number) => [number, 4]));
    heap.i32(seen, 8).fill(0);
    pool.run(program, 0, false);
    expect(reported()).toEqual([[0, 1], ...[1, 2, 3].map(() => [0, 0])]);
  });

  it("is refused where it cannot work, with what to do", async () => {
    await expect(newPool(newHeap(false), 2)).rejects.toThrow(/need a shared heap.* Use one thread/);
    await expect(newPool(newHeap(), 0)).rejects.toThrow(ThreadPoolError);
    await expect(newPool(new Heap({ shared: true, reservedBytes: 64 }), 2)).rejects.toThrow(/reservedBytes/);
    const heap = newHeap();
    const pool = await newPool(heap, 2);
    await expect(newPool(heap, 2)).rejects.toThrow(/another pool already/);
    const program = pool.load(failing(heap));
    await pool.terminate();
    expect(() => pool.run(program, -1, true)).toThrow(/it was terminated/);
    expect((await newPool(heap, 2)).threads).toBe(2); // the heap is free again
  });

  it("says so when its workers do not start in time", async () => {
    await expect(newPool(newHeap(), 3, { startTimeout: 0 })).rejects.toThrow(/0 of 2 were up after 0 ms/);
  });
});

describe.each(["Atomics.waitAsync", "messages"])("a caller that must not block, woken by %s", (means) => {
  async function asyncPool(heap: Heap, threads: number): Promise<ThreadPool> {
    vi.resetModules();
    const { waitAsync } = Atomics as unknown as Record<string, unknown>;
    if (means === "messages") Reflect.deleteProperty(Atomics, "waitAsync");
    try {
      const module = await import("../../../src/backends/cpu/threads.ts");
      const pool = await module.ThreadPool.create(heap, threads, { canBlock: false });
      pools.push(pool);
      return pool;
    } finally {
      Object.assign(Atomics, { waitAsync });
    }
  }

  it("gets what the workers computed, runs being done in order", async () => {
    const heap = newHeap();
    const pool = await asyncPool(heap, 3);
    expect(pool.canBlock).toBe(false);
    const program = pool.load(mixing(heap));
    const values = Int32Array.from({ length: 50 }, random);
    const [a, b] = [place(heap, values), place(heap, values)];
    const there = place(heap, [a, b, 50, 1]);
    const back = place(heap, [b, a, 50, 1]);
    const runs: Promise<void>[] = [];
    for (let round = 0; round < 100; round++) {
      runs.push(pool.runAsync(program, there, true), pool.runAsync(program, back, round % 10 !== 0));
    }
    expect(() => pool.run(program, there, false)).toThrow(/Await them first/);
    await Promise.all(runs);
    expect(heap.i32(a, 50)).toEqual(mixed(values, 200));
    expect(() => pool.run(program, there, true)).toThrow(/Await runAsync/);
    pool.run(program, there, false);
    expect(heap.i32(b, 50)).toEqual(mixed(values, 201));
  });

  it("hears of a failure, and later runs go on", async () => {
    const heap = newHeap();
    const pool = await asyncPool(heap, 3);
    const program = pool.load(failing(heap));
    for (let faulty = 0; faulty < 3; faulty++) {
      const [failed, fine] = await Promise.allSettled([
        pool.runAsync(program, faulty, true),
        pool.runAsync(program, -1, true),
      ]);
      expect(failed).toMatchObject({ status: "rejected", reason: { thread: faulty } });
      expect(fine).toMatchObject({ status: "fulfilled" });
    }
  });

  it("is not left waiting by a termination", async () => {
    const heap = newHeap();
    const pool = await asyncPool(heap, 2);
    const forever = pool.load(
      programOf(heap, (run) => {
        run.loop().br(0).end();
      }),
    );
    const run = pool.runAsync(forever, 0, true);
    await new Promise((resolve) => setTimeout(resolve, 10));
    await pool.terminate();
    await expect(run).rejects.toThrow(/it was terminated/);
  });
});
