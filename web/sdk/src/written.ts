// What this client wrote last, so that it reads its own writes.

/** The positions of the commands that were answered and that no later command's position covers. */
export class Written {
  #positions: string[] = [];

  /** A command begins. What is called when it was answered covers all that was answered before. */
  begin(): (position: string) => void {
    const covered = new Set(this.#positions);
    return (position) => {
      this.#positions = this.#positions.filter((each) => !covered.has(each));
      this.#positions.push(position);
    };
  }

  /** Positions are opaque: of commands that were under way together none is known to be the last,
   * and a read must contain them all. */
  get positions(): readonly string[] {
    return this.#positions;
  }

  /** The store has another history: nothing of what was written has a place in it. */
  forget(): void {
    this.#positions = [];
  }
}
