/**
 * The driver, and the one thing that is done without it: how a command is written. The driver would take a string for
 * UTF-8 and wants a buffer for each argument that is not ASCII; one string for the whole command and one buffer made of
 * it cost a sixth of that. It decides nothing.
 */
import type { Command, Redis, RedisOptions } from "ioredis";
import type { Bytes } from "../bytes.js";
import { WriteBehindError } from "../errors.js";

/** What Redis answers: integers, bytes, null, lists of these. */
export type RedisReply = number | Bytes | null | readonly RedisReply[];

/** An argument. Strings are one-byte strings (src/bytes.ts): each character is one byte. */
export type RedisArgument = string | number;

/** What is used of the driver. */
export interface Driver {
  readonly Redis: new (options: RedisOptions) => Redis;
  readonly Command: typeof Command;
}

/** A command that is on its way. */
export interface Sent extends Command {
  /** Whether it was handed to the socket: else it is certain that it was not done. */
  readonly isWritten: boolean;
}

/** Makes a command of its name and of all of it as the wire has it. */
export type MakeCommand = (name: string, wire: string) => Sent;

/** The driver, imported when it is needed first: it is not installed where no Redis is used. */
export async function importDriver(): Promise<Driver> {
  try {
    const { Redis, Command } = await import("ioredis");
    return { Redis, Command };
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ERR_MODULE_NOT_FOUND")) throw error;
    const message = "the cache in Redis needs the package ioredis, which is not installed";
    throw new WriteBehindError("DRIVER_MISSING", message, { hint: "npm install ioredis", cause: error });
  }
}

/** What makes this driver's commands. Replies come as one-byte strings. */
export function commandMaker(driver: Driver): MakeCommand {
  class OneByteCommand extends driver.Command implements Sent {
    isWritten = false;
    readonly #wire: string;

    constructor(name: string, wire: string) {
      super(name, [], { replyEncoding: "latin1" });
      this.#wire = wire;
    }

    override toWritable(): Buffer {
      this.isWritten = true;
      return Buffer.from(this.#wire, "latin1");
    }
  }
  return (name, wire) => new OneByteCommand(name, wire);
}

/** A command as the wire has it, a one-byte string: its name and the lists of its arguments, one after the other. */
export function wireOf(name: string, ...lists: readonly (readonly RedisArgument[])[]): string {
  let count = 1;
  for (const list of lists) count += list.length;
  let wire = `*${count}\r\n$${name.length}\r\n${name}\r\n`;
  for (const list of lists) {
    for (const each of list) {
      const text = typeof each === "string" ? each : String(each);
      wire += `$${text.length}\r\n${text}\r\n`;
    }
  }
  return wire;
}
