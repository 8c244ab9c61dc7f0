// Reads the JSON header of a safetensors file, strictly: exactly the object the format describes and nothing else.
// JSON.parse would not do: it drops duplicate names in silence, rounds large integers, and cannot say where it failed.
// The reader knows the header's shape, so it never recurses, and what it keeps is never larger than the text it read.
// Format: https://github.com/huggingface/safetensors#format

import { FileFormatError, quoted } from "./errors.ts";
import { MOST_DIMENSIONS } from "./raw.ts";

/** What the header says of one tensor; nothing here has been compared with the data yet. */
export interface TensorEntry {
  readonly name: string;
  /** The format's own name of the element type, such as "F32". */
  readonly dtype: string;
  readonly shape: readonly number[];
  /** First byte and the byte past the last one, counted from the end of the header. */
  readonly begin: number;
  readonly end: number;
  /** Where the entry begins, in bytes from the beginning of the file. */
  readonly at: number;
}

export interface SafetensorsHeader {
  readonly entries: readonly TensorEntry[];
  readonly metadata: Record<string, string>;
}

/** The name under which the format keeps its text-to-text map. */
export const METADATA_NAME = "__metadata__";

/** Bytes before the header: its length. */
const HEADER_START = 8;

const WHITESPACE = /[ \t\n\r]*/y;
const DIGITS = /0|[1-9][0-9]*/y;

/** A name that would reach an object's prototype if a program took it apart at its dots and assigned along the way. */
const POLLUTING = /(^|\.)(__proto__|constructor\.prototype)(\.|$)/;

const LONE_SURROGATE = /\p{Surrogate}/u;

/** Why a name cannot be a tensor's or a metadata entry's, or undefined if it can. */
export function problemOfName(name: string): string | undefined {
  if (POLLUTING.test(name)) return `the name ${quoted(name)} would reach the prototype of an object`;
  if (LONE_SURROGATE.test(name)) return `the name ${quoted(name)} holds half of a surrogate pair`;
  return undefined;
}

/**
 * Reads a header.
 *
 * @param text the header, decoded from UTF-8, trailing padding included
 * @param file the file's name, for errors
 * @throws FileFormatError naming the tensor and the byte
 */
export function readSafetensorsHeader(text: string, file: string): SafetensorsHeader {
  return new HeaderReader(text, file).header();
}

class HeaderReader {
  private position = 0;
  /** The entry being read, for errors. */
  private entry: string | undefined;
  // Bytes are counted along with characters, so that every entry knows its place without counting from the start.
  private countedCharacters = 0;
  private countedBytes = HEADER_START;

  constructor(
    private readonly text: string,
    private readonly file: string,
  ) {}

  header(): SafetensorsHeader {
    if (this.text[0] !== "{") this.fail("a header begins with {", 0);
    const entries = new Map<string, TensorEntry>();
    let metadata: Record<string, string> | undefined;
    this.object((name, at) => {
      this.entry = name;
      if (entries.has(name) || (name === METADATA_NAME && metadata !== undefined)) {
        this.fail(`the name ${quoted(name)} occurs twice`, at);
      }
      if (name === METADATA_NAME) metadata = this.metadata();
      else entries.set(name, this.tensor(name, at));
      this.entry = undefined;
    });
    if (this.position < this.text.length) this.fail("the header goes on after its closing }", this.position);
    return { entries: [...entries.values()], metadata: metadata ?? {} };
  }

  private metadata(): Record<string, string> {
    const metadata: Record<string, string> = {};
    this.object((key, at) => {
      if (Object.hasOwn(metadata, key)) this.fail(`the key ${quoted(key)} occurs twice`, at);
      metadata[key] = this.string("a text");
    });
    return metadata;
  }

  private tensor(name: string, at: number): TensorEntry {
    let dtype: string | undefined;
    let shape: readonly number[] | undefined;
    let offsets: readonly number[] | undefined;
    this.object((key, keyAt) => {
      if (key === "dtype" && dtype === undefined) dtype = this.string("the name of an element type");
      else if (key === "shape" && shape === undefined) shape = this.integers(MOST_DIMENSIONS);
      else if (key === "data_offsets" && offsets === undefined) offsets = this.integers(2);
      else this.fail(`the key ${quoted(key)} is unknown or occurs twice`, keyAt);
    });
    if (dtype === undefined || shape === undefined || offsets === undefined) {
      this.fail("an entry has to have dtype, shape and data_offsets, and one is missing", at);
    }
    if (offsets.length !== 2) this.fail(`data_offsets holds ${offsets.length} numbers instead of 2`, at);
    return { name, dtype, shape, begin: offsets[0]!, end: offsets[1]!, at: this.byteOf(at) };
  }

  /** Reads `{ "name": value, ... }`; `readValue` is called where the value begins, with the place of its name. */
  private object(readValue: (name: string, at: number) => void): void {
    this.expect("{");
    if (this.accept("}")) return;
    do {
      const at = this.position;
      const name = this.string("a name");
      const problem = problemOfName(name);
      if (problem !== undefined) this.fail(problem, at);
      this.expect(":");
      readValue(name, at);
    } while (this.accept(","));
    this.expect("}");
  }

  private integers(most: number): readonly number[] {
    const values: number[] = [];
    this.expect("[");
    if (this.accept("]")) return values;
    do {
      if (values.length === most) this.fail(`a list of numbers is longer than ${most}`, this.position);
      values.push(this.integer());
    } while (this.accept(","));
    this.expect("]");
    return values;
  }

  private integer(): number {
    const at = this.position;
    DIGITS.lastIndex = at;
    const digits = DIGITS.exec(this.text)?.[0];
    if (digits === undefined) {
      this.fail(`expected a whole number that is not negative, found ${quoted(this.text.slice(at, at + 8))}`, at);
    }
    const value = digits.length <= 16 ? Number(digits) : Number.POSITIVE_INFINITY;
    if (!Number.isSafeInteger(value)) {
      this.fail(`the number ${quoted(digits)} is larger than 2^53 - 1, the largest whole number here`, at);
    }
    this.position += digits.length;
    this.skipWhitespace();
    return value;
  }

  private string(what: string): string {
    const { text, position: start } = this;
    if (text[start] !== '"') this.fail(`expected ${what} in quotation marks`, start);
    let end = start + 1;
    while (end < text.length && text[end] !== '"') end += text[end] === "\\" ? 2 : 1;
    if (end >= text.length) this.fail("a text is never closed by a quotation mark", start);
    let value: string;
    try {
      value = JSON.parse(text.slice(start, end + 1));
    } catch {
      this.fail("a text holds a control character or an unknown escape", start);
    }
    if (LONE_SURROGATE.test(value)) this.fail("a text holds half of a surrogate pair", start);
    this.position = end + 1;
    this.skipWhitespace();
    return value;
  }

  private expect(character: string): void {
    if (this.accept(character)) return;
    const found = this.position < this.text.length ? quoted(this.text[this.position]!) : "the end of the header";
    this.fail(`expected ${character}, found ${found}`, this.position);
  }

  private accept(character: string): boolean {
    if (this.text[this.position] !== character) return false;
    this.position += 1;
    this.skipWhitespace();
    return true;
  }

  private skipWhitespace(): void {
    WHITESPACE.lastIndex = this.position;
    this.position += WHITESPACE.exec(this.text)![0].length;
  }

  /** The place in the file of the character at `at`; called with ascending places, so that counting stays linear. */
  private byteOf(at: number): number {
    if (at < this.countedCharacters) {
      this.countedCharacters = 0;
      this.countedBytes = HEADER_START;
    }
    for (; this.countedCharacters < at; this.countedCharacters += 1) {
      const unit = this.text.charCodeAt(this.countedCharacters);
      // Each half of a surrogate pair counts for two of the four bytes of its character.
      this.countedBytes += unit < 0x80 ? 1 : unit < 0x800 || (unit & 0xf800) === 0xd800 ? 2 : 3;
    }
    return this.countedBytes;
  }

  private fail(problem: string, at: number): never {
    const tensor = this.entry === undefined || this.entry === METADATA_NAME ? "" : `tensor ${quoted(this.entry)}, `;
    const remedy = "Get the file again, or write it again with a current safetensors library.";
    throw new FileFormatError(this.file, `${tensor}byte ${this.byteOf(at)}`, problem, remedy);
  }
}
