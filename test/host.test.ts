/** The real host: the contract, and what only real processes can show. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { expect, test } from "vitest";
import { hostContract } from "../contract/host.js";
import { nodeHost } from "../src/host/node-host.js";
import { systemProcesses } from "../src/host/processes.js";
import { rest } from "../src/rest.js";
import { isAlive } from "./sandbox-kit.js";

const threadUrl = new URL("../contract/host-thread.js", import.meta.url).href;

const cases = hostContract(async () => {
  const folder = await mkdtemp(`${tmpdir()}/host-`);
  return { host: nodeHost(), folder, threadUrl, close: () => rm(folder, { recursive: true }) };
});
test.each(cases)("$name", ({ run }) => run());

test("an owner that is killed owns no more", async () => {
  const folder = await mkdtemp(`${tmpdir()}/owner-`);
  const module = new URL("../src/host/node-host.js", import.meta.url).href;
  const script = `
    import { nodeHost } from ${JSON.stringify(module)};
    const owner = await nodeHost().disk.own(${JSON.stringify(folder)});
    console.log(owner === null ? "not owned" : "owned");
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [said] = (await once(child.stdout, "data")) as [Buffer];
  expect(said.toString().trim()).toBe("owned");
  const { disk } = nodeHost();
  expect(await disk.own(folder)).toBeNull();
  child.kill("SIGKILL");
  await once(child, "exit");
  const owner = await disk.own(folder);
  expect(owner).not.toBeNull();
  await owner?.release();
  await rm(folder, { recursive: true });
});

test("an unread pending timer does not keep the process alive", async () => {
  const module = new URL("../src/host/node-host.js", import.meta.url).href;
  const script = `import { nodeHost } from ${JSON.stringify(module)}; nodeHost().clock.after(3_600_000, () => {});`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script], { stdio: "inherit" });
  const [code] = (await once(child, "exit")) as [number];
  expect(code).toBe(0);
});

test("a process gets its data, answers in order, and says how it ended", async () => {
  const started = systemProcesses().start<unknown, { message: unknown; data: unknown }>(threadUrl, { name: "echo" });
  const answers: unknown[] = [];
  await new Promise<void>((resolve) => {
    started.receive((answer) => {
      if (answers.push(answer) === 100) resolve();
    });
    for (let i = 0; i < 100; i++) started.post({ i });
  });
  expect(answers).toEqual(Array.from({ length: 100 }, (_, i) => ({ message: { i }, data: { name: "echo" } })));
  started.post("fail");
  expect(await started.ended).toContain("asked to fail");
  await started.kill();
  started.post("nobody is there");
  const killed = systemProcesses().start(threadUrl, null);
  await killed.kill();
  expect(await killed.ended).toBe("it was killed by SIGKILL");
  const missing = systemProcesses().start("file:///no/such/module.js", null);
  expect(await missing.ended).toContain("/no/such/module.js");
});

test("a process ends with the one that started it, whatever keeps it busy", async () => {
  const module = new URL("../src/host/processes.js", import.meta.url).href;
  const busy = "data:text/javascript,export const main = (channel) => { setInterval(() => {}, 10); channel.post(1) }";
  const script = `
    import { systemProcesses } from ${JSON.stringify(module)};
    const started = systemProcesses().start(${JSON.stringify(busy)}, null);
    started.receive(() => console.log(started.pid));`;
  const parent = spawn(process.execPath, ["--input-type=module", "-e", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [said] = (await once(parent.stdout, "data")) as [Buffer];
  const pid = Number(said.toString());
  expect(isAlive(pid)).toBe(true);
  parent.kill("SIGKILL");
  const { clock } = nodeHost();
  while (isAlive(pid)) await rest(clock, 10);
});
