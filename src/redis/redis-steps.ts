/** How the verbs of a keeper in a Redis are asked: one script each, and what every script may answer instead. */
import { anotherFleet, brokenPartition, claimLost } from "./keeper-errors.js";
import { bytes, list } from "./keep-replies.js";
import type { Claim, Fleet } from "./keeper.js";
import { partitionPrefix } from "./keys.js";
import { logIdOf } from "./partition.js";
import type { RedisArgument, RedisLink, RedisReply, Script } from "./redis-link.js";

/** The steps of one keeper. */
export class RedisSteps {
  readonly #place: string;
  readonly #link: RedisLink;
  /** Null before it is known. */
  fleet: Fleet | null = null;

  constructor(place: string, link: RedisLink) {
    this.#place = place;
    this.#link = link;
  }

  run(script: Script, keys: readonly string[], args: readonly RedisArgument[]): Promise<RedisReply> {
    return this.#link.run(script, keys, args);
  }

  /** The answer of a script that sees whether the log is the one that was meant. */
  here(reply: RedisReply): readonly RedisReply[] {
    const parts = list(reply);
    if (parts[0] === "gone") throw anotherFleet(this.#place);
    if (parts[0] === "broken") throw brokenPartition(bytes(parts[1]));
    return parts;
  }

  /** Asks something of a partition: the script sees whether its log is the one that is meant. */
  async at(partition: number, script: Script, args: readonly RedisArgument[]): Promise<readonly RedisReply[]> {
    return this.here(await this.run(script, [partitionPrefix(partition)], [this.log(partition), ...args]));
  }

  /** Does something to a partition, which only its newest owner may. */
  async by(
    { partition, worker, number: claim }: Claim,
    script: Script,
    args: readonly RedisArgument[],
    moreKeys: readonly string[] = [],
  ): Promise<readonly RedisReply[]> {
    const keys = [partitionPrefix(partition), ...moreKeys];
    const parts = this.here(await this.run(script, keys, [this.log(partition), `${claim} ${worker}`, ...args]));
    if (parts[0] === "lost") throw claimLost(partition, worker);
    return parts;
  }

  /** The log id of a partition. */
  log(partition: number): string {
    return logIdOf(this.known().id, partition);
  }

  known(): Fleet {
    if (this.fleet === null) throw new Error("broken invariant: the fleet is used before it is known");
    return this.fleet;
  }
}
