/** What says that bytes are no value of a column. A type, no rules. */

/** Why bytes are no value of a column's type: the end of a sentence that began with the value. */
export class WrongValue {
  readonly why: string;

  constructor(why: string) {
    this.why = why;
  }
}
