// The history of L-BFGS on the device: the last steps s and the changes y of the gradient that they made, as the rows of two
// matrices. Taking in a pair and combining all of them are one program each, however many there are; curvature.ts says on the
// host how they are combined.

import { cat, flush, noGrad, scalar, stack, type Tensor, tensor, where, zeros } from "../tensor/index.ts";
import { Curvature } from "./curvature.ts";

/** Pairs that there is room for at first; the room doubles until it is enough for all that are to be remembered. */
const firstRoom = 8;
/** y . s up to which a pair tells nothing of the curvature. */
const leastCurvature = 1e-10;

/** A step, and by how much it has changed the gradient: both [n]. */
interface Pair {
  readonly s: Tensor;
  readonly y: Tensor;
}

/** Pairs from a state dict, oldest first. */
export interface StoredPairs {
  /** [k, n] */
  readonly steps: Tensor;
  /** [k, n] */
  readonly changes: Tensor;
  /** The first guess of the inverse curvature. */
  readonly scale: number;
}

export class PairHistory {
  private readonly curvature = new Curvature();
  /** State, [room, n]: the newest pair is the last row, and rows that are not used yet are 0. */
  private steps: Tensor;
  private changes: Tensor;
  /** Whether the curvature has yet to be computed, from rows that were stored. */
  private isStored = false;

  /**
   * @param most how many pairs are remembered
   * @param like [n], of the dtype
   * @param stored the pairs to go on from; the newest are kept if they are more than `most`
   */
  constructor(
    private readonly most: number,
    private readonly like: Tensor,
    stored: StoredPairs | null = null,
  ) {
    const length = Math.min(stored?.steps.shape[0] ?? 0, most);
    let room = Math.min(most, firstRoom);
    while (room < length) room = Math.min(most, 2 * room);
    const newest = (rows: Tensor | undefined): Tensor | undefined => rows?.narrow(0, rows.shape[0] - length, length);
    this.steps = this.widened(newest(stored?.steps), room);
    this.changes = this.widened(newest(stored?.changes), room);
    if (stored === null) return;
    const unknown = Array.from({ length }, () => new Array<number>(length).fill(0));
    this.curvature.restore(unknown, unknown, stored.scale);
    this.isStored = true;
  }

  private get room(): number {
    return this.steps.shape[0];
  }

  /** The first guess of the inverse curvature, PyTorch's `H_diag`. */
  get scale(): number {
    return this.curvature.scale;
  }

  /** All pairs, oldest first, by PyTorch's names: [k, n], [k, n] and [k]. Null if there are none. */
  get rows(): { readonly old_stps: Tensor; readonly old_dirs: Tensor; readonly ro: Tensor } | null {
    const { length } = this.curvature;
    if (length === 0) return null;
    return noGrad(() => {
      const [steps, changes] = [this.steps, this.changes].map((rows) => rows.narrow(0, this.room - length, length));
      return { old_stps: steps, old_dirs: changes, ro: steps.mul(changes).sum(1).reciprocal() };
    });
  }

  /**
   * Takes in a pair, unless it tells nothing, and gives the direction -H g by all that are remembered.
   * @param gradient [n], computed
   * @returns [n], not computed yet
   */
  async direction(gradient: Tensor, pair: Pair): Promise<Tensor> {
    if (this.isStored) await this.computeCurvature();
    if (this.curvature.length === this.room && this.room < this.most) this.grow();
    const { curvature, most, room } = this;
    const summary = noGrad(() => this.take(gradient, pair));
    await flush(summary);
    const [isTaken, ...products] = await summary.data();
    const length = isTaken === 1 ? Math.min(curvature.length + 1, most) : curvature.length;
    // Five rows of `room` products, of which the last `length` are of pairs.
    const row = (i: number): number[] => products.slice((i + 1) * room - length, (i + 1) * room);
    if (isTaken === 1) curvature.push({ stepsWithY: row(1), changesWithY: row(3), changesWithS: row(4) }, most);
    const { steps, changes, gradient: share } = curvature.direction(row(0), row(2));
    const { dtype } = gradient;
    const vector = (values: readonly number[]): Tensor => {
      return tensor([...new Array<number>(room - length).fill(0), ...values], { dtype });
    };
    return noGrad(() => {
      const ofPairs = vector(steps).matmul(this.steps).add(vector(changes).matmul(this.changes));
      return ofPairs.add(gradient.mul(scalar(share, { dtype })));
    });
  }

  /** Assigns the rows with the pair. @returns whether it was taken, and the products of g and y with s, of g, y and s with y */
  private take(gradient: Tensor, { s, y }: Pair): Tensor {
    const isTaken = y.dot(s).gt(leastCurvature);
    const put = (rows: Tensor, row: Tensor): void => {
      rows.copy_(where(isTaken, cat([rows.narrow(0, 1, this.room - 1), row.unsqueeze(0)]), rows));
    };
    put(this.steps, s);
    put(this.changes, y);
    const withSteps = stack([gradient, y]).matmul(this.steps.T);
    const withChanges = stack([gradient, y, s]).matmul(this.changes.T);
    return cat([isTaken.to(gradient.dtype).reshape([1]), withSteps.flatten(), withChanges.flatten()]);
  }

  private grow(): void {
    const room = Math.min(this.most, 2 * this.room);
    this.steps = this.widened(this.steps, room);
    this.changes = this.widened(this.changes, room);
  }

  /** Rows, [k, n], below as many rows of 0 as make [room, n]. */
  private widened(rows: Tensor | undefined, room: number): Tensor {
    const { shape, dtype } = this.like;
    const missing = zeros([room - (rows?.shape[0] ?? 0), shape[0]], { dtype });
    return noGrad(() => (rows === undefined ? missing : cat([missing, rows.to(dtype)])).asState());
  }

  /** The products of all pairs, from their vectors. */
  private async computeCurvature(): Promise<void> {
    const { length, scale } = this.curvature;
    const [sy, yy] = noGrad(() => [this.steps, this.changes].map((rows) => rows.matmul(this.changes.T)));
    await flush(sy, yy);
    const table = async (products: Tensor): Promise<number[][]> => {
      const rows = (await products.toArray()) as number[][];
      return rows.slice(rows.length - length).map((row) => row.slice(row.length - length));
    };
    this.curvature.restore(await table(sy), await table(yy), scale);
    this.isStored = false;
  }
}
