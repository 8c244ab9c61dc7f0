// Words and numbers of a report: escaped, and as many digits as are read. Leans on nothing.

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character]!);
}

export function number(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  if (value !== 0 && Math.abs(value) < 1e-4) return value.toExponential(2);
  return value.toLocaleString("en-US", Number.isInteger(value) ? {} : { maximumSignificantDigits: 4 });
}

/** Four digits, also where the last ones are 0: losses are compared with each other. */
export function lossFigure(value: number): string {
  return Math.abs(value) >= 1e-4 && Math.abs(value) < 1e4 ? value.toPrecision(4) : number(value);
}

export function percent(fraction: number): string {
  return Number.isFinite(fraction) ? `${(100 * fraction).toFixed(2)}%` : String(fraction);
}

export function plural(count: number, noun: string): string {
  return `${number(count)} ${noun}${count === 1 ? "" : "s"}`;
}

export function sum(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0);
}
