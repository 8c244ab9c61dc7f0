// Where the peers are and how each is started. A peer that is not there is told with what is missing and how to get
// it, never with a crash. The JavaScript ones live in bench/peers with a package.json of their own, outside the
// workspaces, so that nobody who builds Gradus downloads them; they are installed when first asked for.

import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { Launch } from "./child.ts";
import type { Job } from "./protocol.ts";
import { type PeerName, type WorkloadName, workloads } from "./workloads.ts";

export type Located = Launch | { readonly absent: string };

const execute = promisify(execFile);
const folder = fileURLToPath(new URL("../peers/", import.meta.url));

/** glibc gives large blocks back to the system when they are freed, and each page that comes again costs a fault. */
const keepMemory = { MALLOC_MMAP_THRESHOLD_: "1000000000", MALLOC_TRIM_THRESHOLD_: "4000000000" } as const;

/**
 * How PyTorch's threads wait, and whether it keeps what it frees, by workload: what is fastest for PyTorch, for a peer
 * must not lose by its settings. Debian's build has two pools, OpenMP's and OpenBLAS's, that spin against each other where
 * cores are few; and its own tuning guide advises an allocator that keeps memory. Measured on two cores, milliseconds a
 * step:
 *   mlp          (products, OpenBLAS's):   1.9 to 16 by default, a steady 1.5 with OpenMP asleep between its loops;
 *   lenet        (convolutions, OpenMP's): 3.2 to 16 by default, a steady 3.1 with the small products on one thread, 8
 *                with OpenMP asleep;
 *   resnet18     580 by default, 575 with OpenBLAS on one thread, 550 with its memory kept;
 *   dcgan        340 to 940 by default, 310 with OpenBLAS on one thread, 280 with OpenMP asleep, 262 with its memory kept
 *                as well;
 *   conv1d       2000 by default, however threads wait, 1155 with its memory kept, which takes half as much again;
 *   softmax      50 by default, 24 with its memory kept, 8.2 with OpenMP asleep as well;
 *   layernorm    25 by default, 6.8 with its memory kept;
 *   elementwise  250 by default, 50 with its memory kept, 28 with OpenMP asleep as well.
 */
const pytorchSettings: Readonly<Record<WorkloadName, Readonly<Record<string, string>>>> = {
  matmul: {},
  mlp: { OMP_WAIT_POLICY: "PASSIVE" },
  lenet: { OPENBLAS_NUM_THREADS: "1" },
  resnet18: keepMemory,
  dcgan: { ...keepMemory, OMP_WAIT_POLICY: "PASSIVE" },
  conv1d: keepMemory,
  softmax: { ...keepMemory, OMP_WAIT_POLICY: "PASSIVE" },
  layernorm: { ...keepMemory, OMP_WAIT_POLICY: "PASSIVE" },
  elementwise: { ...keepMemory, OMP_WAIT_POLICY: "PASSIVE" },
};

/** jax-js sends its workers a message for each kernel, which costs more than it gains where kernels are small. */
const jaxOnOneThread: ReadonlySet<WorkloadName> = new Set(["mlp"]);

const finders: Readonly<Record<PeerName, (job: Job) => Promise<Located>>> = {
  pytorch: async ({ workload, threads }) => {
    const python = await findPython();
    if ("absent" in python) return python;
    // torch.set_num_threads does not reach OpenBLAS.
    const pools = { OMP_NUM_THREADS: String(threads), OPENBLAS_NUM_THREADS: String(threads) };
    return { command: python.command, args: [`${folder}pytorch.py`], env: { ...pools, ...pytorchSettings[workload] } };
  },
  "jax-js": ({ workload }) => nodePeer("jax-js.mjs", jaxOnOneThread.has(workload) ? { threads: 1 } : {}),
  "tfjs-wasm": () => nodePeer("tfjs.mjs", { backend: "wasm" }),
  "tfjs-cpu": () => nodePeer("tfjs.mjs", { backend: "cpu" }),
};

/** How to start the peer, or why it cannot. */
export async function locatePeer(peer: PeerName, job: Job): Promise<Located> {
  if (!workloads[job.workload].peers.includes(peer)) return { absent: `has no "${job.workload}" here` };
  return finders[peer](job);
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

async function nodePeer(script: string, job: Partial<Job>): Promise<Located> {
  installation ??= installNodePeers();
  const problem = await installation;
  if (problem) return { absent: problem };
  // A newer Node than the one Gradus must run on gives the peers relaxed SIMD without flags.
  const newerNode = `${folder}node_modules/node/bin/node`;
  const command = existsSync(newerNode) ? newerNode : process.execPath;
  return { command, args: [`${folder}${script}`], job };
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
