// The header of NumPy's .npy files: a dict in Python's notation, of which only the three keys of the format are read.
// Format: numpy/lib/format.py, versions 1.0, 2.0 and 3.0.

import { FileFormatError, quoted } from "./errors.ts";
import { byteSize, copyOf, MOST_DIMENSIONS, type RawDtype, rawArrays } from "./raw.ts";

export interface NpyHeader {
  readonly dtype: RawDtype;
  readonly isBigEndian: boolean;
  /** Whether the first axis is the fastest. */
  readonly fortranOrder: boolean;
  readonly shape: readonly number[];
  /** Where the elements begin, and how many bytes they take. */
  readonly dataStart: number;
  readonly dataLength: number;
}

/** How every file begins. */
export const NPY_MAGIC = Uint8Array.of(0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59);

/** Whether bytes begin as a .npy file. */
export function looksLikeNpy(bytes: Uint8Array): boolean {
  return NPY_MAGIC.every((byte, i) => bytes[i] === byte);
}

/** Bytes of magic and version, and of the length that follows in each version. */
const VERSION_END = 8;
const LENGTH_BYTES: ReadonlyMap<number, 2 | 4> = new Map([
  [1, 2],
  [2, 4],
  [3, 4],
]);

/** Far more than the header of any tensor takes; only structured types have longer ones. */
const LONGEST_HEADER = 2 ** 16;

/** NumPy's names of element types, without their byte order. */
export const NUMPY_CODES: Readonly<Record<Exclude<RawDtype, "bfloat16">, string>> = {
  float16: "f2",
  float32: "f4",
  float64: "f8",
  int8: "i1",
  int16: "i2",
  int32: "i4",
  int64: "i8",
  uint8: "u1",
  uint16: "u2",
  uint32: "u4",
  uint64: "u8",
  bool: "b1",
};

const DTYPES: ReadonlyMap<string, RawDtype> = new Map(
  Object.entries(NUMPY_CODES).map(([dtype, code]) => [code, dtype as RawDtype]),
);

/** What to do about other element types: the first row that fits. */
type Advice = readonly [code: RegExp, what: string, remedy: string];
const structured: Advice = [/^V/, "structured records or raw bytes", "Save each field as an array of its own."];
const advice: readonly Advice[] = [
  [
    /^O/,
    "Python objects, which only running a pickle could make",
    "Save numbers: numpy.save(path, array.astype('f4')).",
  ],
  [/^[US]/, "text", "Save numbers, such as the index of each text, in NumPy."],
  [/^c/, "complex numbers", "Save numpy.stack([array.real, array.imag], -1)."],
  [/^[mM]/, "times", "Save array.astype('i8')."],
  structured,
  [/^/, "not supported", "Save array.astype('f4')."],
];

/**
 * Reads the header.
 * @param bytes the whole file
 * @throws FileFormatError if it is no .npy file, holds another element type, or says more than there is
 */
export function readNpyHeader(bytes: Uint8Array, file: string): NpyHeader {
  const { text, start, end } = headerText(bytes, file);
  const { descr, fortranOrder, shape } = new DictReader(text, start, file).read();
  const [, order, code] = /^([<>|=])?(.*)$/s.exec(descr)!;
  const dtype = DTYPES.get(code);
  const place = `byte ${start}`;
  if (dtype === undefined) {
    const [, what, remedy] = advice.find(([pattern]) => pattern.test(code))!;
    throw new FileFormatError(file, place, `the element type ${quoted(descr)} is ${what}`, remedy);
  }
  const dataLength = byteSize(shape, rawArrays[dtype].BYTES_PER_ELEMENT);
  const found = bytes.length - end;
  if (dataLength !== found) {
    const needed = dataLength === undefined ? "more than 2^53" : String(dataLength);
    const problem = `the shape [${shape.join(", ")}] of ${quoted(descr)} takes ${needed} bytes, and ${found} follow`;
    throw new FileFormatError(file, place, problem, "The file is cut short, damaged, or holds more than one array.");
  }
  return { dtype, isBigEndian: order === ">", fortranOrder, shape, dataStart: end, dataLength };
}

function headerText(bytes: Uint8Array, file: string): { text: string; start: number; end: number } {
  const fail = (place: string, problem: string): never => {
    const remedy = "The file is cut short or of another format: get it again, or write it with numpy.save.";
    throw new FileFormatError(file, place, problem, remedy);
  };
  if (!looksLikeNpy(bytes)) fail("byte 0", "it does not begin as .npy files do");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const version = bytes[6];
  const lengthBytes = LENGTH_BYTES.get(version);
  if (lengthBytes === undefined || bytes[7] !== 0) {
    return fail("byte 6", `version ${version}.${bytes[7]} is not supported; 1.0, 2.0 and 3.0 are`);
  }
  const start = VERSION_END + lengthBytes;
  if (bytes.length < start) fail(`byte ${VERSION_END}`, "the length of its header is missing");
  const length = lengthBytes === 2 ? view.getUint16(VERSION_END, true) : view.getUint32(VERSION_END, true);
  const end = start + length;
  if (length > LONGEST_HEADER || end > bytes.length) {
    const limit = length > LONGEST_HEADER ? `at most ${LONGEST_HEADER} are read` : `${bytes.length - start} follow`;
    fail(`byte ${VERSION_END}`, `the header claims ${length} bytes, and ${limit}`);
  }
  try {
    const decoder = new TextDecoder(version === 3 ? "utf-8" : "latin1", { fatal: true, ignoreBOM: true });
    return { text: decoder.decode(copyOf(bytes, start, end)), start, end };
  } catch {
    return fail(`byte ${start}`, "the header is not UTF-8 text");
  }
}

const SPACE = /[ \t\n\r]*/y;
const TEXT = /'([^'\\\n]*)'|"([^"\\\n]*)"/y;
const TRUTH = /True|False/y;
/** Python 2 wrote some numbers with an L. */
const COUNT = /(0|[1-9][0-9]{0,15})L?/y;

/** Reads `{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }`, its keys in any order. */
class DictReader {
  private position = 0;

  constructor(
    private readonly text: string,
    /** Where the text begins in the file. */
    private readonly start: number,
    private readonly file: string,
  ) {}

  read(): { descr: string; fortranOrder: boolean; shape: readonly number[] } {
    const found = new Map<string, unknown>();
    this.accept(SPACE);
    this.expect("{");
    while (!this.is("}")) {
      const key = this.string("a key");
      if (found.has(key)) this.fail(`the key ${quoted(key)} occurs twice`);
      this.expect(":");
      if (key === "descr") found.set(key, this.descr());
      else if (key === "fortran_order") found.set(key, this.truth());
      else if (key === "shape") found.set(key, this.shape());
      else this.fail(`the key ${quoted(key)} is unknown`);
      if (!this.is(",") && this.text[this.position] !== "}") this.fail("expected , or }");
    }
    if (this.position < this.text.length) this.fail("the header goes on after its closing }");
    if (found.size < 3) this.fail("a header has to have descr, fortran_order and shape, and one is missing");
    return {
      descr: found.get("descr") as string,
      fortranOrder: found.get("fortran_order") as boolean,
      shape: found.get("shape") as number[],
    };
  }

  private descr(): string {
    // A structured type is a list of its fields: what follows is of no interest.
    if (this.text[this.position] !== "[") return this.string("an element type");
    const [, what, remedy] = structured;
    throw new FileFormatError(this.file, this.place(), `the elements are ${what}`, remedy);
  }

  private truth(): boolean {
    return (this.accept(TRUTH) ?? this.fail("expected True or False"))[0] === "True";
  }

  private shape(): number[] {
    const shape: number[] = [];
    this.expect("(");
    while (!this.is(")")) {
      const [, digits] = this.accept(COUNT) ?? this.fail("expected a whole number that is not negative");
      const size = Number(digits);
      if (!Number.isSafeInteger(size)) this.fail(`the size ${digits} is larger than 2^53 - 1`);
      if (shape.push(size) > MOST_DIMENSIONS) this.fail(`a shape is longer than ${MOST_DIMENSIONS}`);
      if (!this.is(",") && this.text[this.position] !== ")") this.fail("expected , or )");
    }
    return shape;
  }

  private string(what: string): string {
    const [, single, double] = this.accept(TEXT) ?? this.fail(`expected ${what} in quotation marks`);
    return single ?? double;
  }

  private expect(character: string): void {
    if (!this.is(character)) this.fail(`expected ${character}`);
  }

  /** Moves past a character, if it is there. */
  private is(character: string): boolean {
    if (this.text[this.position] !== character) return false;
    this.position += 1;
    this.accept(SPACE);
    return true;
  }

  private accept(pattern: RegExp): RegExpExecArray | null {
    pattern.lastIndex = this.position;
    const match = pattern.exec(this.text);
    if (match === null) return null;
    this.position += match[0].length;
    if (pattern !== SPACE) this.accept(SPACE);
    return match;
  }

  private place(): string {
    return `byte ${this.start + this.position}`;
  }

  private fail(problem: string): never {
    const remedy = "The file is damaged: get it again, or write it with numpy.save.";
    throw new FileFormatError(this.file, this.place(), problem, remedy);
  }
}
