/** Work that is done one after another, first come, first served; a failure is its own caller's. */
export class Turn {
  #last: Promise<unknown> = Promise.resolve();

  /** Does the work when all that came before is over. */
  take<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#last.then(work);
    this.#last = done.catch(() => undefined);
    return done;
  }
}
