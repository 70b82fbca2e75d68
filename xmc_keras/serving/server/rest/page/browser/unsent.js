// Corrections that the server has not confirmed. They are kept in the browser, each
// under a key of its own so that several tabs do not overwrite each other's, and are
// sent until the server has them. It knows them by their id if they arrive twice.

const FIRST_WAIT = 2000, LONGEST_WAIT = 30000; // milliseconds

export class Unsent {
  #prefix; #send; #changed;
  #inMemory = new Map(); // what the browser cannot keep
  #sending = false; #timer = 0; #wait = FIRST_WAIT;

  /**
   * @param model name of the model
   * @param send async function of a correction; throws until the server has it
   * @param changed function of an error message, "" if there is none
   */
  constructor(model, send, changed) {
    this.#prefix = `xmc/${model}/`;
    this.#send = send;
    this.#changed = changed;
    addEventListener("online", () => this.sendAll());
    addEventListener("beforeunload", (event) => {
      if (this.#inMemory.size) event.preventDefault();
    });
  }

  /** All of them, the oldest first. */
  list() {
    const found = new Map(this.#inMemory);
    try {
      for (const key of Object.keys(localStorage)) {
        if (key.startsWith(this.#prefix)) {
          found.set(key, JSON.parse(localStorage.getItem(key)));
        }
      }
    } catch {
      // Storage is off.
    }
    return [...found].sort(([, a], [, b]) => a.kept - b.kept);
  }

  /** Keeps a correction and begins to send it; returns its key. */
  add(correction) {
    const id = Array.from(crypto.getRandomValues(new Uint8Array(16)),
      (byte) => byte.toString(16).padStart(2, "0")).join("");
    const key = this.#prefix + id, kept = { ...correction, id, kept: Date.now() };
    try {
      localStorage.setItem(key, JSON.stringify(kept));
    } catch {
      this.#inMemory.set(key, kept); // storage is off or full
    }
    this.#wait = FIRST_WAIT;
    this.sendAll();
    return key;
  }

  has(key) {
    return this.list().some(([found]) => found === key);
  }

  discard() {
    for (const [key] of this.list()) this.#remove(key);
    this.#changed("");
  }

  async sendAll() {
    if (this.#sending) return;
    this.#sending = true;
    clearTimeout(this.#timer);
    const tried = new Set();
    let message = "";
    try {
      // Others may be added meanwhile.
      for (let next; (next = this.list().find(([key]) => !tried.has(key)));) {
        const [key, { kept, ...correction }] = next;
        tried.add(key);
        try {
          await this.#send(correction);
          this.#remove(key);
        } catch (error) {
          message = error.message;
          // One that is refused for what it is does not keep the others waiting.
          if (error.status !== 400 && error.status !== 413) break;
        }
      }
    } finally {
      this.#sending = false;
    }
    if (message) {
      this.#timer = setTimeout(() => this.sendAll(), this.#wait);
      this.#wait = Math.min(LONGEST_WAIT, 2 * this.#wait);
    } else {
      this.#wait = FIRST_WAIT;
    }
    this.#changed(message);
  }

  #remove(key) {
    this.#inMemory.delete(key);
    try {
      localStorage.removeItem(key);
    } catch {
      // Storage is off.
    }
  }
}
