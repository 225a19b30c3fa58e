/** Server-sent events out of text that comes in any pieces (HTML standard §9.2.6). Large ones come in many: each piece is looked at once. */

/** Takes pieces of text, and tells each event when its end has come. */
export class EventLines {
  /** @type {string[]} */
  #line = [];
  /** @type {string[]} */
  #data = [];
  #event = "";
  #lastWasReturn = false;

  /** @param {(event: string, data: string) => void} each */
  constructor(each) {
    this.each = each;
  }

  /** @param {string} text */
  take(text) {
    let start = 0;
    const ends = /[\r\n]/g;
    for (let end = ends.exec(text); end !== null; end = ends.exec(text)) {
      const isFeed = end[0] === "\n";
      // The second half of CR LF ends nothing.
      if (!(isFeed && this.#lastWasReturn && end.index === start)) {
        this.#line.push(text.slice(start, end.index));
        this.#take(this.#line.join(""));
        this.#line = [];
      }
      this.#lastWasReturn = !isFeed;
      start = end.index + 1;
    }
    if (start < text.length) {
      this.#line.push(text.slice(start));
      this.#lastWasReturn = false;
    }
  }

  /** @param {string} line */
  #take(line) {
    if (line === "") {
      const data = this.#data.join("\n");
      const event = this.#event || "message";
      this.#data = [];
      this.#event = "";
      if (data !== "") this.each(event, data);
      return;
    }
    const colon = line.indexOf(":");
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "data") this.#data.push(value);
    if (field === "event") this.#event = value;
  }
}
