// What L-BFGS knows of the curvature, on the host: which inner products there are between the remembered steps s and changes
// of the gradient y. With them the two-loop recursion (Nocedal and Wright, 2006, algorithm 7.4) needs no vectors: it gives the
// direction as a combination of s, y and the gradient, which is one product of matrices, so that a history of any length is
// the same program (Chen, Wang and Zhou, 2014, "Large-scale L-BFGS using MapReduce"). In float64.

/** Inner products of a vector with all remembered ones, oldest first. */
type Products = readonly number[];

/** Inner products of a new pair with all remembered pairs, itself last. */
export interface PairProducts {
  /** s_i . y of the new y. */
  readonly stepsWithY: Products;
  /** y_i . s of the new s. */
  readonly changesWithS: Products;
  /** y_i . y of the new y. */
  readonly changesWithY: Products;
}

/** d = sum of steps_i s_i + sum of changes_i y_i + gradient g. */
export interface Combination {
  readonly steps: readonly number[];
  readonly changes: readonly number[];
  readonly gradient: number;
}

export class Curvature {
  /** s_i . y_j in row i, column j, oldest first. */
  private sy: number[][] = [];
  /** y_i . y_j */
  private yy: number[][] = [];
  /** The first guess of the inverse curvature: of the newest pair. */
  scale = 1;

  /** How many pairs are remembered. */
  get length(): number {
    return this.sy.length;
  }

  /** Takes over all products at once: rows and columns oldest first. */
  restore(sy: readonly (readonly number[])[], yy: readonly (readonly number[])[], scale: number): void {
    this.sy = sy.map((row) => [...row]);
    this.yy = yy.map((row) => [...row]);
    this.scale = scale;
  }

  /** Remembers a new pair, and forgets the oldest if there would be more than `most`. */
  push({ stepsWithY, changesWithS, changesWithY }: PairProducts, most: number): void {
    if (this.length === most) {
      this.sy = this.sy.slice(1).map((row) => row.slice(1));
      this.yy = this.yy.slice(1).map((row) => row.slice(1));
    }
    this.sy.forEach((row, i) => {
      row.push(stepsWithY[i]);
    });
    this.sy.push([...changesWithS]);
    this.yy.forEach((row, i) => {
      row.push(changesWithY[i]);
    });
    this.yy.push([...changesWithY]);
    const [ys, yy] = [changesWithS.at(-1)!, changesWithY.at(-1)!];
    this.scale = ys / yy;
  }

  /**
   * The direction -H g, H being the inverse curvature.
   * @param stepsWithGradient s_i . g
   * @param changesWithGradient y_i . g
   */
  direction(stepsWithGradient: Products, changesWithGradient: Products): Combination {
    const { sy, yy, scale, length } = this;
    // q = -g - sum of alpha_j y_j, from the newest to the oldest.
    const alpha = new Array<number>(length).fill(0);
    for (let i = length - 1; i >= 0; i--) {
      let product = -stepsWithGradient[i];
      for (let j = i + 1; j < length; j++) product -= alpha[j] * sy[i][j];
      alpha[i] = product / sy[i][i];
    }
    // r = scale q + sum of steps_j s_j, from the oldest to the newest.
    const steps = new Array<number>(length).fill(0);
    for (let i = 0; i < length; i++) {
      let product = -scale * changesWithGradient[i];
      for (let j = 0; j < length; j++) product -= scale * alpha[j] * yy[i][j];
      for (let j = 0; j < i; j++) product += steps[j] * sy[j][i];
      steps[i] = alpha[i] - product / sy[i][i];
    }
    return { steps, changes: alpha.map((value) => -scale * value), gradient: -scale };
  }
}
