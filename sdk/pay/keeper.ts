/**
 * Keeps a changing state on disk, one record at a time: whoever asks while one is written shares
 * the next, which says what is by then.
 */
export class Keeper {
  readonly #write: () => Promise<void>;
  #last: Promise<void> = Promise.resolve();
  #next: Promise<void> | null = null;

  constructor(write: () => Promise<void>) {
    this.#write = write;
  }

  /** Resolves when a record that was made after this call is kept. */
  keep(): Promise<void> {
    this.#next ??= this.#follow();
    return this.#next;
  }

  async #follow(): Promise<void> {
    // One that failed has told those who waited for it; the store refuses the next one by itself.
    await this.#last.catch(() => undefined);
    this.#last = this.#write();
    this.#next = null;
    await this.#last;
  }
}

/** Names in one record: so many of the longest fit a record of the journal. */
const namesPerRecord = 24;

/** The names in lists that fit a record each; one empty list if there are none. */
export function inRecords<T>(names: readonly T[]): readonly (readonly T[])[] {
  const lists: (readonly T[])[] = [];
  for (let at = 0; at < names.length; at += namesPerRecord)
    lists.push(names.slice(at, at + namesPerRecord));
  return lists.length === 0 ? [[]] : lists;
}
