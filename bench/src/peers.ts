// Where the peers are and how each is started. A peer that is not there is told with what is missing and how to get
// it, never with a crash. The JavaScript ones live in bench/peers with a package.json of their own, outside the
// workspaces, so that nobody who builds Gradus downloads them; they are installed when first asked for.

import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { Launch } from "./child.ts";
import { type PeerName, type WorkloadName, workloads } from "./workloads.ts";

export type Located = Launch | { readonly absent: string };

const execute = promisify(execFile);
const folder = fileURLToPath(new URL("../peers/", import.meta.url));

/**
 * How PyTorch's OpenMP threads wait. Debian's PyTorch has two thread pools, OpenMP's and OpenBLAS's, that spin against
 * each other on small machines. On two cores the MLP, whose products are OpenBLAS's, took 1.9 to 16 ms a step with the
 * default and a steady 1.5 when OpenMP sleeps; LeNet, whose convolutions are OpenMP's, took 3.3 with the default and 8
 * when it sleeps. So each workload gets what is best for PyTorch.
 */
const pytorchWaiting: Readonly<Record<WorkloadName, Readonly<Record<string, string>>>> = {
  matmul: {},
  mlp: { OMP_WAIT_POLICY: "PASSIVE" },
  lenet: {},
};

const finders: Readonly<Record<PeerName, (workload: WorkloadName) => Promise<Located>>> = {
  pytorch: async (workload) => {
    const python = await findPython();
    return "absent" in python
      ? python
      : { command: python.command, args: [`${folder}pytorch.py`], env: pytorchWaiting[workload] };
  },
  "jax-js": () => nodePeer("jax-js.mjs"),
  "tfjs-wasm": () => nodePeer("tfjs.mjs", "wasm"),
  "tfjs-cpu": () => nodePeer("tfjs.mjs", "cpu"),
};

/** How to start the peer, or why it cannot. */
export async function locatePeer(peer: PeerName, workload: WorkloadName): Promise<Located> {
  if (!workloads[workload].peers.includes(peer)) return { absent: `has no "${workload}" here` };
  return finders[peer](workload);
}

async function findPython(): Promise<{ command: string } | { absent: string }> {
  // Debian's own interpreter first: its python3-torch is invisible to any other.
  for (const command of ["/usr/bin/python3", "python3"]) {
    try {
      await execute(command, ["-c", "import torch, numpy"], { timeout: 120_000 });
      return { command };
    } catch {}
  }
  return { absent: "no Python with PyTorch and NumPy; install Debian's python3-torch" };
}

let installation: Promise<string | undefined> | undefined;

async function nodePeer(script: string, backend?: string): Promise<Located> {
  installation ??= installNodePeers();
  const problem = await installation;
  if (problem) return { absent: problem };
  // A newer Node than the one Gradus must run on gives the peers relaxed SIMD without flags.
  const newerNode = `${folder}node_modules/node/bin/node`;
  const command = existsSync(newerNode) ? newerNode : process.execPath;
  return { command, args: [`${folder}${script}`], ...(backend ? { job: { backend } } : {}) };
}

/** Installs bench/peers unless it is there. Returns what went wrong. */
async function installNodePeers(): Promise<string | undefined> {
  if (existsSync(`${folder}node_modules/.package-lock.json`)) return undefined;
  process.stderr.write("installing the JavaScript peers into bench/peers (once, about 500 MB)\n");
  const args = ["install", "--prefix", folder, "--no-audit", "--no-fund", "--no-package-lock"];
  // Under `npm run`, npm says where it is; its file works on every platform, where the command `npm` may be a script.
  const npm = process.env.npm_execpath;
  const [command, ...first] = npm ? [process.execPath, npm] : ["npm"];
  try {
    await execute(command!, [...first, ...args], { cwd: folder, maxBuffer: 1 << 24 });
    return undefined;
  } catch (error) {
    const { stderr = "", message } = error as Error & { stderr?: string };
    const cause = stderr.split("\n").find((line) => /error/i.test(line)) ?? message;
    return `npm install in bench/peers failed: ${cause}`;
  }
}
