/** Placeholder of the link's types. */
import type { Bytes } from "../bytes.js";
export interface Script {
  readonly name: string;
  readonly text: string;
}
export type RedisReply = number | Bytes | null | readonly RedisReply[];
export type RedisArgument = string | number;
export interface RedisLink {
  run(script: Script, keys: readonly string[], args: readonly RedisArgument[]): Promise<RedisReply>;
  command(name: string, args: readonly RedisArgument[]): Promise<RedisReply>;
  subscribe(
    channels: readonly string[],
    message: (channel: string, text: Bytes) => void,
    again?: () => void,
  ): Promise<() => void>;
  readonly isUp: boolean;
  onState(call: (state: "up" | "down", error: Error | null) => void): () => void;
  close(): Promise<void>;
}
