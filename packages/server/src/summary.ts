// SPDX-License-Identifier: Apache-2.0
// A quantity that is measured again and again, as ZooKeeper's metrics have it.

/** Count, sum and extremes of what was recorded. */
export class Summary {
  count = 0;
  sum = 0;
  min = 0;
  max = 0;

  get average(): number {
    return this.count === 0 ? 0 : this.sum / this.count;
  }

  record(value: number): void {
    if (this.count === 0 || value < this.min) this.min = value;
    if (value > this.max) this.max = value;
    this.count++;
    this.sum += value;
  }
}
