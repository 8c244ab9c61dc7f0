// Looking at the running engine: counters, memory, and a flush on demand.

import { ready } from "./device.ts";
import { type EngineStatistics, engine } from "./engine.ts";
import type { Tensor } from "./tensor.ts";

/** Computes tensors and all pending state in one program. What `optimizer.step()` ends with. */
export async function flush(...tensors: readonly Tensor[]): Promise<void> {
  const nodes = tensors.map((tensor) => tensor.node);
  if (!engine.hasBackend) await ready();
  await engine.flush(nodes);
}

/** How many programs were compiled and run so far, and kernels executed. */
export function statistics(): EngineStatistics {
  return engine.statistics;
}

/** What the device and the program that ran last hold. */
export interface MemoryStatistics {
  /** Bytes of tensors that are held. */
  readonly liveBytes: number;
  /** Bytes of intermediate values of the program that ran last. */
  readonly arenaBytes: number;
  /** Kernels of the program that ran last. */
  readonly kernels: number;
  /** Bytes of machine code generated for it. */
  readonly codeBytes: number;
}

/** How much memory is held at present; throws if no device has been started. */
export function memory(): MemoryStatistics {
  const { liveBytes } = engine.backend;
  const { arenaBytes = 0, kernels = 0, codeBytes = 0 } = engine.lastExecutable ?? {};
  return { liveBytes, arenaBytes, kernels, codeBytes };
}
