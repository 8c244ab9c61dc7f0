// What a pickle can be made of here: plain values, containers, and opaque objects that an allow-list of globals makes. A
// container keeps its items as they came; what they mean in JavaScript is decided when the pickle is read to its end.

export type PickleValue = null | boolean | number | bigint | string | Uint8Array | PickleContainer | PickleObject;

export type ContainerKind = "list" | "tuple" | "dict" | "OrderedDict" | "set";

/** A Python container. The items of a dict are its keys and values in turn; a key that comes again replaces the one before. */
export class PickleContainer {
  constructor(
    readonly kind: ContainerKind,
    readonly items: PickleValue[],
  ) {}

  get isDict(): boolean {
    return this.kind === "dict" || this.kind === "OrderedDict";
  }
}

/** What is no plain value: a global, or what calling one has made. */
export abstract class PickleObject {
  /** What it is, for errors. */
  abstract readonly what: string;
}

/** Where a call stands, for those who answer it. */
export interface PickleCall {
  /** @throws FileFormatError that names the byte of the pickle */
  fail(problem: string): never;
  /** Counts items that are copied, so that a pickle cannot ask for ever more of them. */
  spend(items: number): void;
}

/** A name that a pickle may use; with `call` it may also call it. */
export class PickleGlobal extends PickleObject {
  constructor(
    readonly what: string,
    readonly call?: (args: readonly PickleValue[], site: PickleCall) => PickleValue,
  ) {
    super();
  }
}

/** What a value is, for errors. */
export function describeValue(value: PickleValue | undefined): string {
  if (value === undefined) return "nothing";
  if (value === null) return "None";
  if (value instanceof PickleContainer) {
    return `${value.kind === "OrderedDict" ? "an" : "a"} ${value.kind} of ${value.items.length} ${value.isDict ? "keys and values" : "items"}`;
  }
  if (value instanceof PickleObject) return value.what;
  if (value instanceof Uint8Array) return `${value.length} bytes`;
  return typeof value === "string" ? "a text" : `the ${typeof value} ${value}`;
}
