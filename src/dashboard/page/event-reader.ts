/** Takes server-sent events apart as they come in pieces: html.spec.whatwg.org, section 9.2.6. */

/** One event. */
export interface ServerEvent {
  readonly name: string;
  readonly data: string;
}

/** The reading side of one stream. Data in one line only: the admin API sends no other. */
export class EventReader {
  #rest = "";

  /** The events that are whole now. */
  take(piece: string): ServerEvent[] {
    const parts = (this.#rest + piece).split("\n\n");
    this.#rest = parts.pop() ?? "";
    return parts.flatMap((part) => {
      const name = /^event: (.*)$/m.exec(part)?.[1];
      const data = /^data: (.*)$/m.exec(part)?.[1];
      return name === undefined || data === undefined ? [] : [{ name, data }];
    });
  }
}
