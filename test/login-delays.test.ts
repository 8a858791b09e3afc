import { expect, test } from "vitest";
import { addressOf, LoginDelays } from "../src/server/login-delays.js";
import { ManualClock } from "./manual-clock.js";
import { command, RawClient, serve, until } from "./server-setup.js";

const wrong = (): boolean => false;
const right = (): boolean => true;

/** How long an answer takes, in virtual time. */
async function delayOf(clock: ManualClock, attempt: unknown): Promise<number> {
  if (!(attempt instanceof Promise)) return 0;
  const began = clock.nowMs;
  let isDone = false;
  void attempt.then(() => (isDone = true));
  while (!isDone) {
    clock.pass(50);
    await new Promise(setImmediate);
  }
  return clock.nowMs - began;
}

test("the first wrong passwords cost nothing, every further one more, up to five seconds", async () => {
  const clock = new ManualClock();
  const delays = new LoginDelays(clock);
  const taken: number[] = [];
  for (let i = 0; i < 13; i++) taken.push(await delayOf(clock, delays.attempt("192.0.2.1:1", wrong)));
  expect(taken).toEqual([0, 0, 0, 0, 0, 100, 200, 400, 800, 1600, 3200, 5000, 5000]);
  expect(await delayOf(clock, delays.attempt("192.0.2.2:1", wrong))).toBe(0);
  // The right one waits as well: how long an answer takes says nothing. Then all is forgotten.
  expect(await delayOf(clock, delays.attempt("192.0.2.1:7", right))).toBe(5000);
  expect(delays.attempt("192.0.2.1:1", wrong)).toBe("wrong");
});

test("an address that has not failed for ten minutes is forgotten", () => {
  const clock = new ManualClock();
  const delays = new LoginDelays(clock);
  for (let i = 0; i < 5; i++) void delays.attempt("192.0.2.1:1", wrong);
  clock.pass(600_000);
  expect(delays.attempt("192.0.2.1:1", wrong)).toBe("wrong");
});

test("more connections from an address are not more guesses", async () => {
  const clock = new ManualClock();
  const delays = new LoginDelays(clock);
  for (let i = 0; i < 5; i++) void delays.attempt("192.0.2.1:1", wrong);
  let looked = 0;
  const attempts = Array.from({ length: 1000 }, (_, i) =>
    delays.attempt(`192.0.2.1:${i}`, () => {
      looked++;
      return false;
    }),
  );
  expect(attempts.filter((attempt) => attempt === "too many")).toHaveLength(1000 - 16);
  clock.pass(5000);
  for (const attempt of attempts) await attempt;
  expect(looked).toBe(16);
});

test("no more than 10,000 addresses are remembered", () => {
  const delays = new LoginDelays(new ManualClock());
  for (let i = 0; i < 30_000; i++) void delays.attempt(`10.${i >> 16}.${(i >> 8) & 255}.${i & 255}:1`, wrong);
  expect(delays.size).toBe(10_000);
});

test("whoever has an address of IPv6 has the 64 bits after it, too", () => {
  expect(addressOf("192.0.2.1:80")).toBe("192.0.2.1");
  expect(addressOf("::ffff:192.0.2.1:80")).toBe("192.0.2.1");
  expect(addressOf("2001:db8:1:2:3:4:5:6:80")).toBe("2001:db8:1:2");
  expect(addressOf("2001:db8::6:80")).toBe("2001:db8:0:0");
  expect(addressOf("::1:80")).toBe("0:0:0:0");
});

test("on the wire: AUTH and HELLO wait, what came before them and other commands do not", async () => {
  const clock = new ManualClock();
  const { port } = await serve({ password: "right" }, { clock });
  const guesser = new RawClient(port);
  const refusal = "-WRONGPASS invalid username-password pair or user is disabled.\r\n";
  guesser.say("AUTH a", "AUTH b", "AUTH default c", "HELLO 3 AUTH default d", "AUTH other right");
  await guesser.expect(refusal.repeat(5));
  guesser.send(command("AUTH", "e") + command("HELLO", "2", "AUTH", "default", "right") + command("PING"));
  const other = new RawClient(port);
  other.say("PING");
  await other.expect("-NOAUTH Authentication required.\r\n");
  expect(guesser.received).toBe("");
  clock.pass(100);
  await guesser.expect(refusal);
  clock.pass(200);
  await until(() => guesser.received.endsWith("+PONG\r\n"));
  expect(guesser.received).toMatch(/^\*14\r\n/);
});

test("a client that goes while it waits leaves nothing behind", async () => {
  const clock = new ManualClock();
  const { server, port } = await serve({ password: "right" }, { clock });
  const guesser = new RawClient(port);
  guesser.send(command("AUTH", "x").repeat(6));
  await until(() => server.counters.commands === 6);
  guesser.socket.resetAndDestroy();
  await until(() => server.counters.clients === 0);
  clock.pass(10_000);
  const other = new RawClient(port);
  other.say("AUTH default right");
  await until(() => server.counters.commands === 7);
  clock.pass(10_000);
  await other.expect("+OK\r\n");
});
