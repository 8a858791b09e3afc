/**
 * Streams that no client would send: pipelines that were cut, mended and stuffed with what protocols are broken with.
 * A seed decides each of them.
 */
import { Dice } from "../simulator/host/random.js";
import { command } from "./server-setup.js";

const words = ["a", "b", "", "x y", "\r\n", "\0", "\xff", "$1", "*1", "-1", '"', "'", "v".repeat(300)];
const inline = [
  "PING\r\n",
  'ECHO "a\\x41\\n" \r\n',
  "SET a 'it\\'s'\n",
  "\r\n",
  "  GET\ta\r\n",
  'SET "a\r\n',
  "ECHO 'a'b\r\n",
  'ECHO ""\r\n',
  "ECHO a\x0bb\x0c c\r\n",
];
const lengths = [
  "0",
  "1",
  "-1",
  "2",
  "10",
  "007",
  "+1",
  "",
  " 1",
  "1 ",
  "16385",
  "536870913",
  "2147483648",
  "4294967297",
  "2147483647",
  "9223372036854775807",
  "9223372036854775808",
  "-9223372036854775808",
  "99999999999999999999999999",
  "0x10",
  "1e9",
];
const garbage = [
  "*",
  "$",
  "\r",
  "\n",
  "\r\n",
  "\0",
  "*1\r\n",
  "*-1\r\n",
  "*0\r\n",
  "*1\r\n*1\r\n$4\r\nPING\r\n",
  "$4\r\nPING\r\n",
  ":1\r\n",
  "%1\r\n",
  "GET / HTTP/1.1\r\n",
  "\x16\x03\x01\x02",
  '"',
  "'",
];

/** Makes streams, the same ones for the same seed. */
export class Mutations {
  readonly #dice: Dice;

  constructor(seed: number) {
    this.#dice = new Dice(seed);
  }

  /** An integer in [0, limit). */
  below(limit: number): number {
    return this.#dice.below(limit);
  }

  pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)] as T;
  }

  /** A stream of a few commands, some of them spoiled. */
  stream(): string {
    let stream = "";
    for (let count = 1 + this.below(4); count > 0; count--) stream += this.#one();
    for (let count = this.below(4); count > 0; count--) stream = this.#spoil(stream);
    return stream;
  }

  /** The stream in pieces. */
  pieces(stream: string): string[] {
    const pieces: string[] = [];
    for (let at = 0; at < stream.length;) {
      const length = this.below(4) === 0 ? 1 : 1 + this.below(stream.length);
      pieces.push(stream.slice(at, at + length));
      at += length;
    }
    return pieces;
  }

  #one(): string {
    const word = (): string => this.pick(words);
    switch (this.below(6)) {
      case 0:
        return this.pick(inline);
      case 1:
        return command("SET", word(), word());
      case 2:
        return command("GET", word());
      case 3:
        return `*${this.pick(lengths)}\r\n$${this.pick(lengths)}\r\n${word()}\r\n`;
      case 4:
        return command(...Array.from({ length: 1 + this.below(12) }, (_, at) => (at === 0 ? "DEL" : word())));
      default:
        return command("ECHO", word());
    }
  }

  #spoil(stream: string): string {
    const at = this.below(stream.length + 1);
    switch (this.below(6)) {
      case 0:
        return stream.slice(0, at);
      case 1:
        return stream.slice(0, at) + this.pick(garbage) + stream.slice(at);
      case 2:
        return stream.slice(0, at) + String.fromCharCode(this.below(256)) + stream.slice(at + 1);
      case 3:
        return stream.slice(0, at) + stream.slice(at + 1 + this.below(4));
      case 4:
        return stream.replace(/(?<=[*$])-?\d+/, this.pick(lengths));
      default:
        return stream.slice(0, at) + stream.slice(this.below(stream.length + 1));
    }
  }
}
