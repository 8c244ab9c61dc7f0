// Emits the barrier at which the threads of a program meet. A counting barrier with a generation in place of a sense
// flag: the last thread to arrive opens the next generation, the others watch for it, first spinning (phases of a
// program end within microseconds of each other), then asleep on a futex.
//
// Source: Mellor-Crummey and Scott, "Algorithms for scalable synchronization on shared-memory multiprocessors" (1991),
// section 3.1, the centralized barrier.

import { controlLayout } from "../control.ts";
import type { FunctionBuilder, ModuleBuilder } from "./assembler.ts";

export { controlLayout } from "../control.ts";

export interface BarrierOptions {
  /**
   * Looks at the generation before a thread goes to sleep. Default: 30,000, some ten microseconds, which is about half
   * of what a wake-up costs: spinning much less makes threads sleep at every barrier, much more takes time from threads
   * that have work where there are more threads than cores.
   */
  readonly spins?: number;
}

/** A sleeper looks at the abort flag at least this often, should a wake-up be lost. Nanoseconds. */
const recheckInterval = 50_000_000n;

/**
 * Defines `barrier(threads: i32) -> i32` in `module`, which has imported its memory, and returns it. The result is 1
 * when another thread has failed, and then the program has to return; otherwise it is 0 and what every thread wrote
 * before the barrier is seen by all. With one thread it returns 0 at once.
 */
export function emitBarrier(module: ModuleBuilder, { spins = 30_000 }: BarrierOptions = {}): FunctionBuilder {
  const barrier = module.defineFunction({ params: ["i32"], results: ["i32"] }, "barrier");
  const threads = 0;
  const generation = barrier.local("i32");
  const spinsLeft = barrier.local("i32");
  const load = (address: number) => barrier.i32(0).memory("i32.atomic.load", address);
  const add = (address: number, amount: number) => barrier.i32(0).i32(amount).memory("i32.atomic.rmw.add", address);
  const returnAborted = () => load(controlLayout.aborted).op("return");

  barrier.get(threads).i32(1).op("i32.le_s").if().i32(0).op("return").end();

  // The generation is read before the flag. A failing thread sets the flag, then opens a generation: whoever saw the
  // flag unset holds a generation that is over, and cannot fall asleep on it.
  load(controlLayout.barrierGeneration).set(generation);
  load(controlLayout.aborted).if().i32(1).op("return").end();

  add(controlLayout.barrierArrived, 1).i32(1).op("i32.add").get(threads).op("i32.eq").if();
  barrier.i32(0).i32(0).memory("i32.atomic.store", controlLayout.barrierArrived);
  add(controlLayout.barrierGeneration, 1).op("drop");
  load(controlLayout.barrierSleepers).if();
  barrier.i32(0).i32(-1).memory("memory.atomic.notify", controlLayout.barrierGeneration).op("drop");
  barrier.end();
  returnAborted().end();

  barrier.i32(Math.max(1, spins)).set(spinsLeft);
  barrier.loop();
  load(controlLayout.barrierGeneration).get(generation).op("i32.ne").if();
  returnAborted().end();
  barrier.get(spinsLeft).i32(1).op("i32.sub").tee(spinsLeft).brIf(0);
  barrier.end();

  add(controlLayout.barrierSleepers, 1).op("drop");
  barrier.loop();
  barrier.i32(0).get(generation).i64(recheckInterval);
  barrier.memory("memory.atomic.wait32", controlLayout.barrierGeneration).op("drop");
  load(controlLayout.barrierGeneration).get(generation).op("i32.eq");
  load(controlLayout.aborted).op("i32.eqz").op("i32.and").brIf(0);
  barrier.end();
  add(controlLayout.barrierSleepers, -1).op("drop");
  returnAborted();
  return barrier;
}
