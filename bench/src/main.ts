// The bench: one workload, every contestant that was asked for, turn by turn. Every contestant is a process of its
// own; this one only tells them when, so that none computes while another is timed.

import { fileURLToPath } from "node:url";
import { ChildContestant, type Launch } from "./child.ts";
import { type Contestant, contest, defaultTiming, type Outcome } from "./contest.ts";
import { type Options, parseOptions } from "./options.ts";
import { locatePeer } from "./peers.ts";
import type { Job } from "./protocol.ts";
import { gradusName, renderTable, summarize } from "./report.ts";
import { peerNames } from "./workloads.ts";

function gradusLaunch({ codegen }: Options): Launch {
  return {
    command: process.execPath,
    args: [fileURLToPath(new URL("./gradus/main.js", import.meta.url))],
    env: { GRADUS_CODEGEN: codegen },
  };
}

async function main(options: Options): Promise<void> {
  const { workload, device, codegen, threads, sizes, rounds, steps } = options;
  const job: Job = { workload, device, codegen, threads, ...sizes };
  const contestants = new Map<string, Contestant>([[gradusName, new ChildContestant(gradusLaunch(options), job)]]);
  const missing = new Map<string, Outcome>();
  for (const peer of options.peers ? peerNames : []) {
    const located = await locatePeer(peer, job);
    if ("absent" in located) missing.set(peer, { kind: "absent", reason: located.absent });
    else contestants.set(peer, new ChildContestant(located, job));
  }

  const progress = (line: string) => process.stderr.write(`${line}\n`);
  const found = await contest(contestants, { ...defaultTiming, rounds, steps }, progress);
  const outcomes = new Map<string, Outcome>();
  for (const name of [gradusName, ...peerNames]) {
    const outcome = found.get(name) ?? missing.get(name);
    if (outcome) outcomes.set(name, outcome);
  }

  console.log(renderTable(options, outcomes));
  if (options.json) console.log(JSON.stringify(summarize(options, outcomes)));
  if (outcomes.get(gradusName)?.kind !== "measured") process.exitCode = 1;
}

for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(130));
await main(parseOptions(process.argv.slice(2)));
