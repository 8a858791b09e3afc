/**
 * Slows down who guesses passwords: after some wrong ones from an address every further one from there waits before it
 * is looked at, longer each time. Bounded in memory; nobody at another address waits. It does not know the password.
 */
import type { Clock } from "../host/host.js";

/** Wrong passwords that cost nothing: people mistype, and a pool of connections has one wrong setting. */
const freeFailures = 5;
const delayMinMs = 100;
const delayMaxMs = 5000;
/** An address that has failed is forgotten after so long without another failure. */
const forgottenMs = 600_000;
/** Addresses that are remembered; the one that failed longest ago goes first. */
const addressesMax = 10_000;
/** Passwords from one address that may wait at the same time: more connections are not more guesses. */
const waitingMax = 16;

interface Address {
  failures: number;
  failedAt: number;
  waiting: number;
}

/** What became of an attempt. */
export type Attempt = "right" | "wrong" | "too many";

/** The addresses that have failed. */
export class LoginDelays {
  readonly #clock: Clock;
  /** The one that failed longest ago first. */
  readonly #addresses = new Map<string, Address>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Addresses that are remembered. */
  get size(): number {
    return this.#addresses.size;
  }

  /** Looks whether a password from this peer (`host:port`) is right: at once, or after the delay that it has earned. */
  attempt(peer: string, isRight: () => boolean): Attempt | Promise<Attempt> {
    const name = addressOf(peer);
    const address = this.#known(name);
    if (address === null || address.failures < freeFailures) return this.#look(name, isRight);
    if (address.waiting >= waitingMax) return "too many";
    address.waiting++;
    return new Promise((resolve) => {
      const delayMs = Math.min(delayMaxMs, delayMinMs * 2 ** (address.failures - freeFailures));
      this.#clock.after(delayMs, () => {
        address.waiting--;
        resolve(this.#look(name, isRight));
      });
    });
  }

  #known(name: string): Address | null {
    const address = this.#addresses.get(name);
    if (address === undefined) return null;
    if (address.waiting > 0 || this.#clock.monotonic() - address.failedAt < forgottenMs) return address;
    this.#addresses.delete(name);
    return null;
  }

  #look(name: string, isRight: () => boolean): Attempt {
    if (isRight()) {
      this.#addresses.delete(name);
      return "right";
    }
    const address = this.#addresses.get(name) ?? { failures: 0, failedAt: 0, waiting: 0 };
    address.failures++;
    address.failedAt = this.#clock.monotonic();
    this.#addresses.delete(name);
    this.#addresses.set(name, address);
    if (this.#addresses.size > addressesMax) this.#addresses.delete(this.#addresses.keys().next().value as string);
    return "wrong";
  }
}

/** Who a peer is: its address, and of IPv6 the first 64 bits, since whoever has one of those has them all. */
export function addressOf(peer: string): string {
  const host = peer.slice(0, peer.lastIndexOf(":"));
  if (!host.includes(":") || host.includes(".")) return host.replace(/^::ffff:/, "");
  const [before = "", after] = host.split("::");
  const head = before === "" ? [] : before.split(":");
  const tail = after === undefined || after === "" ? [] : after.split(":");
  const zeros = after === undefined ? 0 : 8 - head.length - tail.length;
  return [...head, ...Array<string>(Math.max(0, zeros)).fill("0"), ...tail].slice(0, 4).join(":");
}
