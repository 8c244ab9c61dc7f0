// The order of a measurement. Contestants start one after another, then take turns in every round, each turn opened by
// a pause and by steps that are not counted: what the machine does to one (its clock, its neighbours) it does to all.
// Before the rounds and after them nobody computes, and the machine itself can be measured.
//
// The pause lets the thread pools of the one before come to rest: OpenBLAS under PyTorch spins for about 100 ms after
// its last product. The uncounted steps let a contestant's own pool wake up, which costs PyTorch up to 20 slow steps on
// a machine with two cores.

import type { Ready } from "./protocol.ts";
import { median } from "./statistics.ts";

export interface Contestant {
  /** Builds the workload and takes its first steps. */
  start(): Promise<Ready>;
  /** Milliseconds of each of `steps` steps. */
  run(steps: number): Promise<readonly number[]>;
  /** The most memory it had so far, in millions of bytes. */
  peakMemory(): Promise<number>;
  stop(): Promise<void>;
}

export type Outcome =
  | { readonly kind: "measured"; readonly ready: Ready; readonly times: readonly number[]; readonly peakMb: number }
  | { readonly kind: "absent"; readonly reason: string };

export interface Plan {
  readonly rounds: number;
  /** Timed steps in one turn. */
  readonly steps: number;
  /** Milliseconds that one turn may take; whoever is slower takes fewer steps, at least one. */
  readonly turnLimit: number;
  /** Milliseconds of uncounted steps at the start of a turn, for contestants whose steps are shorter than this. */
  readonly warmUp: number;
  /** Milliseconds of rest before a turn. */
  readonly settle: number;
}

export const defaultTiming = { turnLimit: 3000, warmUp: 250, settle: 150 } as const;

interface Seat {
  readonly name: string;
  readonly contestant: Contestant;
  readonly ready: Ready;
  readonly times: number[];
  /** Milliseconds a step took when last seen. */
  stepTime: number;
}

/**
 * Runs all rounds and stops every contestant. One that fails anywhere is absent, with its reason, and the others go
 * on. `report` hears what happens. `atRest` is awaited before the first round and after the last, told what the
 * contestants that started say of themselves.
 */
export async function contest(
  contestants: ReadonlyMap<string, Contestant>,
  plan: Plan,
  report: (line: string) => void = () => {},
  atRest: (ready: ReadonlyMap<string, Ready>) => Promise<void> = async () => {},
): Promise<Map<string, Outcome>> {
  const outcomes = new Map<string, Outcome>();
  const seats: Seat[] = [];

  async function guard(name: string, contestant: Contestant, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      outcomes.set(name, { kind: "absent", reason });
      report(`${name} is out: ${reason}`);
      await contestant.stop();
    }
  }

  for (const [name, contestant] of contestants) {
    await guard(name, contestant, async () => {
      const ready = await contestant.start();
      const stepTime = median(await contestant.run(1));
      seats.push({ name, contestant, ready, times: [], stepTime });
      report(`${name} is ready, first step ${ready.firstMs.toFixed(1)} ms`);
    });
  }

  const ready = new Map(seats.map((seat) => [seat.name, seat.ready]));
  await rest(plan.settle);
  await atRest(ready);

  for (let round = 0; round < plan.rounds; round++) {
    for (let turn = 0; turn < seats.length; turn++) {
      // Rotated, so that nobody always follows the same neighbour.
      const seat = seats[(round + turn) % seats.length]!;
      if (outcomes.has(seat.name)) continue;
      await guard(seat.name, seat.contestant, () => takeTurn(seat, plan));
    }
  }

  for (const { name, contestant, ready, times } of seats) {
    if (outcomes.has(name)) continue;
    await guard(name, contestant, async () => {
      outcomes.set(name, { kind: "measured", ready, times, peakMb: await contestant.peakMemory() });
      await contestant.stop();
    });
  }
  await atRest(ready);
  return outcomes;
}

const rest = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

async function takeTurn(seat: Seat, plan: Plan): Promise<void> {
  await rest(plan.settle);
  if (seat.stepTime < plan.warmUp) await warmUp(seat, plan.warmUp);
  const steps = stepsThatFit(plan.steps, plan.turnLimit, seat.stepTime);
  const times = await seat.contestant.run(steps);
  seat.times.push(...times);
  seat.stepTime = median(times);
}

/** Steps in chunks, for a contestant that is waking up takes longer than its last time says. */
async function warmUp(seat: Seat, limit: number): Promise<void> {
  for (let spent = 0; spent < limit; ) {
    const times = await seat.contestant.run(stepsThatFit(50, limit / 5, seat.stepTime));
    // A step below the clock's resolution must still come to an end.
    spent += Math.max(
      1,
      times.reduce((sum, time) => sum + time, 0),
    );
    seat.stepTime = median(times);
  }
}

/** As many of `steps` as fit into `limit` milliseconds at `stepTime` each, but at least one. */
export function stepsThatFit(steps: number, limit: number, stepTime: number): number {
  if (!(stepTime > 0)) return steps;
  return Math.max(1, Math.min(steps, Math.floor(limit / stepTime)));
}
