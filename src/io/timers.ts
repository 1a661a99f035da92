/** A pending call; {@linkcode Timers.cancel} takes it. */
export interface Timer {
  atUs: number;
  callback: (() => void) | undefined;
}

/** A binary heap of timers. A cancelled timer stays in the heap, empty, until its time. */
export class Timers {
  readonly #heap: Timer[] = [];

  /** Calls `callback` at `atUs` microseconds of the monotonic clock, or soon after. */
  add(atUs: number, callback: () => void): Timer {
    const timer: Timer = { atUs, callback };
    const heap = this.#heap;
    let i = heap.length;
    heap.push(timer);
    while (i > 0) {
      const parent = (i - 1) >> 1;
      const above = heap[parent] as Timer;
      if (above.atUs <= atUs) break;
      heap[i] = above;
      i = parent;
    }
    heap[i] = timer;
    return timer;
  }

  /** Makes sure that `timer` does not fire; may be called at any time, twice. */
  cancel(timer: Timer | undefined): void {
    if (timer !== undefined) timer.callback = undefined;
  }

  /** Microseconds of the next timer, or Infinity. */
  get nextUs(): number {
    while (this.#heap.length > 0 && this.#heap[0]?.callback === undefined) {
      this.#removeFirst();
    }
    return this.#heap[0]?.atUs ?? Infinity;
  }

  /** Calls what is due. */
  fire(nowUs: number): void {
    while (this.nextUs <= nowUs) {
      const callback = this.#removeFirst()?.callback;
      callback?.();
    }
  }

  #removeFirst(): Timer | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (last === undefined || last === first) return first;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= heap.length) break;
      const right = child + 1;
      if (
        right < heap.length &&
        (heap[right] as Timer).atUs < (heap[child] as Timer).atUs
      ) child = right;
      const below = heap[child] as Timer;
      if (below.atUs >= last.atUs) break;
      heap[i] = below;
      i = child;
    }
    heap[i] = last;
    return first;
  }
}
