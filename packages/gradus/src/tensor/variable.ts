// A state variable: what parameters, module buffers and optimizer state are made of. It is the one thing that changes.
// Every assignment makes a new version, a `state` leaf whose definition is the assigned value; a flush writes the last
// version beside the one before it, which stays readable until the next flush writes over it.

import { type DType, leaf, type Node, type Shape } from "../graph/index.ts";

export class Variable {
  /** The newest version: what a handle reads. */
  private newest: Node<"state">;
  /** The newest version that has a value on the device, and the one before it. */
  realized: Node<"state"> | null = null;
  previous: Node<"state"> | null = null;
  /** The first version: computed in a program of its own, so that it is not part of a training step. */
  readonly initial: Node<"state">;

  constructor(
    initial: Node,
    private requiresGrad: boolean,
  ) {
    this.newest = this.version(initial);
    this.initial = this.newest;
  }

  private version(definition: Node): Node<"state"> {
    const { shape, dtype } = definition;
    return leaf("state", { requiresGrad: this.requiresGrad }, { shape, dtype }, { definition, source: this });
  }

  get node(): Node<"state"> {
    return this.newest;
  }

  get shape(): Shape {
    return this.newest.shape;
  }

  get dtype(): DType {
    return this.newest.dtype;
  }

  /** Whether the newest version still waits for a flush. */
  get pending(): boolean {
    return this.newest !== this.realized;
  }

  /** Forgets assignments that have not been computed; a first version stays to be. */
  revert(): void {
    this.newest = this.realized ?? this.initial;
  }

  /** A version that was to be computed was not: the one before it is the value again. */
  takeBack(version: Node): void {
    if ((this.realized as Node | null) !== version) return;
    this.realized = this.previous?.value ? this.previous : null;
    this.previous = null;
    this.revert();
  }

  assign(definition: Node): void {
    this.newest = this.version(definition);
  }

  /** The same value with or without a gradient: a version of its own, since that is part of a leaf. */
  setRequiresGrad(requiresGrad: boolean): void {
    if (this.requiresGrad === requiresGrad) return;
    this.requiresGrad = requiresGrad;
    this.assign(this.newest);
  }
}
