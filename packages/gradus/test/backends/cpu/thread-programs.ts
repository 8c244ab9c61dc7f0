// Programs for the thread pool, written with the assembler, and what they compute written in JavaScript.

import type { Heap } from "../../../src/backends/cpu/heap.ts";
import { type FunctionBuilder, ModuleBuilder } from "../../../src/backends/cpu/wasm/assembler.ts";
import { emitBarrier } from "../../../src/backends/cpu/wasm/barrier.ts";

export const [thread, threads, parameters] = [0, 1, 2];

/** A program whose body may call the barrier and `math.erf`. */
export function programOf(
  heap: Heap,
  body: (run: FunctionBuilder, barrier: FunctionBuilder, erf: number) => void,
): Uint8Array<ArrayBuffer> {
  const module = new ModuleBuilder();
  module.importMemory("env", "memory", heap.memoryImport);
  const erf = module.importFunction("math", "erf", { params: ["f64"], results: ["f64"] });
  const barrier = emitBarrier(module);
  const run = module.defineFunction({ params: ["i32", "i32", "i32"], results: [] }, "run");
  module.exportFunction("run", run);
  body(run, barrier, erf);
  return module.finish();
}

/** Meets at the barrier, and returns from the program when another thread has failed. */
export function meet(run: FunctionBuilder, barrier: FunctionBuilder): void {
  run.get(threads).call(barrier.index).if().op("return").end();
}

/**
 * Rounds of to[i] = 3 from[i] + from[(i + length / 2) mod length], the two arrays changing places after each, with a
 * barrier between rounds: a thread that ran ahead or read too early would change the result. Parameters: the addresses
 * of the two i32 arrays, their length, the rounds.
 */
export function mixing(heap: Heap): Uint8Array<ArrayBuffer> {
  return programOf(heap, (run, barrier) => {
    const [from, to, length, rounds, i, end, swap] = Array.from({ length: 7 }, () => run.local("i32")) as [
      number,
      ...number[],
    ];
    for (const [k, local] of [from, to, length, rounds].entries()) {
      run
        .get(parameters)
        .memory("i32.load", 4 * k)
        .set(local!);
    }
    const share = (of: () => void, local: number) => {
      run.get(length!);
      of();
      run.op("i32.mul").get(threads).op("i32.div_u").set(local);
    };
    const element = (array: number, index: () => void) => {
      run.get(array);
      index();
      run.i32(4).op("i32.mul").op("i32.add");
    };
    run.loop();
    share(() => run.get(thread), i!);
    share(() => run.get(thread).i32(1).op("i32.add"), end!);
    run.block().loop();
    run.get(i!).get(end!).op("i32.ge_u").brIf(1);
    element(to!, () => run.get(i!));
    element(from, () => run.get(i!));
    run.memory("i32.load", 0).i32(3).op("i32.mul");
    element(from, () => run.get(i!).get(length!).i32(1).op("i32.shr_u").op("i32.add").get(length!).op("i32.rem_u"));
    run.memory("i32.load", 0).op("i32.add").memory("i32.store", 0);
    run.get(i!).i32(1).op("i32.add").set(i!).br(0);
    run.end().end();
    meet(run, barrier);
    run.get(from).set(swap!).get(to!).set(from).get(swap!).set(to!);
    run.get(rounds!).i32(1).op("i32.sub").tee(rounds!).brIf(0);
    run.end();
  });
}

export function mixed(values: Int32Array, rounds: number): Int32Array {
  let from = values.slice();
  for (let round = 0; round < rounds; round++) {
    from = from.map((x, i) => Math.imul(x, 3) + from[(i + (from.length >> 1)) % from.length]!);
  }
  return from;
}

/**
 * Sums f64s: each thread its share into partial[thread], then, past the barrier, thread 0 the partials into
 * partial[-1].
 */
export function summing(heap: Heap): Uint8Array<ArrayBuffer> {
  return programOf(heap, (run, barrier) => {
    const [i, end] = [run.local("i32"), run.local("i32")];
    const sum = run.local("f64");
    const parameter = (k: number) => run.get(parameters).memory("i32.load", 4 * k); // array, length, partials
    const add = (array: number) => {
      run.block().loop();
      run.get(i).get(end).op("i32.ge_u").brIf(1);
      parameter(array).get(i).i32(8).op("i32.mul").op("i32.add").memory("f64.load", 0).get(sum).op("f64.add").set(sum);
      run.get(i).i32(1).op("i32.add").set(i).br(0);
      run.end().end();
    };
    parameter(1).get(thread).op("i32.mul").get(threads).op("i32.div_u").set(i);
    parameter(1).get(thread).i32(1).op("i32.add").op("i32.mul").get(threads).op("i32.div_u").set(end);
    add(0);
    parameter(2).get(thread).i32(8).op("i32.mul").op("i32.add").get(sum).memory("f64.store", 0);
    meet(run, barrier);
    run.get(thread).op("i32.eqz").if();
    run.f64(0).set(sum).i32(0).set(i).get(threads).set(end);
    add(2);
    parameter(2).i32(8).op("i32.sub").get(sum).memory("f64.store", 0);
    run.end();
  });
}

/** The thread of this number divides by zero; the others meet at a barrier that it never reaches. */
export function failing(heap: Heap): Uint8Array<ArrayBuffer> {
  return programOf(heap, (run, barrier) => {
    run.get(thread).get(parameters).op("i32.eq").if();
    run.i32(1).i32(0).op("i32.div_s").op("drop");
    run.end();
    meet(run, barrier);
    meet(run, barrier);
  });
}
