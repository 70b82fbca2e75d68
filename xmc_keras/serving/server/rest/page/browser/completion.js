// A text field that completes labels: the combobox pattern of WAI-ARIA.

const PAUSE = 120; // milliseconds after a key, so that not each one is searched for

export class Completion {
  #input; #list; #said; #search; #choose;
  #labels = []; #query = ""; #active = -1; #timer = 0; #request = null;

  /**
   * @param input the text field
   * @param list the list of options
   * @param said element for what is said about the options
   * @param search async function of (query, signal) to {known, labels}
   * @param choose function of the label that is chosen
   */
  constructor(input, list, said, search, choose) {
    [this.#input, this.#list, this.#said] = [input, list, said];
    [this.#search, this.#choose] = [search, choose];
    input.addEventListener("input", () => this.#later());
    input.addEventListener("keydown", (event) => this.#press(event));
    input.addEventListener("blur", () => this.#close());
    list.addEventListener("mousedown", (event) => event.preventDefault()); // keeps focus
    list.addEventListener("click", (event) => {
      const option = event.target.closest("li");
      if (option) this.#take(this.#labels[[...list.children].indexOf(option)]);
    });
  }

  #later() {
    clearTimeout(this.#timer);
    this.#request?.abort();
    this.#said.textContent = "";
    if (this.#input.value.trim()) this.#timer = setTimeout(() => this.#look(), PAUSE);
    else this.#close();
  }

  /** Shows the labels of what is typed; returns whether it is still typed. */
  async #look() {
    clearTimeout(this.#timer);
    this.#request?.abort();
    const request = (this.#request = new AbortController());
    const query = this.#input.value.trim();
    try {
      const found = await this.#search(query, request.signal);
      if (request.signal.aborted) return false;
      // A version that does not name its labels takes any.
      this.#query = query;
      this.#show(found.known ? found.labels : [{ name: query, title: "" }]);
      const count = this.#labels.length;
      this.#said.textContent = count === 0 ? `No label has “${query}”.`
        : count === 1 ? "1 label found" : `${count} labels found`;
      return true;
    } catch (error) {
      if (error.name === "AbortError") return false;
      this.#close();
      this.#said.textContent = error.message;
      return false;
    }
  }

  #show(labels) {
    this.#labels = labels;
    this.#list.replaceChildren(...labels.map((label, i) => {
      const option = document.createElement("li");
      option.id = `option-${i}`;
      option.role = "option";
      option.append(...describe(label));
      return option;
    }));
    this.#list.hidden = labels.length === 0;
    this.#list.scrollIntoView({ block: "nearest" });
    this.#input.setAttribute("aria-expanded", labels.length > 0);
    this.#activate(labels.length ? 0 : -1);
  }

  #activate(index) {
    this.#active = index;
    [...this.#list.children].forEach((option, i) => {
      option.setAttribute("aria-selected", i === index);
      if (i === index) option.scrollIntoView({ block: "nearest" });
    });
    if (index < 0) this.#input.removeAttribute("aria-activedescendant");
    else this.#input.setAttribute("aria-activedescendant", `option-${index}`);
  }

  #close() {
    clearTimeout(this.#timer);
    this.#request?.abort();
    this.#show([]);
  }

  #take(label) {
    this.#input.value = "";
    this.#close();
    this.#said.textContent = "";
    this.#choose(label);
  }

  async #press(event) {
    const open = !this.#list.hidden, count = this.#labels.length;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (event.isComposing) return;
    if (step && open) {
      event.preventDefault();
      this.#activate((this.#active + step + count) % count);
    } else if (step && this.#input.value.trim()) {
      event.preventDefault();
      await this.#look();
    } else if (event.key === "Enter") {
      event.preventDefault();
      const typed = this.#input.value.trim();
      // The list may not yet be that of what is typed.
      const isShown = open && typed === this.#query;
      if (typed && (isShown || (await this.#look())) && this.#active >= 0) {
        this.#take(this.#labels[this.#active]);
      }
    } else if (event.key === "Escape") {
      event.preventDefault();
      if (open) {
        this.#close();
      } else {
        this.#input.value = "";
        this.#said.textContent = "";
      }
    }
  }
}

/** Elements for a label: its title and its name, or its name alone. */
export function describe({ name, title }) {
  const main = document.createElement("span");
  main.className = "main";
  main.textContent = title || name;
  if (!title) return [main];
  const id = document.createElement("span");
  id.className = "id";
  id.textContent = name;
  return [main, document.createTextNode(" "), id];
}
