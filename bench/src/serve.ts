// The child's side of the protocol, for contestants that run in Node: builds the workload, times the first step, then
// times as many steps as it is asked for, and in the end tells the memory it took. Gradus and the JavaScript peers share
// it, so they are timed alike.

import { createInterface } from "node:readline";
import { formatMessage, type Job, type Message, parseOrder } from "./protocol.ts";

/** A workload, built and ready to be stepped. */
export interface Runner {
  readonly version: string;
  readonly threads: number;
  readonly codegen?: string;
  /** One step. It must have been computed when the promise resolves, not only queued. */
  step(): Promise<unknown>;
  /** The number that tells what the last step computed; not timed. */
  check(): Promise<number>;
}

export type Builder = (job: Job) => Promise<Runner>;
export type Builders = Readonly<Record<string, Builder>>;

/** Answers the parent until it closes stdin. `builders` has an entry for each workload that the framework can do. */
export async function serve(framework: string, builders: Builders): Promise<void> {
  try {
    const job = JSON.parse(process.argv[2] ?? "{}") as Job;
    const build = builders[job.workload];
    if (!build) throw new Error(`${framework} has no workload "${job.workload}" here`);
    const runner = await build(job);
    const [firstMs] = (await timeSteps(runner, 1)) as [number];
    const check = [await runner.check()];
    await runner.step();
    check.push(await runner.check());
    const { version, threads, codegen } = runner;
    send({ kind: "ready", version, threads, firstMs, check, ...(codegen ? { codegen } : {}) });
    for await (const line of createInterface({ input: process.stdin })) {
      const order = parseOrder(line);
      if (order?.kind === "run") send({ kind: "times", times: await timeSteps(runner, order.steps) });
      if (order?.kind === "memory") send({ kind: "memory", peakMb: peakMegabytes() });
    }
    process.exit(0);
  } catch (error) {
    const reason = error instanceof Error ? error.message : JSON.stringify(error);
    process.stdout.write(formatMessage({ kind: "error", reason }), () => process.exit(1));
  }
}

async function timeSteps(runner: Runner, steps: number): Promise<number[]> {
  const times: number[] = [];
  for (let index = 0; index < steps; index++) {
    const start = performance.now();
    await runner.step();
    times.push(performance.now() - start);
  }
  return times;
}

/** Node tells kibibytes on every platform. */
function peakMegabytes(): number {
  return (process.resourceUsage().maxRSS * 1024) / 1e6;
}

function send(message: Message): void {
  process.stdout.write(formatMessage(message));
}
