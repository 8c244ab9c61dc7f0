// The bench: one workload, every contestant that was asked for, turn by turn. Every contestant is a process of its
// own; this one only tells them when, so that none computes while another is timed.

import { fileURLToPath } from "node:url";
import { ChildContestant, type Launch } from "./child.ts";
import { type Contestant, contest, defaultTiming, type Outcome } from "./contest.ts";
import { describePeaks, largerPeaks, measurePeaks, type Peaks } from "./machine/peaks.ts";
import { type MachineOptions, parseOptions, type WorkloadOptions } from "./options.ts";
import { locatePeer } from "./peers.ts";
import type { Job, Ready } from "./protocol.ts";
import { gradusName, renderTable, summarize } from "./report.ts";
import { peerNames } from "./workloads.ts";

function gradusLaunch({ codegen }: WorkloadOptions): Launch {
  return {
    command: process.execPath,
    args: [fileURLToPath(new URL("./gradus/main.js", import.meta.url))],
    env: { GRADUS_CODEGEN: codegen === "auto" ? undefined : codegen },
  };
}

const progress = (line: string) => process.stderr.write(`${line}\n`);

/** The machine's peaks where they can be measured; a bench without them is still one. */
async function peaksIfAny(threads: number, codegen: string): Promise<Peaks | undefined> {
  try {
    return await measurePeaks(threads, codegen);
  } catch (error) {
    progress(`the machine's peaks are not known: ${(error as Error).message}`);
    return undefined;
  }
}

async function showMachine({ codegen, threads, json }: MachineOptions): Promise<void> {
  const peaks = await measurePeaks(threads, codegen);
  console.log(describePeaks(peaks));
  if (!json) return;
  const { gflops, gbs, fused, tile } = peaks;
  const figures = { peak_gflops: gflops, peak_gbs: gbs, peak_tile: tile, fused };
  console.log(JSON.stringify({ workload: "machine", threads, ...figures }));
}

async function runWorkload(options: WorkloadOptions): Promise<void> {
  const { workload, device, codegen, threads, sizes, rounds, steps } = options;
  const job: Job = { workload, device, codegen, threads, ...sizes };
  const contestants = new Map<string, Contestant>([[gradusName, new ChildContestant(gradusLaunch(options), job)]]);
  const missing = new Map<string, Outcome>();
  for (const peer of options.peers ? peerNames : []) {
    const located = await locatePeer(peer, job);
    if ("absent" in located) missing.set(peer, { kind: "absent", reason: located.absent });
    else contestants.set(peer, new ChildContestant(located, job));
  }

  // Around the rounds, so that the machine's mood is theirs; of the code that Gradus then says it runs.
  const measured: Peaks[] = [];
  const measureMachine = async (ready: ReadonlyMap<string, Ready>) => {
    const peaks = await peaksIfAny(threads, ready.get(gradusName)?.codegen ?? codegen);
    if (peaks) measured.push(peaks);
  };
  const found = await contest(contestants, { ...defaultTiming, rounds, steps }, progress, measureMachine);
  const peaks = measured.length === 0 ? undefined : measured.reduce(largerPeaks);
  const outcomes = new Map<string, Outcome>();
  for (const name of [gradusName, ...peerNames]) {
    const outcome = found.get(name) ?? missing.get(name);
    if (outcome) outcomes.set(name, outcome);
  }

  console.log(renderTable(options, outcomes, peaks));
  if (options.json) console.log(JSON.stringify(summarize(options, outcomes, peaks)));
  if (outcomes.get(gradusName)?.kind !== "measured") process.exitCode = 1;
}

for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(130));
const options = parseOptions(process.argv.slice(2));
await (options.workload === "machine" ? showMachine(options) : runWorkload(options));
