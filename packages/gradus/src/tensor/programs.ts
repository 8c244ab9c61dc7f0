// The programs an engine keeps, found by the structure of the graph they compute. A structure is a sequence of integers:
// every node in order as the number of its kind, or only of its type where its value is at hand, followed by the places
// of its inputs; and at the end those of the outputs. Neither data nor scalars are in it.

import type { Executable } from "../backends/backend.ts";
import { mix, type Node } from "../graph/index.ts";

export interface Structure {
  readonly numbers: readonly number[];
  readonly hash: number;
}

/** A program for one structure of graph, and what it has learned to keep. */
export interface Program {
  readonly structure: Structure;
  /** Positions, in the order of the graph, of values that were read after a flush had computed but not kept them. */
  readonly learned: Set<number>;
  readonly variants: Map<string, Executable>;
}

/** The structure of a graph whose nodes have their positions in `order`. */
export function structureOf(order: readonly Node[], outputs: readonly Node[]): Structure {
  let length = order.length + 1 + outputs.length;
  for (const { value, inputs } of order) if (value === null) length += inputs.length;
  const numbers = new Array<number>(length);
  let [at, hash] = [0, 0];
  const write = (value: number): void => {
    numbers[at++] = value;
    hash = mix(hash, value);
  };
  // Kinds and types have one row of numbers, from 1; places are negative.
  for (const { value, kind, inputs } of order) {
    if (value !== null) {
      write(kind.type.id);
    } else {
      write(kind.id);
      for (let i = 0; i < inputs.length; i++) write(~inputs[i].position);
    }
  }
  write(0);
  for (const { position } of outputs) write(~position);
  return { numbers, hash };
}

function isSame(a: Structure, b: Structure): boolean {
  if (a.hash !== b.hash || a.numbers.length !== b.numbers.length) return false;
  for (let i = 0; i < a.numbers.length; i++) if (a.numbers[i] !== b.numbers[i]) return false;
  return true;
}

export class Programs {
  /** The one used last is first: a loop finds its program at the first look. */
  private programs: Program[] = [];

  /** @param forget is told of a program that has to go: the one used longest ago */
  constructor(
    private readonly capacity: number,
    private readonly forget: (program: Program) => void,
  ) {}

  /** The program of a structure, a new one where there is none. */
  get(structure: Structure): Program {
    const { programs } = this;
    const at = programs.findIndex((program) => isSame(program.structure, structure));
    if (at === 0) return programs[0];
    const program = at > 0 ? programs[at] : { structure, learned: new Set<number>(), variants: new Map() };
    if (at > 0) programs.splice(at, 1);
    programs.unshift(program);
    if (programs.length > this.capacity) this.forget(programs.pop()!);
    return program;
  }

  clear(): void {
    this.programs = [];
  }
}

/** A graph's nodes as text, a line each, and a last one for the outputs: to tell what differs between two of them. */
export function describeStructure(order: readonly Node[], outputs: readonly Node[]): string[] {
  const places = (nodes: readonly Node[]): string => nodes.map(({ position }) => position).join(",");
  const lines = order.map(({ value, kind, inputs }) =>
    value === null ? [kind, ...inputs.map(({ position }) => position)].join(",") : `in:${kind.type}`,
  );
  return [...lines, `=> ${places(outputs)}`];
}
