// Taking back a step that failed. The engine reverts what it could not compute; what stays pending of a step that was half
// made, and what the optimizer knows on the host (numbers of steps, which state there is), is reverted here. Leans on
// tensor: a value of before is a handle on a node, so remembering one costs no memory.

import { isTensor, noGrad, Tensor } from "../tensor/index.ts";
import type { StateValue } from "./state-dict.ts";

type Entry = Record<string, StateValue>;

export class Undo {
  private readonly entries = new Map<Tensor, Entry | undefined>();
  private readonly tensors: Tensor[] = [];
  private readonly before: Tensor["node"][] = [];
  private assigned: readonly Tensor["node"][] | null = null;

  /** @param state the optimizer's, by parameter */
  constructor(private readonly state: Map<Tensor, Entry>) {}

  /** Remembers a parameter and its state. To be called before its update is built. */
  remember(parameter: Tensor): void {
    const entry = this.state.get(parameter);
    this.entries.set(parameter, entry === undefined ? undefined : { ...entry });
    for (const tensor of [parameter, ...Object.values(entry ?? {})]) {
      if (!isTensor(tensor)) continue;
      this.tensors.push(tensor);
      this.before.push(tensor.node);
    }
  }

  /** Notes what all updates have assigned, once they are built. */
  noteAssigned(): void {
    this.assigned = this.tensors.map(({ node }) => node);
  }

  /** Makes everything as it was. */
  run(): void {
    for (const [parameter, entry] of this.entries) {
      if (entry === undefined) this.state.delete(parameter);
      else this.state.set(parameter, entry);
    }
    noGrad(() => {
      this.tensors.forEach((tensor, i) => {
        const assigned = this.assigned?.[i] ?? tensor.node;
        // What has another value than it was given was reverted by the engine.
        if (tensor.node === assigned && assigned !== this.before[i]) tensor.copy_(Tensor.of(this.before[i]));
      });
    });
  }
}
