/**
 * What the clients of a server may take, in one object that CONFIG SET changes while it runs (config.ts has Redis'
 * names and texts). It keeps numbers; who holds to them is parser, connection and server.
 */
import { parserLimits, type ParserLimits } from "./resp-parser.js";

/** Replies that may wait for a client. 0: as many as there are; its commands are held back long before. */
export interface OutputLimit {
  /** More than so many bytes end the connection at once. */
  hardBytes: number;
  /** More than so many bytes end it when they have waited for `softSeconds`. */
  softBytes: number;
  softSeconds: number;
}

/** Redis' classes of clients. Here every client is a normal one. */
export type ClientClass = "normal" | "slave" | "pubsub";

/** The limits. */
export interface Limits extends ParserLimits {
  bulkBytesMax: number;
  commandBytesMax: number;
  clientsMax: number;
  /** Seconds without a word after which a client is closed; 0: never. */
  idleSeconds: number;
  /** Seconds without a word after which the system asks whether the other side is still there; 0: never. */
  keepAliveSeconds: number;
  output: Readonly<Record<ClientClass, Readonly<OutputLimit>>>;
}

const mb = 1024 * 1024;

/** Redis' defaults, and the engine's where it takes less. */
export function defaultLimits(clientsMax: number): Limits {
  return {
    ...parserLimits,
    clientsMax,
    idleSeconds: 0,
    keepAliveSeconds: 300,
    output: {
      normal: { hardBytes: 0, softBytes: 0, softSeconds: 0 },
      slave: { hardBytes: 256 * mb, softBytes: 64 * mb, softSeconds: 60 },
      pubsub: { hardBytes: 32 * mb, softBytes: 8 * mb, softSeconds: 60 },
    },
  };
}
