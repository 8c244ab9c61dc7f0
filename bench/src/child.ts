// A contestant in a process of its own, spoken to in the line protocol. Whatever goes wrong in the child (it cannot
// start, it crashes, it says an error, it falls silent) becomes a ContestantError with a reason that fits on a line.

import { type ChildProcessByStdio, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import type { Contestant } from "./contest.ts";
import { formatOrder, type Job, type Message, parseMessage, type Ready } from "./protocol.ts";

/** How to start a contestant; the job is appended to the arguments. */
export interface Launch {
  readonly command: string;
  readonly args: readonly string[];
  /** Put over the environment; a variable that is undefined is taken out of it. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Put over the job: which backend this contestant is. */
  readonly job?: Partial<Job>;
}

/** Why a contestant cannot take part. */
export class ContestantError extends Error {
  override readonly name = "ContestantError";
}

/** Milliseconds without an answer after which a child is given up. */
const defaultPatience = 180_000;

export class ChildContestant implements Contestant {
  readonly #launch: Launch;
  readonly #job: Job;
  readonly #patience: number;
  #child: ChildProcessByStdio<Writable, Readable, Readable> | undefined;
  #errorOutput = "";
  /** Messages that nobody waited for yet, and the end, which stays. */
  readonly #inbox: Message[] = [];
  #ended: ContestantError | undefined;
  #wake: () => void = () => {};

  constructor(launch: Launch, job: Job, { patience = defaultPatience }: { patience?: number } = {}) {
    this.#launch = launch;
    this.#job = { ...job, ...launch.job };
    this.#patience = patience;
  }

  async start(): Promise<Ready> {
    const { command, args, env } = this.#launch;
    const child = spawn(command, [...args, JSON.stringify(this.#job)], {
      stdio: ["pipe", "pipe", "pipe"],
      env: { ...process.env, ...env },
    });
    this.#child = child;
    // A child that is gone makes writing fail; its end is told by `close`.
    child.stdin.on("error", () => {});
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      this.#errorOutput = (this.#errorOutput + text).slice(-8000);
    });
    createInterface({ input: child.stdout }).on("line", (line) => {
      const message = parseMessage(line);
      if (message) this.#inbox.push(message);
      this.#wake();
    });
    child.on("error", (error) => this.#end(`could not start: ${error.message}`));
    child.on("close", (code, signal) => this.#end(endReason(code, signal, this.#errorOutput)));
    killOnExit(child);

    const message = await this.#receive();
    if (message.kind !== "ready") throw new ContestantError(`answered "${message.kind}" before it was ready`);
    return message;
  }

  async run(steps: number): Promise<readonly number[]> {
    this.#child?.stdin.write(formatOrder({ kind: "run", steps }));
    const message = await this.#receive();
    if (message.kind !== "times" || message.times.length !== steps) {
      throw new ContestantError(`did not answer ${steps} steps with ${steps} times`);
    }
    return message.times;
  }

  async peakMemory(): Promise<number> {
    this.#child?.stdin.write(formatOrder({ kind: "memory" }));
    const message = await this.#receive();
    if (message.kind !== "memory") throw new ContestantError("did not tell how much memory it took");
    return message.peakMb;
  }

  async stop(): Promise<void> {
    const child = this.#child;
    if (!child || this.#ended) return;
    const gone = new Promise((resolve) => child.once("close", resolve));
    child.stdin.end();
    const timer = setTimeout(() => child.kill("SIGKILL"), 2000);
    await gone;
    clearTimeout(timer);
  }

  #end(reason: string): void {
    this.#ended ??= new ContestantError(reason);
    this.#wake();
  }

  async #receive(): Promise<Exclude<Message, { kind: "error" }>> {
    const giveUp = setTimeout(() => {
      this.#end(`no answer within ${this.#patience / 1000} s`);
      this.#child?.kill("SIGKILL");
    }, this.#patience);
    try {
      while (this.#inbox.length === 0 && !this.#ended) {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    } finally {
      clearTimeout(giveUp);
    }
    const message = this.#inbox.shift();
    if (!message) throw this.#ended!;
    if (message.kind === "error") throw new ContestantError(firstLine(message.reason));
    return message;
  }
}

const running = new Set<ChildProcessByStdio<Writable, Readable, Readable>>();
let exitHooked = false;

/** A harness that ends early must not leave children computing. */
function killOnExit(child: ChildProcessByStdio<Writable, Readable, Readable>): void {
  if (!exitHooked) {
    process.on("exit", () => {
      for (const each of running) each.kill("SIGKILL");
    });
    exitHooked = true;
  }
  running.add(child);
  child.on("close", () => running.delete(child));
}

function endReason(code: number | null, signal: string | null, errorOutput: string): string {
  const lines = errorOutput.split("\n").map((line) => line.trim());
  const cause = lines.findLast((line) => /error/i.test(line)) ?? lines.findLast((line) => line !== "");
  return `ended with ${signal ?? `code ${code}`}${cause ? `: ${cause}` : ""}`;
}

function firstLine(text: string): string {
  return text.split("\n", 1)[0]!;
}
